"""Streamed answers, both ways. Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import msgspec
from typing_extensions import override

from isthmus.dialects import sse
from isthmus.dialects.anthropic_messages import faults
from isthmus.dialects.anthropic_messages.citations import decode_citation, encode_citation
from isthmus.dialects.anthropic_messages.completion import carried, decode_stop, encode_stop, new_id, untold
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.anthropic_messages.thinking import write_signature
from isthmus.dialects.anthropic_messages.usage import WireUsage, from_domain
from isthmus.dialects.arriving import FramedDecoder
from isthmus.dialects.fields import merged
from isthmus.dialects.google import GoogleProof, encode_proof, read_proof
from isthmus.dialects.proofs import marked
from isthmus.dialects.untold import untold_citation
from isthmus.domain.errors import (
    InvalidRequest,
    IsthmusError,
    Unsupported,
    UpstreamMalformed,
)
from isthmus.domain.message import (
    Citation,
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
from isthmus.domain.usage import Usage

_encode = msgspec.json.encode


# --------------------------------------------------------------------------------------------------- decoding


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _ExtraContent(msgspec.Struct):
    google: _Google | None = None


_NO_PROOF = GoogleProof()


def _proof(content: _ExtraContent | None) -> GoogleProof:
    return read_proof(None if content is None or content.google is None else content.google.thought_signature)


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: WireUsage | None = None


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Json] = {}
    citations: list[Json] | None = None
    extra_content: _ExtraContent | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: Json = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Json = None
    extra_content: _ExtraContent | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None
    error: Json = None


_event = msgspec.json.Decoder(_Event)


class _OpenCall:
    """A tool call whose block is open."""

    __slots__ = ("number", "said")

    def __init__(self, number: int) -> None:
        self.number = number
        self.said = False


class Decoder(FramedDecoder):
    """One upstream stream."""

    __slots__ = (
        "_block",
        "_calls",
        "_cited",
        "_count",
        "_finished",
        "_said",
        "_started",
        "_usage",
    )

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[int, _OpenCall] = {}
        self._count = 0
        self._started = self._finished = False
        self._usage = WireUsage()
        self._said = self._block = 0
        """Characters of text so far, and those before the block of text that is open."""
        self._cited: list[Citation] = []
        """What the open block of text rests on, from its first character."""

    @override
    def _read(self, data: bytes, events: list[Event]) -> None:
        try:
            event = _event.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise UpstreamMalformed("The upstream sent a stream event that is not of its dialect.") from exc
        match event.type:
            case "content_block_delta":
                self._read_delta(event, events)
            case "content_block_start":
                self._read_start(event, events)
            case "content_block_stop":
                self._cite(events)
                call = self._calls.pop(event.index, None)
                if call is not None and not call.said:  # a tool without arguments: its `input` is the empty object
                    events.append(ToolCallDelta(call=call.number, arguments="{}"))
            case "message_start":
                if event.message is None or self._started:
                    raise UpstreamMalformed("The upstream's stream does not begin as its dialect says.")
                self._started = True
                events.append(Started(id=event.message.id, model=event.message.model))
                self._count_usage(event.message.usage, events)
            case "message_delta":
                self._read_end(event, events)
            case "message_stop":
                if not self._finished:
                    raise UpstreamMalformed("The upstream ended its answer without a reason.")
                self._done = True
            case "error":
                raise faults.refusal({"error": event.error})
            case _:  # `ping`, and what may come: clients are asked to pass over types they do not know
                pass

    def _count_usage(self, told: WireUsage | None, events: list[Event]) -> None:
        if told is not None:
            self._usage = told.after(self._usage)
            events.append(Used(usage=self._usage.to_domain()))

    def _cite(self, events: list[Event]) -> None:
        """Tell what the block of text that ends here rests on: only now is it known how far it goes."""
        events += (Cited(citation=replace(citation, end=self._said)) for citation in self._cited)
        self._cited = []

    def _read_text(self, text: str, events: list[Event], proof: GoogleProof = _NO_PROOF) -> None:
        self._said += len(text)
        if text or proof.signature is not None:
            events.append(TextDelta(text=text, signature=proof.signature, minted_by=proof.minted_by))

    def _read_citation(self, told: Json) -> None:
        try:
            citation = decode_citation(told, "citation")
        except InvalidRequest as exc:
            raise UpstreamMalformed(f"The upstream sent a citation that is none: {exc.message}") from exc
        self._cited.append(replace(citation, start=self._block))

    def _read_start(self, event: _Event, events: list[Event]) -> None:
        block = event.content_block
        if block is None or not self._started:
            raise UpstreamMalformed("The upstream began a block that is not there, or before its message.")
        match block.type:
            case "text":
                self._cite(events)
                self._block = self._said
                self._read_text(block.text, events)
                for citation in block.citations or ():
                    self._read_citation(citation)
            case "thinking":
                if block.thinking or block.signature:
                    events.append(_thought(block.thinking, block.signature))
            case "redacted_thinking":
                events.append(ReasoningDelta(encrypted=block.data, minted_by=NAME))
            case "tool_use":
                call = self._calls[event.index] = _OpenCall(self._count)
                self._count += 1
                signature, minted_by = _proof(block.extra_content)
                events.append(
                    ToolCallStarted(
                        call=call.number, id=block.id, name=block.name, signature=signature, minted_by=minted_by
                    )
                )
                if block.input:
                    call.said = True
                    events.append(ToolCallDelta(call=call.number, arguments=_encode(block.input).decode()))
            case _:
                raise UpstreamMalformed("The upstream sent a block of a type that was not asked for.")

    def _read_delta(self, event: _Event, events: list[Event]) -> None:
        delta = event.delta
        if delta is None or not self._started:
            raise UpstreamMalformed("The upstream sent a delta without content, or before its message.")
        match delta.type:
            case "text_delta":
                self._read_text(delta.text, events, _proof(delta.extra_content))
            case "citations_delta":
                self._read_citation(delta.citation)
            case "thinking_delta":
                events.append(ReasoningDelta(text=delta.thinking))
            case "signature_delta":
                events.append(_thought("", delta.signature))
            case "input_json_delta":
                call = self._calls.get(event.index)
                if call is None:
                    raise UpstreamMalformed("The upstream sent arguments of a call that has not begun.")
                if delta.partial_json:
                    call.said = True
                    events.append(ToolCallDelta(call=call.number, arguments=delta.partial_json))
            case _:
                raise UpstreamMalformed("The upstream sent a delta of a type that was not asked for.")

    def _read_end(self, event: _Event, events: list[Event]) -> None:
        self._cite(events)
        delta = event.delta
        if delta is not None and delta.stop_reason is not None and not self._finished:
            self._finished = True
            more = untold(delta.stop_reason)
            if details := (self._usage if event.usage is None else event.usage.after(self._usage)).details():
                more["usage"] = details
            if delta.stop_details is not None:
                more["stop_details"] = delta.stop_details
            events.append(
                Finished(
                    reason=decode_stop(delta.stop_reason),
                    stop_sequence=delta.stop_sequence,
                    extra=Extra(NAME, more) if more else None,
                )
            )
        self._count_usage(event.usage, events)


def _thought(text: str, signature: str) -> ReasoningDelta:
    return ReasoningDelta(text=text, signature=signature or None, minted_by=NAME if signature else None)


# --------------------------------------------------------------------------------------------------- encoding


def _frame(content: dict[str, Json]) -> bytes:
    return sse.frame(_encode(content), content["type"].encode())


class Encoder:
    """One stream to a client: blocks one after the other, usage with the reason to stop at the end."""

    __slots__ = ("_call", "_cited", "_finished", "_index", "_open", "_untold", "_usage")

    def __init__(self) -> None:
        self._index = -1
        self._open: Literal["text", "thinking", "tool_use"] | None = None
        self._call = -1
        self._cited = False
        """The open block of text has a citation: what is said next does not rest on it."""
        self._untold: dict[str, list[Json]] = {}
        """Citations that cannot be said, by dialect."""
        self._usage = Usage()
        self._finished: Finished | None = None

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                delta: dict[str, Json] = {"type": "text_delta", "text": event.text}
                delta |= encode_proof(event.signature, event.minted_by)
                return self._only_choice(event.choice) + self._text(delta)
            case RefusalDelta():  # a refusal in the model's own words is text here
                return self._only_choice(event.choice) + self._text({"type": "text_delta", "text": event.text})
            case Cited():
                return self._only_choice(event.choice) + self._cite(event.citation)
            case ReasoningDelta():
                return self._only_choice(event.choice) + self._reasoning(event)
            case ToolCallStarted():
                return self._only_choice(event.choice) + self._call_started(event)
            case ToolCallDelta():
                if self._open != "tool_use" or event.call != self._call:
                    raise UpstreamMalformed("The upstream mixed the arguments of several tool calls.")
                return self._delta({"type": "input_json_delta", "partial_json": event.arguments})
            case Started():
                return _started(event)
            case Finished():
                self._finished = event
                return self._only_choice(event.choice) + self._stop()
            case Used():
                self._usage = event.usage
                return b""

    def close(self) -> bytes:
        end = self._finished or Finished(reason="other")
        said: dict[str, Json] = {
            "type": "message_delta",
            "delta": {"stop_reason": encode_stop(end.reason, end.extra), "stop_sequence": end.stop_sequence},
            "usage": from_domain(self._usage),
        }
        more = dict(carried(end.extra))
        if isinstance(usage := more.pop("usage", None), dict):
            said["usage"] = merged(msgspec.to_builtins(said["usage"]), usage)
        if self._untold:
            cited = {dialect: {"citations": list(told)} for dialect, told in self._untold.items()}
            more = merged(more, {"extra_content": cited})
        return self._stop() + _frame(merged(said, {"delta": more})) + _frame({"type": "message_stop"})

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    def _only_choice(self, choice: int) -> bytes:
        if choice:
            raise Unsupported(f"An answer has exactly one choice in {NAME}.", param="n")
        return b""

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        self._open, self._cited = None, False
        return _frame({"type": "content_block_stop", "index": self._index})

    def _begin(self, block: dict[str, Json]) -> bytes:
        ended = self._stop()
        self._index += 1
        return ended + _frame({"type": "content_block_start", "index": self._index, "content_block": block})

    def _block(self, kind: Literal["text", "thinking"], empty: dict[str, Json]) -> bytes:
        """Begin a block of that kind, where none is open."""
        if self._open == kind:
            return b""
        begun = self._begin({"type": kind} | empty)
        self._open = kind
        return begun

    def _text(self, delta: dict[str, Json]) -> bytes:
        ended = self._stop() if self._cited else b""
        return ended + self._block("text", {"text": ""}) + self._delta(delta)

    def _cite(self, citation: Citation) -> bytes:
        """Say it in the block of text that rests on it; the citation of a text that is over is told at the end."""
        wire = encode_citation(citation)
        if self._open != "text" or wire is None:
            dialect, fields = untold_citation(citation)
            self._untold.setdefault(dialect, []).append(fields)
            return b""
        self._cited = True
        return self._delta({"type": "citations_delta", "citation": wire})

    def _delta(self, delta: dict[str, Json]) -> bytes:
        return _frame({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        alone = self._open != "thinking" and not event.text and event.signature is None
        if event.encrypted is not None and (alone or event.minted_by == NAME):
            data = marked(event.encrypted, event.minted_by, NAME)
            begun = self._begin({"type": "redacted_thinking", "data": data})
            return begun + _frame({"type": "content_block_stop", "index": self._index})
        said = self._block("thinking", {"thinking": "", "signature": ""})
        if event.text:
            said += self._delta({"type": "thinking_delta", "thinking": event.text})
        if event.signature is not None or event.encrypted is not None:
            signature = write_signature(event.signature, event.encrypted, event.minted_by)
            said += self._delta({"type": "signature_delta", "signature": signature}) + self._stop()
        return said

    def _call_started(self, event: ToolCallStarted) -> bytes:
        block: dict[str, Json] = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        begun = self._begin(block | encode_proof(event.signature, event.minted_by))
        self._open, self._call = "tool_use", event.call
        return begun


def _started(event: Started) -> bytes:
    message: dict[str, Json] = {
        "id": event.id or new_id(),
        "type": "message",
        "role": "assistant",
        "model": event.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    return _frame({"type": "message_start", "message": merged(message, carried(event.extra))})
