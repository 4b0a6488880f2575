"""What has to be emulated for a request, the request that is sent instead, and the way back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.emulation.answer import (
    Argued,
    Called,
    Piece,
    PlainReader,
    Reader,
    Said,
    UnionReader,
    UnwrappingReader,
)
from isthmus.dialects.emulation.constrain import Note
from isthmus.dialects.emulation.history import as_text, instructed, instruction
from isthmus.dialects.emulation.schema import TEXT, held, is_object, union
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Finished,
    FinishReason,
    Json,
    Part,
    ResponseFormat,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from isthmus.domain.offer import Capabilities


def random_id() -> str:
    """An id for a tool call."""
    return f"call_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Emulation:
    """A request rewritten for an offer, and what turns its answer into one to the request as it was."""

    request: CompletionRequest
    new_reader: Callable[[], Reader]

    def completion(self, completion: Completion) -> Completion:
        return replace(completion, choices=tuple(map(self._choice, completion.choices)))

    def stream(self) -> EventFilter:
        return EventFilter(self.new_reader)

    def _choice(self, choice: Choice) -> Choice:
        reader = self.new_reader()
        said = "".join(part.text for part in choice.parts if isinstance(part, Text))
        pieces = [*reader.feed(said), *reader.close()]
        parts = (*(part for part in choice.parts if not isinstance(part, Text)), *_parts(pieces))
        finish = _finish(choice.finish or "stop", reader)
        return replace(choice, parts=parts, finish=finish, stop_sequence=reader.stopped or choice.stop_sequence)


def _parts(pieces: Iterable[Piece]) -> list[Part]:
    parts: list[Part] = []
    for piece in pieces:
        match piece, parts:
            case Called(id=identity, name=name), _:
                parts.append(ToolCall(id=identity, name=name, arguments=""))
            case Argued(json=json), [*_, ToolCall() as call]:
                parts[-1] = replace(call, arguments=call.arguments + json)
            case Said(text=text), [*_, Text() as last]:
                parts[-1] = Text(text=last.text + text)
            case Said(text=text), _:
                parts.append(Text(text=text))
            case _:
                raise AssertionError(piece)
    return parts


class EventFilter:
    """The same for the events of one stream."""

    def __init__(self, new_reader: Callable[[], Reader]) -> None:
        self._new_reader = new_reader
        self._readers: dict[int, Reader] = {}
        self._calls: dict[int, int] = {}
        """Calls begun, by choice."""

    def feed(self, event: Event) -> list[Event]:
        match event:
            case TextDelta():
                reader = self._readers.get(event.choice)
                if reader is None:
                    reader = self._readers[event.choice] = self._new_reader()
                events = self._events(reader.feed(event.text), event.choice)
                return events if not (event.logprobs or event.signature) else _signed(events, event)
            case Finished():
                reader = self._readers.pop(event.choice, None)
                if reader is None:
                    return [event]
                last = self._events(reader.close(), event.choice)
                stopped = reader.stopped or event.stop_sequence
                return [*last, replace(event, reason=_finish(event.reason, reader), stop_sequence=stopped)]
            case _:
                return [event]

    def close(self) -> list[Event]:
        """What is left where the offer never said that a choice has finished."""
        readers, self._readers = self._readers, {}
        return [event for choice, reader in readers.items() for event in self._events(reader.close(), choice)]

    def _events(self, pieces: Iterable[Piece], choice: int) -> list[Event]:
        events: list[Event] = []
        for piece in pieces:
            match piece:
                case Said():
                    events.append(TextDelta(text=piece.text, choice=choice))
                case Called():
                    number = self._calls[choice] = self._calls.get(choice, -1) + 1
                    events.append(ToolCallStarted(call=number, id=piece.id, name=piece.name, choice=choice))
                case Argued():
                    events.append(ToolCallDelta(call=self._calls[choice], arguments=piece.json, choice=choice))
        return events


def _signed(events: list[Event], said: TextDelta) -> list[Event]:
    """Events with what came beside their text: log probabilities of a plain answer, a signature."""
    match events:
        case [TextDelta() as text]:
            return [replace(said, text=text.text)]
        case _:
            return [replace(said, text=""), *events]


def _finish(reason: FinishReason, reader: Reader) -> FinishReason:
    """Of an answer that turned out to be tool calls.

    One that was cut within a call keeps its reason (`length`), as an offer's own do that can call tools: the client is
    told the beginning of the arguments and that they are not whole.
    """
    if reason in ("content_filter", "refusal"):
        return reason
    return "tool_calls" if reader.called else "stop_sequence" if reader.stopped is not None else reason


def plan(
    request: CompletionRequest,
    capabilities: Capabilities,
    *,
    new_id: Callable[[], str] = random_id,
    adapted: Adapted | None = None,
) -> Emulation | None:
    """What has to be emulated for an offer; None: nothing.

    Tools are emulated where the offer's `tools` are; schemas of answers are put into its words where its `json_schema`
    is, and those of other things than objects are wrapped.

    Args:
        request: what the client asks for.
        capabilities: of the offer.
        new_id: makes the ids of tool calls.
        adapted: is noted what of the schemas the model is told but not held to.

    Raises:
        Unsupported: the request asks for what an emulated answer cannot tell.
        InvalidRequest: the tool choice names no tool of the request, or a schema is none, refers to what it does not
            hold, is nested too deeply, or is satisfied by nothing.
    """
    try:
        return _plan(request, capabilities, new_id, Adapted() if adapted is None else adapted)
    except RecursionError as exc:
        raise InvalidRequest("A schema of the request is nested too deeply.") from exc


def _plan(
    request: CompletionRequest, capabilities: Capabilities, new_id: Callable[[], str], adapted: Adapted
) -> Emulation | None:
    emulation = (
        _for_tools(request, new_id, adapted) if capabilities.tools == "emulated" and _has_tools(request) else None
    )
    if emulation is None or emulation.new_reader is PlainReader:
        sent = request if emulation is None else emulation.request
        wanted = sent.response_format
        if capabilities.json_schema == "emulated" and wanted is not None and wanted.schema is not None:
            schema = held(wanted.schema, _noting(adapted, "response_format.schema"))
            reader = PlainReader if is_object(wanted.schema) else UnwrappingReader
            emulation = Emulation(replace(sent, response_format=replace(wanted, schema=schema)), reader)
    if emulation is not None and request.logprobs and emulation.new_reader is not PlainReader:
        raise Unsupported("logprobs cannot be told by this offer together with tools or this schema.", param="logprobs")
    return emulation


def _noting(adapted: Adapted, field: str) -> Note:
    return lambda keyword: adapted.note(f"{field}.{keyword}", "told to the model, not held")


def _has_tools(request: CompletionRequest) -> bool:
    return bool(request.tools) or any(
        isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts
    )


def _for_tools(request: CompletionRequest, new_id: Callable[[], str], adapted: Adapted) -> Emulation:
    choice = request.tool_choice
    messages = as_text(request.messages)
    sent = replace(request, messages=messages, tools=(), tool_choice=None, parallel_tool_calls=None)
    tools = request.tools
    if not tools or (choice is not None and choice.mode == "none"):
        return Emulation(sent, PlainReader)
    if choice is not None and choice.mode == "named":
        tools = tuple(tool for tool in tools if tool.name == choice.name)
        if not tools:
            raise InvalidRequest("tool_choice names a tool that is not among the tools.", param="tool_choice")
    # Several calls only where the request says so itself: a list to fill costs a small model much (ADR 8).
    listed = request.parallel_tool_calls is True
    reply = _reply_schema(request.response_format) if choice is None or choice.mode == "auto" else None
    reply_is_text = reply is TEXT
    told = None if reply is None else '"<your answer>"' if reply_is_text else "{...}"
    schema = union(tools, listed=listed, reply=reply, note=_noting(adapted, "tools.parameters"))
    sent = replace(
        sent,
        messages=instructed(messages, instruction(tools, choice, listed=listed, reply=told)),
        stop=(),
        response_format=ResponseFormat(kind="json_schema", name="answer", schema=schema),
    )
    names = frozenset(tool.name for tool in tools)

    def new_reader() -> UnionReader:
        return UnionReader(names, listed=listed, reply_is_text=reply_is_text, stop=request.stop, new_id=new_id)

    return Emulation(sent, new_reader)


def _reply_schema(wanted: ResponseFormat | None) -> Mapping[str, Json]:
    """Schema of an answer without a tool: what the request asked for."""
    if wanted is None or wanted.kind == "text":
        return TEXT
    return wanted.schema if wanted.schema is not None else {"type": "object"}
