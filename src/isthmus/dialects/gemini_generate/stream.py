"""Streamed answers, both ways: each event is a whole answer in itself, and nothing marks the end.

Source: <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.fields import merged
from isthmus.dialects.gemini_generate import faults
from isthmus.dialects.gemini_generate.answers import carried, encode_finish, encode_logprobs
from isthmus.dialects.gemini_generate.completion import decode
from isthmus.dialects.gemini_generate.parts import encode_part
from isthmus.dialects.gemini_generate.usage import from_domain
from isthmus.domain.errors import IsthmusError, ProviderError, StreamInterrupted, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Choice,
    Completion,
    Event,
    Finished,
    Image,
    Json,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage

# --------------------------------------------------------------------------------------------------- decoding


@dataclass(slots=True)
class _OpenChoice:
    calls: int = 0
    finished: bool = False


class Decoder:
    """One upstream stream."""

    __slots__ = ("_choices", "_failure", "_frames", "_started")

    def __init__(self) -> None:
        self._frames = sse.Frames()
        self._choices: dict[int, _OpenChoice] = {}
        self._started = False
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
        if not self._choices or not all(choice.finished for choice in self._choices.values()):
            raise StreamInterrupted("The upstream ended the stream before the end of the answer.")
        return events

    def _events(self, frames: list[sse.Frame]) -> list[Event]:
        """Events before an error are not lost: it is raised with the next call then."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        try:
            for frame in frames:
                self._read(_answer(frame.data), events)
        except ProviderError as exc:
            if not events:
                raise
            self._failure = exc
        return events

    def _read(self, answer: Completion, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(id=answer.id, model=answer.model))
        for choice in answer.choices:
            self._read_choice(choice, answer.id, events)
        if answer.usage is not None:
            events.append(Used(usage=answer.usage))

    def _read_choice(self, choice: Choice, identity: str, events: list[Event]) -> None:
        state = self._choices.setdefault(choice.index, _OpenChoice())
        index, logprobs = choice.index, choice.logprobs
        for part in choice.parts:
            match part:
                case Text():
                    if part.text or part.signature is not None:
                        events.append(
                            TextDelta(text=part.text, choice=index, logprobs=logprobs, signature=part.signature)
                        )
                        logprobs = None
                case Reasoning():
                    events.append(ReasoningDelta(text=part.text, choice=index, signature=part.signature))
                case ToolCall():
                    # Ids made for calls without one count the parts of an answer; here the answer comes in many.
                    made = part.id.startswith(f"call_{identity}_{index}_")
                    name = f"call_{identity}_{index}_{state.calls}" if made else part.id
                    events += [
                        ToolCallStarted(
                            call=state.calls, id=name, name=part.name, choice=index, signature=part.signature
                        ),
                        ToolCallDelta(call=state.calls, arguments=part.arguments, choice=index),
                    ]
                    state.calls += 1
                case Image():
                    raise UpstreamMalformed("The upstream sent an image in a stream, which was not asked for.")
                case _:
                    raise UpstreamMalformed("The upstream sent a part that an answer cannot have.")
        if choice.finish is not None and not state.finished:
            state.finished = True
            reason = "tool_calls" if choice.finish == "stop" and state.calls else choice.finish
            events.append(Finished(reason=reason, choice=index, extra=choice.extra))


def _answer(data: bytes) -> Completion:
    """One event. Unlike a whole answer, it may have no candidate: the last may tell usage alone."""
    try:
        content: Json = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamMalformed("The upstream sent a stream event that is not valid JSON.") from exc
    if isinstance(content, dict) and not content.get("candidates") and not content.keys() & {"promptFeedback", "error"}:
        if "usageMetadata" not in content:
            raise UpstreamMalformed("The upstream sent a stream event that is not of its dialect.")
        whole = decode(msgspec.json.encode(content | {"candidates": [{}]}))
        return Completion(id=whole.id, model=whole.model, choices=(), usage=whole.usage)
    return decode(data)


# --------------------------------------------------------------------------------------------------- encoding


@dataclass(slots=True)
class _Call:
    """A call whose arguments are still coming: this dialect says calls whole."""

    started: ToolCallStarted
    arguments: list[str] = field(default_factory=list)


class Encoder:
    """One stream to a client. The reasons to finish wait for the usage, which comes last and goes out with them."""

    __slots__ = ("_calls", "_finished", "_head", "_usage")

    def __init__(self) -> None:
        self._head: dict[str, Json] = {}
        self._calls: dict[tuple[int, int], _Call] = {}
        self._finished: list[Finished] = []
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                said = self._flush(event.choice)
                part = encode_part(Text(text=event.text, signature=event.signature), "candidates", {})
                candidate: dict[str, Json] = {"content": {"role": "model", "parts": [part]}, "index": event.choice}
                if event.logprobs is not None:
                    candidate["logprobsResult"] = encode_logprobs(event.logprobs)
                return said + self._frame(candidate)
            case RefusalDelta():  # a refusal in the model's own words is text here
                return self._flush(event.choice) + self._part({"text": event.text}, event.choice)
            case ReasoningDelta():
                if event.encrypted is not None:
                    raise Unsupported("Encrypted reasoning cannot be said in this dialect.", param="reasoning")
                part = encode_part(Reasoning(text=event.text, signature=event.signature), "candidates", {})
                return self._flush(event.choice) + self._part(part, event.choice)
            case ToolCallStarted():
                self._calls[event.choice, event.call] = _Call(event)
                return b""
            case ToolCallDelta():
                call = self._calls.get((event.choice, event.call))
                if call is None:
                    raise UpstreamMalformed("The upstream mixed the arguments of a tool call with other content.")
                call.arguments.append(event.arguments)
                return b""
            case Started():
                self._head = {"modelVersion": event.model, "responseId": event.id} | dict(carried(event.extra))
                return b""
            case Finished():
                self._finished.append(event)
                return self._flush(event.choice)
            case Used():
                self._usage = event.usage
                return b""

    def close(self) -> bytes:
        said = b""
        for at, end in enumerate(self._finished):
            candidate: dict[str, Json] = {
                "content": {"role": "model", "parts": []},
                "index": end.choice,
                "finishReason": encode_finish(end.reason, end.extra),
            }
            last = at == len(self._finished) - 1
            said += self._frame(merged(candidate, carried(end.extra)), self._usage if last else None)
        return said

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    def _flush(self, choice: int) -> bytes:
        """The calls of a choice, now that something else follows them."""
        said = b""
        for key in [key for key in self._calls if key[0] == choice]:
            call = self._calls.pop(key)
            begun = call.started
            whole = ToolCall(id=begun.id, name=begun.name, arguments="".join(call.arguments), signature=begun.signature)
            said += self._part(encode_part(whole, "candidates", {}), choice)
        return said

    def _part(self, part: dict[str, Json], choice: int) -> bytes:
        return self._frame({"content": {"role": "model", "parts": [part]}, "index": choice})

    def _frame(self, candidate: dict[str, Json], usage: Usage | None = None) -> bytes:
        content: dict[str, Json] = {"candidates": [candidate]} | self._head
        if usage is not None:
            content["usageMetadata"] = from_domain(usage)
        return sse.frame(msgspec.json.encode(content))
