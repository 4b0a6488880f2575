"""Streamed answers, both ways. Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>."""

from __future__ import annotations

from typing import Literal

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.anthropic_messages import faults
from isthmus.dialects.anthropic_messages.completion import carried, decode_stop, encode_stop, untold
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.anthropic_messages.usage import WireUsage, from_domain
from isthmus.dialects.fields import merged
from isthmus.domain.errors import IsthmusError, ProviderError, StreamInterrupted, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
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

    @property
    def signature(self) -> str | None:
        return None if self.google is None else self.google.thought_signature


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
    extra_content: _ExtraContent | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
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


class Decoder:
    """One upstream stream."""

    __slots__ = ("_calls", "_count", "_done", "_failure", "_finished", "_frames", "_started", "_usage")

    def __init__(self) -> None:
        self._frames = sse.Frames()
        self._calls: dict[int, _OpenCall] = {}
        self._count = 0
        self._started = self._finished = self._done = False
        self._usage = WireUsage()
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        return self._events(self._frames.feed(data))

    def close(self) -> list[Event]:
        try:
            events = self._events(self._frames.close())
        except UpstreamMalformed as exc:  # an event that lacks its end
            raise StreamInterrupted("The upstream ended the stream within an event.") from exc
        if self._failure is not None:
            raise self._failure
        if not self._done:
            raise StreamInterrupted("The upstream ended the stream before the end of the answer.")
        return events

    def _events(self, frames: list[sse.Frame]) -> list[Event]:
        """Events before an error are not lost: it is raised with the next call then."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        try:
            for frame in frames:
                if self._done:
                    break
                self._read(frame.data, events)
        except ProviderError as exc:
            if not events:
                raise
            self._failure = exc
        return events

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

    def _read_start(self, event: _Event, events: list[Event]) -> None:
        block = event.content_block
        if block is None or not self._started:
            raise UpstreamMalformed("The upstream began a block that is not there, or before its message.")
        match block.type:
            case "text":
                if block.text:
                    events.append(TextDelta(text=block.text))
            case "thinking":
                if block.thinking or block.signature:
                    events.append(ReasoningDelta(text=block.thinking, signature=block.signature or None))
            case "redacted_thinking":
                events.append(ReasoningDelta(encrypted=block.data))
            case "tool_use":
                call = self._calls[event.index] = _OpenCall(self._count)
                self._count += 1
                signature = None if block.extra_content is None else block.extra_content.signature
                events.append(ToolCallStarted(call=call.number, id=block.id, name=block.name, signature=signature))
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
                signature = None if delta.extra_content is None else delta.extra_content.signature
                events.append(TextDelta(text=delta.text, signature=signature))
            case "thinking_delta":
                events.append(ReasoningDelta(text=delta.thinking))
            case "signature_delta":
                events.append(ReasoningDelta(signature=delta.signature))
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
        delta = event.delta
        if delta is not None and delta.stop_reason is not None and not self._finished:
            self._finished = True
            more = untold(delta.stop_reason)
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


# --------------------------------------------------------------------------------------------------- encoding


def _frame(content: dict[str, Json]) -> bytes:
    return sse.frame(_encode(content), content["type"].encode())


class Encoder:
    """One stream to a client: blocks one after the other, usage with the reason to stop at the end."""

    __slots__ = ("_call", "_finished", "_index", "_open", "_usage")

    def __init__(self) -> None:
        self._index = -1
        self._open: Literal["text", "thinking", "tool_use"] | None = None
        self._call = -1
        self._usage = Usage()
        self._finished: Finished | None = None

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                delta: dict[str, Json] = {"type": "text_delta", "text": event.text}
                if event.signature is not None:
                    delta["extra_content"] = {"google": {"thought_signature": event.signature}}
                return self._only_choice(event.choice) + self._block("text", {"text": ""}) + self._delta(delta)
            case RefusalDelta():  # a refusal in the model's own words is text here
                delta = {"type": "text_delta", "text": event.text}
                return self._only_choice(event.choice) + self._block("text", {"text": ""}) + self._delta(delta)
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
        return self._stop() + _frame(merged(said, {"delta": carried(end.extra)})) + _frame({"type": "message_stop"})

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    def _only_choice(self, choice: int) -> bytes:
        if choice:
            raise Unsupported(f"An answer has exactly one choice in {NAME}.", param="n")
        return b""

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
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

    def _delta(self, delta: dict[str, Json]) -> bytes:
        return _frame({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        if event.encrypted is not None:
            begun = self._begin({"type": "redacted_thinking", "data": event.encrypted})
            return begun + _frame({"type": "content_block_stop", "index": self._index})
        said = self._block("thinking", {"thinking": "", "signature": ""})
        if event.text:
            said += self._delta({"type": "thinking_delta", "thinking": event.text})
        if event.signature is not None:
            said += self._delta({"type": "signature_delta", "signature": event.signature}) + self._stop()
        return said

    def _call_started(self, event: ToolCallStarted) -> bytes:
        block: dict[str, Json] = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        if event.signature is not None:
            block["extra_content"] = {"google": {"thought_signature": event.signature}}
        begun = self._begin(block)
        self._open, self._call = "tool_use", event.call
        return begun


def _started(event: Started) -> bytes:
    message: dict[str, Json] = {
        "id": event.id,
        "type": "message",
        "role": "assistant",
        "model": event.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    return _frame({"type": "message_start", "message": merged(message, carried(event.extra))})
