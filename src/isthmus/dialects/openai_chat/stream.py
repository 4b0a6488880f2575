"""Streamed answers, both ways. Typed structs on the way in, bytes put together on the way out: once per event."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec
from typing_extensions import override

from isthmus.dialects.arriving import FramedDecoder
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.google import GoogleProof, encode_proof, read_proof
from isthmus.dialects.openai_chat import faults
from isthmus.dialects.openai_chat.annotations import decode_annotations, encode_annotation
from isthmus.dialects.openai_chat.answers import (
    Logprobs,
    carried,
    decode_finish,
    encode_finish,
    encode_logprobs,
    unknown_finish,
)
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.openai_chat.usage import WireUsage, from_domain
from isthmus.dialects.proofs import marked
from isthmus.dialects.untold import untold_citation
from isthmus.domain.errors import InvalidRequest, IsthmusError, UpstreamMalformed
from isthmus.domain.message import (
    Cited,
    CompletionRequest,
    Event,
    Extra,
    Finished,
    Json,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage

_encode = msgspec.json.encode


# --------------------------------------------------------------------------------------------------- decoding


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _ExtraContent(msgspec.Struct):
    google: _Google | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    extra_content: _ExtraContent | None = None


class _ReasoningBlock(msgspec.Struct):
    type: str = ""
    text: str | None = None
    summary: str | None = None
    signature: str | None = None
    data: str | None = None


class _Piece(msgspec.Struct):
    text: str | None = None
    thinking: list[_Piece] | None = None


class _Delta(msgspec.Struct):
    content: str | list[_Piece] | None = None
    """A list where Mistral's models reason."""
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[_ReasoningBlock] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    annotations: Json = None
    extra_content: _ExtraContent | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    stop_reason: str | int | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Json = None
    system_fingerprint: str | None = None
    service_tier: str | None = None


_chunk = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class _Call:
    """A tool call that has begun."""

    number: int
    id: str
    begun: bool = False
    """Its name has come, and the event with it gone out."""
    waiting: str = ""
    """Arguments that came before the name."""


class _OpenChoice:
    """The state of one choice."""

    __slots__ = ("by_index", "calls", "finished", "last")

    def __init__(self) -> None:
        self.by_index: dict[int, _Call] = {}
        self.calls = 0
        self.last: _Call | None = None
        self.finished = False


class Decoder(FramedDecoder):
    """One upstream stream. What it knows beyond the domain's events, but for fingerprint and tier, is left behind."""

    __slots__ = ("_choices", "_id", "_started")

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _OpenChoice] = {}
        self._id = ""
        self._started = False

    @override
    def _is_whole(self) -> bool:
        # After `[DONE]`, or, as some servers leave that out, when every choice that began has finished.
        return self._done or (bool(self._choices) and all(choice.finished for choice in self._choices.values()))

    @override
    def _read(self, data: bytes, events: list[Event]) -> None:
        if data.startswith(b"[DONE]"):
            self._done = True
            return
        try:
            chunk = _chunk.decode(data)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream sent a stream event that is no chunk of a chat completion.") from exc
        if chunk.error:
            raise faults.refusal({"error": chunk.error})
        choices = chunk.choices
        if not self._started:
            if not chunk.id and not choices:
                return  # Azure begins with an empty chunk that tells of its filters
            self._started = True
            self._id = chunk.id or ""
            events.append(_started(chunk))
        if choices:
            for choice in choices:
                self._read_choice(choice, events)
        if chunk.usage is not None:
            events.append(Used(usage=chunk.usage.to_domain()))

    def _read_choice(self, choice: _Choice, events: list[Event]) -> None:
        index = choice.index
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _OpenChoice()
        delta = choice.delta
        logprobs = None if choice.logprobs is None else choice.logprobs.to_domain()
        if delta is not None:
            if delta.reasoning_details:
                events += _reasoning(delta, index)
            elif reasoning := delta.reasoning_content or delta.reasoning:
                events.append(ReasoningDelta(text=reasoning, choice=index))
            text = delta.content
            if isinstance(text, list):
                text = _read_pieces(text, index, events)
            signature, minted_by = _proof(delta.extra_content)
            if text or logprobs or signature:
                events.append(
                    TextDelta(
                        text=text or "", choice=index, logprobs=logprobs, signature=signature, minted_by=minted_by
                    )
                )
            if delta.annotations:
                events += _citations(delta.annotations, index)
            if delta.refusal:
                events.append(RefusalDelta(text=delta.refusal, choice=index))
            if delta.tool_calls:
                for call in delta.tool_calls:
                    self._read_call(call, index, state, events)
        if choice.finish_reason is not None and not state.finished:
            state.finished = True
            events.append(_finished(choice))

    def _read_call(self, wire: _ToolCall, index: int, state: _OpenChoice, events: list[Event]) -> None:
        call = self._call_of(wire, index, state)
        function = wire.function
        if function is None:
            return
        if function.name and not call.begun:
            call.begun = True
            signature, minted_by = _proof(wire.extra_content)
            events.append(
                ToolCallStarted(
                    call=call.number,
                    id=call.id,
                    name=function.name,
                    choice=index,
                    signature=signature,
                    minted_by=minted_by,
                )
            )
            if call.waiting:
                events.append(ToolCallDelta(call=call.number, arguments=call.waiting, choice=index))
        if function.arguments:
            if call.begun:
                events.append(ToolCallDelta(call=call.number, arguments=function.arguments, choice=index))
            else:
                call.waiting += function.arguments

    def _call_of(self, wire: _ToolCall, index: int, state: _OpenChoice) -> _Call:
        """The call a piece belongs to: by its index, save that a new id is a new call.

        Some servers leave the index out, or give every call the index 0; others repeat the id with every piece.
        """
        known = state.last if wire.index is None else state.by_index.get(wire.index)
        if known is not None and (not wire.id or wire.id == known.id):
            return known
        number = state.calls
        state.calls += 1
        call = _Call(number=number, id=wire.id or f"call_{self._id}_{index}_{number}")
        state.last = call
        state.by_index[number if wire.index is None else wire.index] = call
        return call


def _read_pieces(pieces: list[_Piece], index: int, events: list[Event]) -> str:
    """The text of the pieces; their reasoning goes to the events."""
    thoughts = "".join(thought.text or "" for piece in pieces for thought in piece.thinking or ())
    if thoughts:
        events.append(ReasoningDelta(text=thoughts, choice=index))
    return "".join(piece.text or "" for piece in pieces)


def _started(chunk: _Chunk) -> Started:
    fields: dict[str, Json] = {}
    if chunk.system_fingerprint is not None:
        fields["system_fingerprint"] = chunk.system_fingerprint
    if chunk.service_tier is not None:
        fields["service_tier"] = chunk.service_tier
    return Started(
        id=chunk.id or "",
        model=chunk.model or "",
        created=None if chunk.created is None else int(chunk.created),
        extra=Extra(NAME, fields) if fields else None,
    )


def _finished(choice: _Choice) -> Finished:
    stop_sequence = choice.stop_reason if isinstance(choice.stop_reason, str) else None
    unknown = unknown_finish(choice.finish_reason)
    return Finished(
        reason=decode_finish(choice.finish_reason, stop_sequence) or "other",
        choice=choice.index,
        stop_sequence=stop_sequence,
        extra=Extra(NAME, unknown) if unknown else None,
    )


def _reasoning(delta: _Delta, index: int) -> list[Event]:
    return [
        ReasoningDelta(
            text=block.text or block.summary or "",
            choice=index,
            signature=block.signature,
            encrypted=block.data,
            minted_by=None if block.signature is None and block.data is None else NAME,
        )
        for block in delta.reasoning_details or ()
    ]


def _citations(annotations: Json, index: int) -> list[Event]:
    try:
        citations, _ = decode_annotations(annotations, "annotations")
    except InvalidRequest as exc:
        raise UpstreamMalformed(f"The upstream sent a citation that is none: {exc.message}") from exc
    return [Cited(citation=citation, choice=index) for citation in citations]


def _proof(content: _ExtraContent | None) -> GoogleProof:
    if content is None or content.google is None:
        return _NO_PROOF
    return read_proof(content.google.thought_signature)


_NO_PROOF = GoogleProof()


# --------------------------------------------------------------------------------------------------- encoding


class Encoder:
    """One stream to a client: a chunk for each event, usage at the end where it was asked for, `[DONE]`."""

    __slots__ = ("_head", "_request", "_roles", "_said", "_usage")

    def __init__(self, request: CompletionRequest) -> None:
        self._request = request
        self._head = b""
        self._roles: set[int] = set()
        self._said: dict[int, int] = {}
        """Characters of text so far, by choice."""
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                return self._text(event)
            case ToolCallDelta():
                call: dict[str, Json] = {"index": event.call, "function": {"arguments": event.arguments}}
                return self._delta({"tool_calls": [call]}, event.choice)
            case ReasoningDelta():
                return self._reasoning(event)
            case ToolCallStarted():
                call = {
                    "index": event.call,
                    "id": event.id,
                    "type": "function",
                    "function": {"name": event.name, "arguments": ""},
                }
                call |= encode_proof(event.signature, event.minted_by)
                return self._delta({"tool_calls": [call]}, event.choice)
            case RefusalDelta():
                return self._delta({"refusal": event.text}, event.choice)
            case Cited():
                return self._cite(event)
            case Started():
                self._head = _head(event)
                return self._delta({"content": ""}, 0)
            case Finished():
                return self._finish(event)
            case Used():
                self._usage = event.usage
                return b""

    def close(self) -> bytes:
        usage = b""
        if self._request.stream_usage and self._usage is not None:
            usage = b'%s"choices":[],"usage":%s}\n\n' % (self._head, _encode(from_domain(self._usage)))
        return usage + b"data: [DONE]\n\n"

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    def _text(self, event: TextDelta) -> bytes:
        self._said[event.choice] = self._said.get(event.choice, 0) + len(event.text)
        if event.choice in self._roles and event.logprobs is None and event.signature is None:
            return b'%s"choices":[{"index":%d,"delta":{"content":%s},"finish_reason":null}]}\n\n' % (
                self._head,
                event.choice,
                _encode(event.text),
            )
        delta = {"content": event.text} | encode_proof(event.signature, event.minted_by)
        return self._delta(delta, event.choice, event.logprobs)

    def _cite(self, event: Cited) -> bytes:
        """A citation; one without an address is told beside the delta, where clients pass over it."""
        wire = encode_annotation(event.citation, start=0, end=self._said.get(event.choice, 0))
        if wire is not None:
            return self._delta({"annotations": [wire]}, event.choice)
        dialect, fields = untold_citation(event.citation)
        more = {"extra_content": {dialect: {"citations": [fields]}}}
        return self._choice({"index": event.choice, "delta": {}, "finish_reason": None} | more)

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        delta: dict[str, Json] = {"reasoning_content": event.text} if event.text else {}
        if event.signature is not None or event.encrypted is not None:
            block: dict[str, Json] = {"type": "reasoning.text" if event.encrypted is None else "reasoning.encrypted"}
            if event.text:
                block["text"] = event.text
            if event.signature is not None:
                block["signature"] = marked(event.signature, event.minted_by, NAME)
            if event.encrypted is not None:
                block["data"] = marked(event.encrypted, event.minted_by, NAME)
            delta["reasoning_details"] = [block]
        return self._delta(delta, event.choice)

    def _finish(self, event: Finished) -> bytes:
        extra = carried(event.extra)
        reason = extra.pop("finish_reason", None) if event.reason == "other" else None
        choice: dict[str, Json] = {
            "index": event.choice,
            "delta": {},
            "finish_reason": reason or encode_finish(event.reason),
        }
        if event.stop_sequence is not None:
            choice["stop_reason"] = event.stop_sequence
        return self._choice(extra | choice)

    def _delta(self, delta: dict[str, Json], index: int, logprobs: tuple[TokenLogprob, ...] | None = None) -> bytes:
        if index not in self._roles:
            self._roles.add(index)
            delta = {"role": "assistant"} | delta
        choice: dict[str, Json] = {"index": index, "delta": delta, "finish_reason": None}
        if logprobs is not None:
            choice["logprobs"] = encode_logprobs(logprobs)
        return self._choice(choice)

    def _choice(self, choice: dict[str, Json]) -> bytes:
        return b'%s"choices":[%s]}\n\n' % (self._head, _encode(choice))


def _head(event: Started) -> bytes:
    """Beginning of every chunk, up to its choices."""
    head: dict[str, Json] = {
        "id": event.id,
        "object": "chat.completion.chunk",
        "created": int(time.time()) if event.created is None else event.created,
        "model": event.model,
    }
    return b"data: %s," % _encode(carried(event.extra) | head)[:-1]
