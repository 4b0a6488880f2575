"""Streamed answers, both ways: each event is a whole answer in itself, and nothing marks the end.

Source: <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec
from typing_extensions import override

from isthmus.dialects import sse
from isthmus.dialects.arriving import FramedDecoder
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.dialect import UsageWatch
from isthmus.dialects.fields import merged
from isthmus.dialects.gemini_generate import faults
from isthmus.dialects.gemini_generate.answers import carried, encode_finish, encode_logprobs
from isthmus.dialects.gemini_generate.citations import OWN, decode_citations, encode_citations
from isthmus.dialects.gemini_generate.completion import decode, own_metadata, tells_citations
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.parts import answer_part
from isthmus.dialects.gemini_generate.usage import from_domain
from isthmus.domain.errors import IsthmusError, UpstreamMalformed
from isthmus.domain.message import (
    Choice,
    Citation,
    Cited,
    Completion,
    Event,
    Extra,
    Finished,
    Json,
    Part,
    Reasoning,
    ReasoningDelta,
    Refusal,
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
    text: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    extra: dict[str, Json] = field(default_factory=dict)
    finished: Finished | None = None


class Decoder(FramedDecoder):
    """One upstream stream.

    That a choice is complete is told when the stream has ended: nothing but its end says that no more will come, and
    some servers give every event a reason to finish.
    """

    __slots__ = ("_choices", "_started", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _OpenChoice] = {}
        self._started = False
        self._usage: Usage | None = None

    @override
    def close(self) -> list[Event]:
        events = super().close()
        for index, choice in sorted(self._choices.items()):
            assert choice.finished is not None
            events.append(replace(choice.finished, choice=index, extra=_extra(choice)))
        if self._usage is not None:
            events.append(Used(usage=self._usage))
        return events

    @override
    def _is_whole(self) -> bool:
        return bool(self._choices) and all(choice.finished is not None for choice in self._choices.values())

    @override
    def _read(self, data: bytes, events: list[Event]) -> None:
        answer = _answer(data)
        if not self._started:
            self._started = True
            events.append(Started(id=answer.id, model=answer.model))
        for choice in answer.choices:
            self._read_choice(choice, answer.id, events)
        if answer.usage is not None and answer.usage != self._usage:
            self._usage = answer.usage
            events.append(Used(usage=answer.usage))

    def _read_choice(self, choice: Choice, identity: str, events: list[Event]) -> None:
        state = self._choices.setdefault(choice.index, _OpenChoice())
        index, logprobs = choice.index, choice.logprobs
        for part in choice.parts:
            match part:
                case Text():
                    if part.text or part.signature is not None or logprobs is not None:
                        state.text.append(part.text)
                        events.append(
                            TextDelta(
                                text=part.text,
                                choice=index,
                                logprobs=logprobs,
                                signature=part.signature,
                                minted_by=part.minted_by,
                            )
                        )
                        logprobs = None
                case Reasoning():
                    events.append(
                        ReasoningDelta(
                            text=part.text,
                            choice=index,
                            signature=part.signature,
                            encrypted=part.encrypted,
                            minted_by=part.minted_by,
                        )
                    )
                case ToolCall():
                    events += _call(part, state.calls, identity, index)
                    state.calls += 1
                case _:
                    raise UpstreamMalformed("The upstream sent an image or sound in a stream, which was not asked for.")
        if choice.extra is not None:
            state.extra |= choice.extra.fields
        events += _new_citations(choice, state)
        if choice.finish is not None:
            _finish(choice, state)


def _call(part: ToolCall, number: int, identity: str, index: int) -> tuple[Event, Event]:
    # Ids made for calls without one count the parts of an answer; here the answer comes in many.
    made = part.id.startswith(f"call_{identity}_{index}_")
    return (
        ToolCallStarted(
            call=number,
            id=f"call_{identity}_{index}_{number}" if made else part.id,
            name=part.name,
            choice=index,
            signature=part.signature,
            minted_by=part.minted_by,
        ),
        ToolCallDelta(call=number, arguments=part.arguments, choice=index),
    )


def _new_citations(choice: Choice, state: _OpenChoice) -> list[Event]:
    """Citations not told yet: each event repeats what was found so far."""
    if not tells_citations(choice.extra):
        return []
    found = decode_citations(state.extra, ["".join(state.text)])
    new = [one for one in found if one not in state.citations]
    state.citations += new
    return [Cited(citation=one, choice=choice.index) for one in new]


def _finish(choice: Choice, state: _OpenChoice) -> None:
    """Of two reasons to finish, the one that says something went wrong counts."""
    assert choice.finish is not None
    reason = "tool_calls" if choice.finish == "stop" and state.calls else choice.finish
    if state.finished is None or state.finished.reason in ("stop", "tool_calls"):
        state.finished = Finished(reason=reason)


def _extra(choice: _OpenChoice) -> Extra | None:
    rest = choice.extra
    said = encode_citations(choice.citations, ["".join(choice.text)])
    if said and own_metadata(rest) == said:
        rest = {name: value for name, value in rest.items() if name not in OWN}
    return Extra(NAME, rest) if rest else None


def _answer(data: bytes) -> Completion:
    """One event. Unlike a whole answer, it may have no candidate: the last may tell usage alone."""
    try:
        content: Json = msgspec.json.decode(data)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream sent a stream event that is not valid JSON.") from exc
    if isinstance(content, dict) and not content.get("candidates") and not content.keys() & {"promptFeedback", "error"}:
        if "usageMetadata" not in content:
            raise UpstreamMalformed("The upstream sent a stream event that is not of its dialect.")
        alone = decode(msgspec.json.encode(content | {"candidates": [{}]}), piece=True)
        return Completion(id=alone.id, model=alone.model, choices=(), usage=alone.usage)
    return decode(data, piece=True)


# --------------------------------------------------------------------------------------------------- encoding


class Wrapping(Protocol):
    """How the answers that make up a stream follow one another."""

    def piece(self, answer: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class Events:
    """Server-sent events: `alt=sse`."""

    def piece(self, answer: bytes) -> bytes:
        return sse.frame(answer)

    def end(self) -> bytes:
        return b""


class Array:
    """One JSON array, whose items come as they are made: what Google sends where `alt=sse` is not said."""

    def __init__(self) -> None:
        self._begun = False

    def piece(self, answer: bytes) -> bytes:
        before = b",\r\n" if self._begun else b"["
        self._begun = True
        return before + answer

    def end(self) -> bytes:
        return b"]" if self._begun else b"[]"


@dataclass(slots=True)
class _Call:
    """A call whose arguments are still coming: this dialect says calls whole."""

    started: ToolCallStarted
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What a choice has said so far, as far as its end must tell of it."""

    text: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    broken_call: bool = False


class Encoder:
    """One stream to a client.

    Calls wait until the choice has finished, so that what is said between their arguments does not matter. The reasons
    to finish wait for the usage, which comes last and goes out with them.
    """

    __slots__ = ("_calls", "_finished", "_head", "_said", "_usage", "_wrapping")

    def __init__(self, wrapping: Wrapping) -> None:
        self._wrapping = wrapping
        self._head: dict[str, Json] = {}
        self._calls: dict[tuple[int, int], _Call] = {}
        self._finished: list[Finished] = []
        self._said: dict[int, _Said] = {}
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                return self._text(event)
            case RefusalDelta():  # a refusal in the model's own words is text here
                return self._part(Refusal(text=event.text), event.choice)
            case ReasoningDelta():
                thought = Reasoning(
                    text=event.text,
                    signature=event.signature,
                    encrypted=event.encrypted,
                    minted_by=event.minted_by,
                )
                return self._part(thought, event.choice)
            case ToolCallStarted():
                self._calls[event.choice, event.call] = _Call(event)
                return b""
            case ToolCallDelta():
                call = self._calls.get((event.choice, event.call))
                if call is None:
                    raise UpstreamMalformed("The upstream went on with a tool call that never began.")
                call.arguments.append(event.arguments)
                return b""
            case Cited():
                self._of(event.choice).citations.append(event.citation)
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
        said = self._finish_the_rest()
        for at, end in enumerate(self._finished):
            choice = self._of(end.choice)
            candidate: dict[str, Json] = {
                # A part without words: Google's own last events have one, and clients take the last part unasked.
                "content": {"role": "model", "parts": [{"text": ""}]},
                "index": end.choice,
                "finishReason": encode_finish(end.reason, end.extra, broken_call=choice.broken_call),
            }
            if not tells_citations(end.extra):
                candidate |= encode_citations(choice.citations, ["".join(choice.text)])
            last = at == len(self._finished) - 1
            said += self._frame(merged(candidate, carried(end.extra)), self._usage if last else None)
        return said + self._wrapping.end()

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        return self._wrapping.piece(faults.encode_error(error, request_id)) + self._wrapping.end()

    def _finish_the_rest(self) -> bytes:
        """Finish what ended without a reason, as some servers let it: a client waits for one."""
        told = {end.choice for end in self._finished}
        open_ = {*self._said, *(choice for choice, _ in self._calls)} or {0}
        return b"".join(self.encode(Finished(reason="other", choice=choice)) for choice in sorted(open_ - told))

    def _of(self, choice: int) -> _Said:
        return self._said.setdefault(choice, _Said())

    def _text(self, event: TextDelta) -> bytes:
        self._of(event.choice).text.append(event.text)
        text = Text(text=event.text, signature=event.signature, minted_by=event.minted_by)
        candidate = _candidate(text, event.choice)
        if event.logprobs is not None:
            candidate["logprobsResult"] = encode_logprobs(event.logprobs)
        return self._frame(candidate)

    def _flush(self, choice: int) -> bytes:
        """The calls of a choice, now that they are whole."""
        said = b""
        for key in sorted(key for key in self._calls if key[0] == choice):
            call = self._calls.pop(key)
            begun = call.started
            whole = ToolCall(
                id=begun.id,
                name=begun.name,
                arguments="".join(call.arguments),
                signature=begun.signature,
                minted_by=begun.minted_by,
            )
            if answer_part(whole) is None:
                self._of(choice).broken_call = True
            else:
                said += self._part(whole, choice)
        return said

    def _part(self, part: Part, choice: int) -> bytes:
        self._of(choice)
        return self._frame(_candidate(part, choice))

    def _frame(self, candidate: dict[str, Json], usage: Usage | None = None) -> bytes:
        content: dict[str, Json] = {"candidates": [candidate]} | self._head
        if usage is not None:
            content["usageMetadata"] = from_domain(usage)
        return self._wrapping.piece(msgspec.json.encode(content))


def _candidate(part: Part, choice: int) -> dict[str, Json]:
    return {"content": {"role": "model", "parts": [answer_part(part)]}, "index": choice}


# -------------------------------------------------------------------------------------------- same on both sides


class ArrayPassing:
    """Fulfils `UsageWatch`: an offer's events pass to a client that wants one array."""

    def __init__(self, events: UsageWatch) -> None:
        self._events = events
        self._frames = sse.Frames()
        self._array = Array()

    def feed(self, data: bytes) -> bytes:
        return self._items(self._frames.feed(self._events.feed(data)))

    def close(self) -> bytes:
        rest = self._frames.feed(self._events.close())
        return self._items([*rest, *self._frames.close()]) + (self._array.end() if self.complete else b"")

    def _items(self, frames: list[sse.Frame]) -> bytes:
        return b"".join(self._array.piece(frame.data) for frame in frames)

    @property
    def usage(self) -> Usage | None:
        return self._events.usage

    @property
    def complete(self) -> bool:
        return self._events.complete
