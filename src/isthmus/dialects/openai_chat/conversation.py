"""Messages of a request, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from isthmus.dialects.fields import Fields, decode_signature, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.openai_chat.parts import (
    cache_fields,
    decode_cache,
    decode_calls,
    decode_content,
    decode_reasoning,
    encode_call,
    encode_content,
    encode_image,
    encode_reasoning,
)
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Image, Json, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolResult

ERROR_MARK = "Error: "
"""Put before the result of a tool that failed: the dialect has no other way to say that it did."""


# --------------------------------------------------------------------------------------------------- decoding


def decode_messages(fields: Fields) -> tuple[Message, ...]:
    items = fields.items("messages")
    if not items:
        raise InvalidRequest("messages must be a list with at least one message.", param="messages")
    called: dict[str, str] = {}
    return tuple(_decode_message(Fields(item, f"messages[{at}]"), called) for at, item in enumerate(items))


def _decode_message(fields: Fields, called: dict[str, str]) -> Message:
    """`called`: names of the tools called so far, by id of the call; added to."""
    role = fields.required_text("role")
    name = fields.text("name")
    parts: Sequence[Part]
    match role:
        case "system" | "developer":
            parts = _only(decode_content(fields), fields, Text)
        case "user":
            parts = _only(decode_content(fields), fields, Text | Image)
        case "assistant":
            parts = decode_assistant(fields)
            called |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        case "tool":
            parts = [_decode_result(fields, name, called)]
        case "function":
            raise Unsupported(
                "Messages of role function are of an older form of tools: use role tool.", param=fields.at("role")
            )
        case _:
            raise fields.wrong("role", "must be one of system, developer, user, assistant, tool")
    if not parts and role != "assistant":
        raise fields.wrong("content", "is missing")
    if role != "tool":
        parts = _marked(parts, fields)
    return Message(role=role, parts=tuple(parts), name=name, extra=fields.unknown(NAME))


def _marked(parts: Sequence[Part], fields: Fields) -> Sequence[Part]:
    """A cache mark at the message says the same as one at its last part."""
    match parts:
        case [*others, Text(cache=None) | Image(cache=None) | ToolCall(cache=None) as last] if (
            fields.rest.get("cache_control") is not None
        ):
            return [*others, replace(last, cache=decode_cache(fields))]
        case _:
            return parts


def decode_assistant(fields: Fields) -> list[Part]:
    """Parts of an assistant's message, in a request or an answer: reasoning, text, images, refusal, calls."""
    if fields.rest.pop("audio", None) is not None:
        raise Unsupported(
            f"{fields.at('audio')} can only be sent to an offer that speaks {NAME} itself.", param=fields.at("audio")
        )
    if fields.rest.pop("function_call", None) is not None:
        raise Unsupported(
            f"{fields.at('function_call')} is of an older form of tools: use tool_calls.",
            param=fields.at("function_call"),
        )
    reasoning: list[Part] = [*decode_reasoning(fields)]
    said = _only(decode_content(fields), fields, Text | Image | Refusal | Reasoning)
    reasoning += [part for part in said if isinstance(part, Reasoning)]
    said = [part for part in said if not isinstance(part, Reasoning)]
    match said:
        case [Text() as text] if (signature := decode_signature(fields)) is not None:
            said = [replace(text, signature=signature)]
        case _:
            pass
    images = decode_content(fields, "images") if fields.rest.get("images") else []
    refusal = fields.text("refusal")
    calls = decode_calls(fields)
    if said == [Text(text="")] and (reasoning or calls or images or refusal):
        said = []  # how many clients and servers say that there is no text
    return [*reasoning, *said, *images, *([Refusal(text=refusal)] if refusal else []), *calls]


def _decode_result(fields: Fields, name: str | None, called: dict[str, str]) -> ToolResult:
    call_id = fields.required_text("tool_call_id")
    parts = _only(decode_content(fields), fields, Text | Image)
    cache = decode_cache(fields)
    extra = fields.unknown(NAME)
    fields.rest = {}
    return ToolResult(
        call_id=call_id,
        name=name or called.get(call_id),
        parts=() if parts == [Text(text="")] else tuple(cast("list[Text | Image]", parts)),
        cache=cache,
        extra=extra,
    )


def _only(parts: list[Part], fields: Fields, kinds: object) -> list[Part]:
    for at, part in enumerate(parts):
        if not isinstance(part, kinds):  # type: ignore[arg-type]
            param = f"{fields.at('content')}[{at}]"
            raise InvalidRequest(f"{param} is of a type that a message of its role cannot have.", param=param)
    return parts


# --------------------------------------------------------------------------------------------------- encoding


def encode_messages(messages: Sequence[Message]) -> list[dict[str, Json]]:
    return [wire for at, message in enumerate(messages) for wire in _encode_message(message, f"messages[{at}]")]


def _encode_message(message: Message, where: str) -> Iterator[dict[str, Json]]:
    """One message, or several where it holds several tool results: each is a message of its own here."""
    own = own_fields(message.extra, dialect=NAME, where=where)
    name: dict[str, Json] = {} if message.name is None else {"name": message.name}
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    for result in results:
        yield merged(_encode_result(result, where) | name, own)
    if results and not rest:
        return
    role = "user" if message.role == "tool" else message.role
    said: dict[str, Json] = {"role": role}
    if role == "assistant":
        said |= encode_assistant(rest, where)
    else:
        said["content"] = encode_content(rest, f"{where}.content")
    yield merged(said | name, own)


def encode_assistant(parts: Sequence[Part], where: str) -> dict[str, Json]:
    """The fields of an assistant's message but its role."""
    reasoning = [part for part in parts if isinstance(part, Reasoning)]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    images = [part for part in parts if isinstance(part, Image)]
    content: list[Part] = [part for part in parts if isinstance(part, Text | Refusal)]
    said: dict[str, Json] = {"content": None}
    match [part for part in content if isinstance(part, Text)]:
        case [Text(signature=str(signature)) as text]:  # of a message with one text it stands at the message
            said["extra_content"] = {"google": {"thought_signature": signature}}
            content[content.index(text)] = replace(text, signature=None)
        case _:
            pass
    match content:
        case [*texts, Refusal(text=refusal)] if all(isinstance(part, Text) for part in texts):
            said["refusal"] = refusal
            content = texts
        case _:
            pass
    if content:
        said["content"] = encode_content(content, f"{where}.content")
    said |= encode_reasoning(reasoning, where)
    if images:
        said["images"] = [encode_image(image, f"{where}.images[{at}]") for at, image in enumerate(images)]
    if calls:
        said["tool_calls"] = [encode_call(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(calls)]
    return said


def _encode_result(result: ToolResult, where: str) -> dict[str, Json]:
    parts = list(result.parts)
    if result.is_error:
        match parts:
            case [Text() as first, *others]:
                parts = [Text(text=ERROR_MARK + first.text, cache=first.cache, extra=first.extra), *others]
            case _:
                parts = [Text(text=ERROR_MARK.strip()), *parts]
    said: dict[str, Json] = {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": encode_content(parts, f"{where}.content"),
    }
    said |= cache_fields(result.cache, result.extra)
    return merged(said, own_fields(result.extra, dialect=NAME, where=where))
