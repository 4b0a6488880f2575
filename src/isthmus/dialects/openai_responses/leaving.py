"""Streamed answers to clients. Every event says its place in the stream and in the answer, as the API's own do."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.fields import merged
from isthmus.dialects.openai_responses import proof
from isthmus.dialects.openai_responses.completion import call_item, message_item, reasoning_item, wants_proofs
from isthmus.dialects.openai_responses.content import encode_citation
from isthmus.dialects.openai_responses.faults import stream_error
from isthmus.dialects.openai_responses.identity import item_id, response_id
from isthmus.dialects.openai_responses.logprobs import encode_logprobs
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.response import Told, carried, completed, status_of
from isthmus.dialects.openai_responses.tools import Shape, as_input, shapes_for
from isthmus.domain.errors import IsthmusError, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Cited,
    CompletionRequest,
    Event,
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


@dataclass(slots=True)
class _Part:
    """A part of the message that is open."""

    kind: str
    """`output_text` or `refusal`."""
    text: list[str] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def said(self) -> dict[str, Json]:
        text = "".join(self.text)
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        logprobs = encode_logprobs(self.logprobs)
        return {"type": "output_text", "text": text, "annotations": list(self.annotations), "logprobs": logprobs}


@dataclass(slots=True)
class _Message:
    index: int
    id: str
    content: list[Json] = field(default_factory=list)
    """The parts that are whole."""
    part: _Part | None = None


@dataclass(slots=True)
class _Thought:
    index: int
    id: str
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Call:
    index: int
    id: str
    call: str
    name: str
    shape: Shape | None
    arguments: list[str] = field(default_factory=list)


class Encoder:
    """One stream to a client.

    What is said and thought comes one after the other. Calls stay open until the end, for offers may go on with one
    when the next has begun.
    """

    __slots__ = (
        "_calls",
        "_extra",
        "_finished",
        "_number",
        "_open",
        "_output",
        "_proves_text",
        "_request",
        "_shapes",
        "_told",
        "_usage",
    )

    def __init__(self, request: CompletionRequest) -> None:
        self._request = request
        self._shapes = shapes_for(request)
        self._proves_text = wants_proofs(request)
        self._told: Told | None = None
        self._extra: dict[str, Json] = {}
        self._number = 0
        self._output: list[dict[str, Json] | None] = []
        """The items; None: not yet whole."""
        self._open: _Message | _Thought | None = None
        self._calls: dict[int, _Call] = {}
        self._finished: Finished | None = None
        self._usage = Usage()

    def encode(self, event: Event) -> bytes:
        if not isinstance(event, Started | Used) and event.choice:
            raise Unsupported(f"An answer has exactly one choice in {NAME}.", param="n")
        match event:
            case TextDelta():
                return self._text(event)
            case ToolCallDelta():
                return self._arguments(event)
            case ReasoningDelta():
                return self._thought(event)
            case RefusalDelta():
                begun, message = self._part("refusal")
                return begun + self._said(message, "response.refusal.delta", event.text)
            case ToolCallStarted():
                return self._call(event)
            case Cited():
                return self._cited(event)
            case Started():
                return self._start(event)
            case Finished():
                self._finished = event
                return self._end_all()
            case Used():
                self._usage = event.usage
                return b""

    def close(self) -> bytes:
        end = self._finished or Finished(reason="other")
        last = self._end_all()
        status = status_of(end.reason)
        output = [item for item in self._output if item is not None]
        if status == "incomplete" and output and "status" in output[-1]:
            output[-1] = output[-1] | {"status": "incomplete"}
        response = self._known.response(status, output, finish=end.reason, usage=self._usage)
        extra = merged(carried(end.extra), self._extra)
        return last + self._event(f"response.{status}", {"response": completed(response, extra)})

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        """`error`, which the official clients raise, and `response.failed`, which others wait for."""
        said = stream_error(error, request_id, number=self._number)
        self._number += 1
        if self._told is None:
            return said
        output = [item for item in self._output if item is not None]
        code = {429: "rate_limit_exceeded", 400: "invalid_prompt"}.get(error.status, "server_error")
        response = self._told.response("failed", output, error={"code": code, "message": error.sentence})
        return said + self._event("response.failed", {"response": response})

    # ---- the answer

    @property
    def _known(self) -> Told:
        if self._told is None:
            raise UpstreamMalformed("The upstream's stream has no beginning.")
        return self._told

    def _start(self, event: Started) -> bytes:
        self._told = Told(response_id(event.id), event.model, event.created, self._request)
        self._extra = carried(event.extra)
        response = completed(self._told.response("in_progress"), self._extra)
        return self._event("response.created", {"response": response}) + self._event(
            "response.in_progress", {"response": response}
        )

    def _event(self, kind: str, fields: dict[str, Json]) -> bytes:
        number = self._number
        self._number += 1
        return sse.frame(_encode({"type": kind, "sequence_number": number} | fields), kind.encode())

    def _place(self) -> int:
        """The place of the next item."""
        self._output.append(None)
        return len(self._output) - 1

    def _end_all(self) -> bytes:
        return self._end() + b"".join([self._end_call(number) for number in list(self._calls)])

    def _end(self) -> bytes:
        """End what is said or thought, if anything."""
        opened, self._open = self._open, None
        match opened:
            case _Message():
                ended = self._end_part(opened)
                return ended + self._end_item(opened.index, message_item(opened.id, opened.content))
            case _Thought():
                return self._end_thought(opened, None)
            case None:
                return b""

    def _begin_item(self, index: int, item: dict[str, Json]) -> bytes:
        if "status" in item:
            item = item | {"status": "in_progress"}
        return self._event("response.output_item.added", {"output_index": index, "item": item})

    def _end_item(self, index: int, item: dict[str, Json]) -> bytes:
        self._output[index] = item
        return self._event("response.output_item.done", {"output_index": index, "item": item})

    # ---- what is said

    def _text(self, event: TextDelta) -> bytes:
        begun, message = self._part("output_text")
        assert message.part is not None
        if event.logprobs is not None:
            message.part.logprobs += event.logprobs
        said = begun
        if event.text or event.logprobs:
            said += self._said(message, "response.output_text.delta", event.text, event.logprobs)
        if event.signature is not None and self._proves_text and proof.is_anothers(event.minted_by):
            said += self._end() + self._prove("text", event.signature, event.minted_by)
        return said

    def _part(self, kind: str) -> tuple[bytes, _Message]:
        """The message with an open part of that kind, and the events that begin them where there are none."""
        begun = b""
        message = self._open
        if not isinstance(message, _Message):
            begun = self._end()
            index = self._place()
            message = self._open = _Message(index, item_id("msg", self._known.id, index))
            begun += self._begin_item(index, message_item(message.id, []))
        if message.part is None or message.part.kind != kind:
            begun += self._end_part(message)
            message.part = _Part(kind)
            begun += self._event("response.content_part.added", self._at(message) | {"part": message.part.said()})
        return begun, message

    def _said(self, message: _Message, kind: str, text: str, logprobs: tuple[TokenLogprob, ...] | None = None) -> bytes:
        assert message.part is not None
        message.part.text.append(text)
        told: dict[str, Json] = {"delta": text}
        if kind == "response.output_text.delta":
            told["logprobs"] = encode_logprobs(logprobs)
        return self._event(kind, self._at(message) | told)

    def _at(self, message: _Message) -> dict[str, Json]:
        return {"item_id": message.id, "output_index": message.index, "content_index": len(message.content)}

    def _end_part(self, message: _Message) -> bytes:
        if message.part is None:
            return b""
        said, at = message.part.said(), self._at(message)
        if message.part.kind == "refusal":
            whole = self._event("response.refusal.done", at | {"refusal": said["refusal"]})
        else:
            told = {"text": said["text"], "logprobs": said["logprobs"]}
            whole = self._event("response.output_text.done", at | told)
        ended = whole + self._event("response.content_part.done", at | {"part": said})
        message.content.append(said)
        message.part = None
        return ended

    def _cited(self, event: Cited) -> bytes:
        begun, message = self._part("output_text")
        assert message.part is not None
        annotation = encode_citation(event.citation, sum(map(len, message.part.text)))
        told: dict[str, Json] = {"annotation_index": len(message.part.annotations), "annotation": annotation}
        message.part.annotations.append(annotation)
        return begun + self._event("response.output_text.annotation.added", self._at(message) | told)

    # ---- what is thought

    def _thought(self, event: ReasoningDelta) -> bytes:
        thought = self._open
        said = b""
        if not isinstance(thought, _Thought):
            said = self._end()
            index = self._place()
            thought = self._open = _Thought(index, item_id("rs", self._known.id, index))
            said += self._begin_item(index, reasoning_item(thought.id, "", None))
        if event.text:
            at: dict[str, Json] = {"item_id": thought.id, "output_index": thought.index, "summary_index": 0}
            if not thought.text:
                part = {"type": "summary_text", "text": ""}
                said += self._event("response.reasoning_summary_part.added", at | {"part": part})
            thought.text.append(event.text)
            said += self._event("response.reasoning_summary_text.delta", at | {"delta": event.text})
        if event.encrypted is not None or event.signature is not None:
            self._open = None
            said += self._end_thought(thought, event)
        return said

    def _end_thought(self, thought: _Thought, proven: ReasoningDelta | None) -> bytes:
        text = "".join(thought.text)
        said = b""
        if text:
            at: dict[str, Json] = {"item_id": thought.id, "output_index": thought.index, "summary_index": 0}
            said = self._event("response.reasoning_summary_text.done", at | {"text": text})
            part = {"type": "summary_text", "text": text}
            said += self._event("response.reasoning_summary_part.done", at | {"part": part})
        encrypted = None
        if proven is not None and proven.encrypted is not None:
            encrypted = proof.told("encrypted", proven.encrypted, proven.minted_by)
        elif proven is not None and proven.signature is not None and proof.is_anothers(proven.minted_by):
            encrypted = proof.told("signature", proven.signature, proven.minted_by)
        return said + self._end_item(thought.index, reasoning_item(thought.id, text, encrypted))

    def _prove(self, belongs: proof.Belongs, text: str, minted_by: str | None) -> bytes:
        """An item with nothing but the proof of what stands beside it."""
        index = self._place()
        identity = item_id("rs", self._known.id, index)
        begun = self._begin_item(index, reasoning_item(identity, "", None))
        return begun + self._end_item(index, reasoning_item(identity, "", proof.told(belongs, text, minted_by)))

    # ---- calls

    def _call(self, event: ToolCallStarted) -> bytes:
        begun = self._end()
        if event.signature is not None and proof.is_anothers(event.minted_by):
            begun += self._prove("call", event.signature, event.minted_by)
        shape = self._shapes.get(event.name)
        index = self._place()
        identity = item_id("ctc" if shape is not None and shape.custom else "fc", self._known.id, index)
        self._calls[event.call] = _Call(index, identity, event.id, event.name, shape)
        return begun + self._begin_item(index, call_item(identity, event.id, event.name, "", shape))

    def _arguments(self, event: ToolCallDelta) -> bytes:
        call = self._calls.get(event.call)
        if call is None:
            raise UpstreamMalformed("The upstream sent arguments of a call that has not begun.")
        call.arguments.append(event.arguments)
        if not event.arguments or (call.shape is not None and call.shape.custom):
            return b""  # the input of a custom tool is known when its arguments are whole
        at = {"item_id": call.id, "output_index": call.index}
        return self._event("response.function_call_arguments.delta", at | {"delta": event.arguments})

    def _end_call(self, number: int) -> bytes:
        call = self._calls.pop(number)
        arguments = "".join(call.arguments)
        at = {"item_id": call.id, "output_index": call.index}
        if call.shape is not None and call.shape.custom:
            text = as_input(arguments)
            said = self._event("response.custom_tool_call_input.delta", at | {"delta": text}) if text else b""
            said += self._event("response.custom_tool_call_input.done", at | {"input": text})
        else:
            said = self._event("response.function_call_arguments.done", at | {"arguments": arguments})
        return said + self._end_item(call.index, call_item(call.id, call.call, call.name, arguments, call.shape))
