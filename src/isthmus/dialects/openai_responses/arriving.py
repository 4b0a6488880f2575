"""Streamed answers of offers. Source: <https://platform.openai.com/docs/api-reference/responses-streaming>.

Every text is sent three times: in pieces, whole at its end, and in the last event. The pieces are taken; what comes
whole counts only where no piece came, as from servers that stream items but not what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from typing_extensions import override

from isthmus.dialects.arriving import FramedDecoder
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.fields import Fields
from isthmus.dialects.openai_responses.content import decode_citation
from isthmus.dialects.openai_responses.faults import refusal
from isthmus.dialects.openai_responses.items import BREAK
from isthmus.dialects.openai_responses.logprobs import WireLogprob
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.response import finish_of, unknown_finish
from isthmus.dialects.openai_responses.tools import as_arguments, in_namespace
from isthmus.dialects.openai_responses.usage import WireUsage
from isthmus.domain.errors import RequestError, UpstreamMalformed
from isthmus.domain.message import (
    Cited,
    Event,
    Extra,
    Finished,
    Json,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)


class _Piece(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Json = None
    """Text, of a function's call; an object, of a search for tools."""
    input: str | None = None
    content: list[_Piece] | None = None
    summary: list[_Piece] | None = None
    encrypted_content: str | None = None


class _Details(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str = ""
    model: str = ""
    created_at: int | float | None = None
    status: str | None = None
    error: Json = None
    incomplete_details: _Details | None = None
    output: list[_Item] | None = None
    usage: WireUsage | None = None
    service_tier: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    output_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    logprobs: list[WireLogprob] | None = None
    arguments: str | None = None
    input: str | None = None
    item: _Item | None = None
    annotation: Json = None
    response: _Response | None = None
    error: Json = None
    code: Json = None
    message: Json = None


_event = msgspec.json.Decoder(_Event)
_STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_CALLS = frozenset({"function_call", "custom_tool_call"})


@dataclass(slots=True)
class _Open:
    """An item that has begun."""

    said: bool = False
    """Pieces of it have come."""
    call: int | None = None
    """Number of the call, once it is known to be one."""
    custom: bool = False
    input: str = ""
    """Of a call of a custom tool, so far: its arguments are known when it is whole."""
    shown: str | None = None
    """Whether its thoughts come as a summary or themselves: where both do, what comes first is taken."""
    paragraph: int = 0
    ended: bool = False


class Decoder(FramedDecoder):
    """One upstream stream."""

    __slots__ = ("_calls", "_open", "_started")

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._started = False

    @override
    def _read(self, data: bytes, events: list[Event]) -> None:
        if data.startswith(b"[DONE]"):  # which some servers send by habit of another dialect
            return
        try:
            event = _event.decode(data)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream sent a stream event that is not of its dialect.") from exc
        kind = event.type
        if kind == "error" or (event.error and not kind):
            raise refusal({"error": event.error, "code": event.code, "message": event.message})
        if event.response is not None:
            self._read_response(kind, event.response, events)
            return
        if not self._started:
            if kind.startswith("response."):
                raise UpstreamMalformed("The upstream's stream does not begin as its dialect says.")
            return  # `keepalive`, and what may come
        match kind:
            case "response.output_text.delta":
                self._said(event)
                logprobs = tuple(token.to_domain() for token in event.logprobs or ()) or None
                if event.delta or logprobs:
                    events.append(TextDelta(text=event.delta or "", logprobs=logprobs))
            case "response.function_call_arguments.delta":
                self._read_arguments(event, events)
            case "response.custom_tool_call_input.delta":
                item = self._said(event)
                item.input += event.delta or ""
            case "response.refusal.delta":
                self._said(event)
                events.append(RefusalDelta(text=event.delta or ""))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._read_thought(event, kind, events)
            case "response.output_text.annotation.added":
                self._read_citation(event, events)
            case "response.output_item.added":
                if event.item is not None and event.item.type in _CALLS:
                    self._begin_call(event.output_index, event.item, events)
            case "response.output_item.done":
                if event.item is not None:
                    self._end_item(event.output_index, event.item, events)
            case _:  # what tells nothing new, of tools that the provider runs, and what may come
                pass

    def _item(self, index: int) -> _Open:
        item = self._open.get(index)
        if item is None:
            item = self._open[index] = _Open()
        return item

    def _said(self, event: _Event) -> _Open:
        item = self._item(event.output_index)
        item.said = True
        return item

    def _read_response(self, kind: str, response: _Response, events: list[Event]) -> None:
        if kind == "response.failed" or response.status == "failed":
            raise refusal({"error": response.error})
        ends = kind in ("response.completed", "response.incomplete")
        if not self._started and (ends or kind in _STARTS):
            self._started = True
            created = None if response.created_at is None else int(response.created_at)
            tier = None if response.service_tier is None else Extra(NAME, {"service_tier": response.service_tier})
            events.append(Started(id=response.id, model=response.model, created=created, extra=tier))
        if not ends:
            return
        for index, item in enumerate(response.output or ()):
            self._end_item(index, item, events)
        reason = None if response.incomplete_details is None else response.incomplete_details.reason
        status = "incomplete" if kind == "response.incomplete" else "completed"
        untold = unknown_finish(status, reason)
        finish = finish_of(status, reason, calls=self._calls > 0)
        events.append(Finished(reason=finish, extra=Extra(NAME, untold) if untold else None))
        if response.usage is not None:
            events.append(Used(usage=response.usage.to_domain()))
        self._done = True

    def _begin_call(self, index: int, item: _Item, events: list[Event]) -> None:
        opened = self._item(index)
        if opened.call is not None:
            return
        identity = item.call_id or item.id
        if not item.name or not identity:
            raise UpstreamMalformed("The upstream began a tool call without a name or an id.")
        opened.call = self._calls
        opened.custom = item.type == "custom_tool_call"
        self._calls += 1
        name = item.name if item.namespace is None else in_namespace(item.namespace, item.name)
        events.append(ToolCallStarted(call=opened.call, id=identity, name=name))

    def _read_arguments(self, event: _Event, events: list[Event]) -> None:
        item = self._said(event)
        if item.call is None:
            raise UpstreamMalformed("The upstream sent arguments of a call that has not begun.")
        if event.delta:
            events.append(ToolCallDelta(call=item.call, arguments=event.delta))

    def _read_thought(self, event: _Event, kind: str, events: list[Event]) -> None:
        item = self._said(event)
        item.shown = item.shown or kind
        if item.shown != kind or not event.delta:
            return
        text = event.delta
        if event.summary_index > item.paragraph:
            item.paragraph = event.summary_index
            text = BREAK + text
        events.append(ReasoningDelta(text=text))

    def _read_citation(self, event: _Event, events: list[Event]) -> None:
        if not isinstance(event.annotation, dict):
            return
        try:
            events.append(Cited(citation=decode_citation(Fields(event.annotation))))
        except RequestError as exc:
            raise UpstreamMalformed("The upstream sent a citation that is not of its dialect.") from exc

    def _end_item(self, index: int, item: _Item, events: list[Event]) -> None:
        """What an item holds that its pieces have not told. It comes at its own end and again at the answer's."""
        opened = self._item(index)
        if opened.ended:
            return
        opened.ended = True
        match item.type:
            case "function_call" | "custom_tool_call":
                self._begin_call(index, item, events)
                assert opened.call is not None
                if opened.custom:
                    arguments = as_arguments(opened.input if item.input is None else item.input)
                else:
                    arguments = "" if opened.said else _text(item.arguments)
                if arguments:
                    events.append(ToolCallDelta(call=opened.call, arguments=arguments))
            case "message" if not opened.said:
                for piece in item.content or ():
                    if piece.refusal:
                        events.append(RefusalDelta(text=piece.refusal))
                    elif piece.text:
                        events.append(TextDelta(text=piece.text))
            case "reasoning":
                text = "" if opened.said else _thought(item)
                if text or item.encrypted_content is not None:
                    minted_by = None if item.encrypted_content is None else NAME
                    events.append(ReasoningDelta(text=text, encrypted=item.encrypted_content, minted_by=minted_by))
            case _:
                pass


def _text(arguments: Json) -> str:
    """The arguments of a call of a function."""
    if not isinstance(arguments, str | None):
        raise UpstreamMalformed("The upstream sent arguments of a call that are no text.")
    return arguments or ""


def _thought(item: _Item) -> str:
    thought = "".join(piece.text or "" for piece in item.content or ())
    return thought or BREAK.join(piece.text or "" for piece in item.summary or ())
