"""A conversation with tool calls, told to a model that knows only text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects.emulation.schema import ARGUMENTS, CALLS, REPLY, TOOL
from isthmus.domain.message import Json, Message, Part, Text, Tool, ToolCall, ToolChoice, ToolResult


def instruction(tools: Sequence[Tool], choice: ToolChoice | None, *, listed: bool, reply: str | None) -> str:
    """What a model is told of its tools. Short: small models have little room, and a schema holds them anyway.

    Args:
        tools: that may be called.
        choice: what the request says of them.
        listed: whether calls come in a list.
        reply: what stands for a reply; None: there is none.
    """
    lines = ["You have tools. Answer with one JSON object and nothing else."]
    if choice is not None and choice.mode == "named":
        lines.append(f"Call the tool {choice.name}:")
    else:
        lines.append("Call one of the tools:" if reply is None else "To call a tool:")
    call = f'{{"{TOOL}": "<name>", "{ARGUMENTS}": {{...}}}}'
    lines.append(f'{{"{CALLS}": [{call}, ...]}}' if listed else call)
    if reply is not None:
        lines.append("If no tool is needed, or you have its result:")
        lines.append(f'{{"{REPLY}": {reply}}}')
    lines.append("Tools:")
    for tool in tools:
        about = f": {tool.description}" if tool.description else ""
        lines.append(f"- {tool.name}{about} Arguments: {_json(tool.parameters or {})}")
    return "\n".join(lines)


def instructed(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The messages with an instruction at the end of the system message that they begin with, or in one of its own."""
    match messages:
        case [Message(role="system" | "developer") as first, *rest]:
            texts = [part.text for part in first.parts if isinstance(part, Text)]
            if len(texts) == 1 and len(first.parts) == 1:
                return (replace(first, parts=(Text(text=f"{texts[0]}\n\n{text}"),)), *rest)
            return (replace(first, parts=(*first.parts, Text(text=text))), *rest)
        case _:
            return (Message(role="system", parts=(Text(text=text),)), *messages)


def as_text(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with calls and results as text: a call in the form that the model is to write it in itself.

    Results become messages of the user: chat templates of small models know no other. What of the user's then stands
    side by side is joined, for many templates insist on turns.
    """
    told: list[Message] = []
    after_results = False
    for message in messages:
        has_results = any(isinstance(part, ToolResult) for part in message.parts)
        rewritten = _rewritten(message)
        if told and told[-1].role == rewritten.role == "user" and (has_results or after_results):
            told[-1] = replace(told[-1], parts=_joined((*told[-1].parts, *rewritten.parts)))
        else:
            told.append(rewritten)
        after_results = has_results
    return tuple(told)


def _rewritten(message: Message) -> Message:
    if not any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
        return message
    parts = tuple(piece for part in message.parts for piece in _as_text(part))
    return replace(message, role="user" if message.role == "tool" else message.role, parts=_joined(parts))


def _as_text(part: Part) -> tuple[Part, ...]:
    match part:
        case ToolCall():
            return (Text(text=f'{{"{TOOL}": {_json(part.name)}, "{ARGUMENTS}": {part.arguments or "{}"}}}'),)
        case ToolResult():
            kind = "Error" if part.is_error else "Result"
            head = Text(text=f"{kind} of the tool {part.name or part.call_id}:")
            return (head, *part.parts)
        case _:
            return (part,)


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Texts that carry nothing else and stand side by side become one: many servers take no list of parts."""
    joined: list[Part] = []
    for part in parts:
        match joined, part:
            case [*_, Text(cache=None, signature=None, extra=None) as last], Text(
                cache=None, signature=None, extra=None
            ):
                joined[-1] = Text(text=f"{last.text}\n{part.text}")
            case _:
                joined.append(part)
    return tuple(joined)


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
