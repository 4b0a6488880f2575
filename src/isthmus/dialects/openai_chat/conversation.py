"""Messages of a request, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.google import GEMINI, decode_proof, encode_proof
from isthmus.dialects.openai_chat.annotations import decode_annotations, encode_annotation, is_ours, placed
from isthmus.dialects.openai_chat.cache import cache_fields, decode_cache
from isthmus.dialects.openai_chat.files import spelled
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.openai_chat.parts import (
    decode_calls,
    decode_content,
    encode_call,
    encode_content,
    encode_image,
)
from isthmus.dialects.openai_chat.thoughts import decode_reasoning, encode_reasoning, returnable
from isthmus.dialects.silence import is_silent
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Audio,
    Document,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

ERROR_MARK = "Error: "
"""Put before the result of a tool that failed: the dialect has no other way to say that it did."""

SEE_BELOW = "The result is attached to the next message."
"""Said as the result of a tool that answered with images or documents alone."""


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
            parts = _only(decode_content(fields), fields, Text | Image | Audio | Document)
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
        case [*others, (Text() | Image() | Audio() | Document() | ToolCall()) as last] if (
            last.cache is None and fields.rest.get("cache_control") is not None
        ):
            return [*others, replace(last, cache=decode_cache(fields))]
        case _:
            return parts


def decode_assistant(fields: Fields, *, from_offer: bool = False) -> list[Part]:
    """Parts of an assistant's message: reasoning, text, images, refusal, calls.

    Args:
        fields: of the message; those that are taken are gone from it.
        from_offer: whether it is an answer, whose proofs the provider made; a client's may be another's.
    """
    if _says_something(fields.rest.pop("audio", None)):
        raise Unsupported(
            f"{fields.at('audio')} can only be sent to an offer that speaks {NAME} itself.", param=fields.at("audio")
        )
    if _says_something(fields.rest.pop("function_call", None)):
        raise Unsupported(
            f"{fields.at('function_call')} is of an older form of tools: use tool_calls.",
            param=fields.at("function_call"),
        )
    reasoning: list[Part] = [*decode_reasoning(fields, from_offer=from_offer)]
    said = _only(decode_content(fields), fields, Text | Image | Refusal | Reasoning)
    reasoning += [part for part in said if isinstance(part, Reasoning)]
    said = [part for part in said if not isinstance(part, Reasoning)]
    match said:
        case [Text() as text]:
            said = [_with_message_fields(text, fields)]
        case _:
            pass
    images = decode_content(fields, "images") if fields.rest.get("images") else []
    refusal = fields.text("refusal")
    calls = decode_calls(fields)
    if said == [Text(text="")] and (reasoning or calls or images or refusal):
        said = []  # how many clients and servers say that there is no text
    return [*reasoning, *said, *images, *([Refusal(text=refusal)] if refusal else []), *calls]


def _says_something(field: Json) -> bool:
    """Whether an object that is not always there is: Snowflake sends it with nothing in any of its fields."""
    return any(field.values()) if isinstance(field, dict) else field is not None


def _with_message_fields(text: Text, fields: Fields) -> Text:
    """The text with its proof and its citations: of a message with one text they stand at the message."""
    if (proof := decode_proof(fields)).signature is not None:
        text = replace(text, signature=proof.signature, minted_by=proof.minted_by)
    citations, others = decode_annotations(fields.rest.get("annotations"), fields.at("annotations"))
    if not citations:
        return text
    fields.rest.pop("annotations")
    if others:
        fields.rest["annotations"] = others
    return replace(text, citations=tuple(citations))


def _decode_result(fields: Fields, name: str | None, called: dict[str, str]) -> ToolResult:
    call_id = fields.required_text("tool_call_id")
    parts = _only(decode_content(fields), fields, Text | Image | Audio | Document)
    cache = decode_cache(fields)
    extra = fields.unknown(NAME)
    fields.rest = {}
    return ToolResult(
        call_id=call_id,
        name=name or called.get(call_id),
        parts=() if parts == [Text(text="")] else tuple(cast("list[Text | Image | Audio | Document]", parts)),
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


def encode_messages(messages: Sequence[Message], adapted: Adapted) -> list[dict[str, Json]]:
    """The messages, each result of a tool as one of its own.

    A tool's message holds text alone here. Images and documents that a tool answered with are said by the user, after
    the last result of the turn, for nothing may stand between the results.
    """
    said: list[dict[str, Json]] = []
    attached: list[Json] = []
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        own = own_fields(message.extra, dialect=NAME, where=where, adapted=adapted)
        more = own if message.name is None else {"name": message.name} | dict(own)
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            said.append(merged(_encode_result(result, where, adapted), more))
            attached += _encode_attached(result, where, adapted)
        rest = [part for part in message.parts if not isinstance(part, ToolResult)]
        if results and not rest:
            continue
        if said and said[-1].get("tool_calls") and is_silent(message) and not more:
            continue  # nothing may stand between calls and their results; Google's client ends streamed calls so
        role = "user" if message.role == "tool" else message.role
        if attached and role != "user":
            said.append({"role": "user", "content": attached})
            attached = []
        wire: dict[str, Json] = {"role": role} | _encode_said(rest, role, f"{where}.content", adapted)
        if attached:
            content = wire["content"]
            wire["content"] = attached + ([_text(content)] if isinstance(content, str) else content)
            attached = []
        said.append(merged(wire, more))
    return [*said, {"role": "user", "content": attached}] if attached else said


def _encode_said(parts: Sequence[Part], role: str, where: str, adapted: Adapted) -> dict[str, Json]:
    if role == "assistant":
        return encode_assistant(parts, where.removesuffix(".content"), adapted)
    return {"content": encode_content(spelled(parts, where, adapted), where)}


def encode_assistant(parts: Sequence[Part], where: str, adapted: Adapted | None = None) -> dict[str, Json]:
    """The fields of an assistant's message but its role.

    Args:
        parts: of the message.
        where: its path, for the message of an error.
        adapted: the notes of a request; None: this is an answer.

    Raises:
        Unsupported: this dialect cannot say a part.
    """
    reasoning = [part for part in parts if isinstance(part, Reasoning)]
    if adapted is not None:
        reasoning = returnable(reasoning, adapted)
        parts = [_without_foreign_proof(part, adapted) for part in parts]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    images = [part for part in parts if isinstance(part, Image)]
    content: list[Part] = [part for part in parts if isinstance(part, Text | Refusal | Audio | Document)]
    if any(isinstance(part, Audio | Document) for part in content):
        raise Unsupported(f"{where} holds a sound or a document, which an assistant cannot say in {NAME}.", param=where)
    said: dict[str, Json] = {"content": None}
    texts = [part for part in content if isinstance(part, Text)]
    if annotations := _encode_annotations(texts, adapted):
        said["annotations"] = annotations
    match texts:
        case [Text(signature=str()) as text]:  # of a message with one text it stands at the message
            said |= encode_proof(text.signature, text.minted_by)
            content[content.index(text)] = replace(text, signature=None)
        case _:
            pass
    match content:
        case [*others, Refusal(text=refusal)] if all(isinstance(part, Text) for part in others):
            said["refusal"] = refusal
            content = others
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


def _encode_annotations(texts: Sequence[Text], adapted: Adapted | None) -> list[Json]:
    """Citations of the texts. An offer is sent those of its own dialect alone: others may not know the field."""
    if not any(text.citations for text in texts):
        return []
    found: list[Json] = []
    for citation in placed(texts):
        wire = encode_annotation(citation, start=0, end=0) if adapted is None or is_ours(citation) else None
        if wire is not None:
            found.append(wire)
        elif adapted is not None:
            adapted.note("message.citations", "left out, made by another provider")
    return found


def _without_foreign_proof(part: Part, adapted: Adapted) -> Part:
    if isinstance(part, Text | ToolCall) and part.signature is not None and part.minted_by not in (None, NAME, GEMINI):
        adapted.note("message.signature", f"left out, made by {part.minted_by}")
        return replace(part, signature=None, minted_by=None)
    return part


def _encode_result(result: ToolResult, where: str, adapted: Adapted) -> dict[str, Json]:
    parts = [part for part in spelled(result.parts, f"{where}.content", adapted) if isinstance(part, Text)]
    if len(parts) < len(result.parts) and not parts:
        parts = [Text(text=SEE_BELOW)]
    if result.is_error:
        adapted.note("message.result.is_error", f"said as {ERROR_MARK.strip()} before the text")
        match parts:
            case [first, *others]:
                parts = [replace(first, text=ERROR_MARK + first.text), *others]
            case _:
                parts = [Text(text=ERROR_MARK.strip())]
    said: dict[str, Json] = {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": encode_content(parts, f"{where}.content"),
    }
    said |= cache_fields(result.cache, result.extra)
    return merged(said, own_fields(result.extra, dialect=NAME, where=where, adapted=adapted))


def _encode_attached(result: ToolResult, where: str, adapted: Adapted) -> list[Json]:
    """What a tool answered with that is no text, and a line that says whose it is."""
    parts = spelled(result.parts, f"{where}.content", adapted)
    if all(isinstance(part, Text) for part in parts):
        return []
    adapted.note("message.result", "images and documents said by the user after it")
    media = [part for part in parts if not isinstance(part, Text)]
    whose = _text(f"Attached to the result of {result.name or 'the tool call'} ({result.call_id}):")
    content = encode_content(media, f"{where}.content")
    return [whose, *content]


def _text(text: str) -> dict[str, Json]:
    return {"type": "text", "text": text}
