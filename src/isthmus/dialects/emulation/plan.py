"""What has to be emulated for a request, the request that is sent instead, and the way back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from isthmus.dialects.emulation.answer import PlainReader, Reader, UnionReader, UnwrappingReader
from isthmus.dialects.emulation.history import as_text, instructed, instruction
from isthmus.dialects.emulation.schema import is_object, union, wrap
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
    Tool,
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
        text = reader.feed(said)
        rest, call = reader.close()
        parts: list[Part] = [part for part in choice.parts if not isinstance(part, Text)]
        if text or rest:
            parts.append(Text(text=text + rest))
        if call is None:
            return replace(choice, parts=tuple(parts))
        return replace(choice, parts=(*parts, call), finish=_finish(choice.finish or "stop"))


class EventFilter:
    """The same for the events of one stream."""

    def __init__(self, new_reader: Callable[[], Reader]) -> None:
        self._new_reader = new_reader
        self._readers: dict[int, Reader] = {}

    def feed(self, event: Event) -> list[Event]:
        match event:
            case TextDelta():
                reader = self._readers.get(event.choice)
                if reader is None:
                    reader = self._readers[event.choice] = self._new_reader()
                text = reader.feed(event.text)
                return [replace(event, text=text)] if text or event.logprobs or event.signature else []
            case Finished():
                events, called = self._end(event.choice)
                return [*events, replace(event, reason=_finish(event.reason)) if called else event]
            case _:
                return [event]

    def close(self) -> list[Event]:
        """What is left where the offer never said that a choice has finished."""
        return [event for choice in tuple(self._readers) for event in self._end(choice)[0]]

    def _end(self, choice: int) -> tuple[list[Event], bool]:
        """The last events of a choice before its finish, and whether there is a tool call among them."""
        reader = self._readers.pop(choice, None)
        if reader is None:
            return [], False
        text, call = reader.close()
        events: list[Event] = [TextDelta(text=text, choice=choice)] if text else []
        if call is not None:
            events.append(ToolCallStarted(call=0, id=call.id, name=call.name, choice=choice))
            events.append(ToolCallDelta(call=0, arguments=call.arguments, choice=choice))
        return events, call is not None


def _finish(reason: FinishReason) -> FinishReason:
    """Of an answer that turned out to be a tool call."""
    return reason if reason in ("content_filter", "refusal") else "tool_calls"


def plan(
    request: CompletionRequest, capabilities: Capabilities, *, new_id: Callable[[], str] = random_id
) -> Emulation | None:
    """What has to be emulated for an offer; None: nothing.

    Tools are emulated where the offer's `tools` are, schemas of other things than objects where its `json_schema` is.

    Raises:
        Unsupported: the request asks for what an emulated answer cannot tell.
        InvalidRequest: the tool choice names no tool of the request, or a schema is nested too deeply.
    """
    try:
        return _plan(request, capabilities, new_id)
    except RecursionError as exc:
        raise InvalidRequest("A schema of the request is nested too deeply.") from exc


def _plan(request: CompletionRequest, capabilities: Capabilities, new_id: Callable[[], str]) -> Emulation | None:
    emulation = _for_tools(request, new_id) if capabilities.tools == "emulated" and _has_tools(request) else None
    if emulation is None or emulation.new_reader is PlainReader:
        sent = request if emulation is None else emulation.request
        if capabilities.json_schema == "emulated" and (schema := _schema_to_wrap(sent.response_format)) is not None:
            wrapped = replace(sent.response_format or ResponseFormat(kind="json_schema"), schema=wrap(schema))
            emulation = Emulation(replace(sent, response_format=wrapped), UnwrappingReader)
    if emulation is not None and request.logprobs and emulation.new_reader is not PlainReader:
        raise Unsupported("logprobs cannot be told by this offer together with tools or this schema.", param="logprobs")
    return emulation


def _has_tools(request: CompletionRequest) -> bool:
    return bool(request.tools) or any(
        isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts
    )


def _for_tools(request: CompletionRequest, new_id: Callable[[], str]) -> Emulation:
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
    may_reply = choice is None or choice.mode == "auto"
    no_tool = _name_of_none(tools)
    reply = _reply_schema(request.response_format)
    reply_is_text = reply == _TEXT
    told = no_tool if may_reply else None
    sent = replace(
        sent,
        messages=instructed(messages, instruction(tools, choice, no_tool=told, reply_is_text=reply_is_text)),
        response_format=ResponseFormat(
            kind="json_schema", name="answer", schema=union(tools, no_tool=told, reply=reply)
        ),
    )
    names = frozenset(tool.name for tool in tools)
    return Emulation(sent, lambda: UnionReader(names, no_tool=no_tool, reply_is_text=reply_is_text, new_id=new_id))


_TEXT: Mapping[str, Json] = {"type": "string"}


def _reply_schema(wanted: ResponseFormat | None) -> Mapping[str, Json]:
    """Schema of an answer without a tool: what the request asked for."""
    if wanted is None or wanted.kind == "text":
        return _TEXT
    return wanted.schema if wanted.schema is not None else {"type": "object"}


def _schema_to_wrap(wanted: ResponseFormat | None) -> Mapping[str, Json] | None:
    if wanted is None or wanted.kind != "json_schema" or wanted.schema is None or is_object(wanted.schema):
        return None
    return wanted.schema


def _name_of_none(tools: tuple[Tool, ...]) -> str:
    """What stands for no tool, and is no tool's name."""
    names = {tool.name for tool in tools}
    name = "none"
    while name in names:
        name = f"no_{name}"
    return name
