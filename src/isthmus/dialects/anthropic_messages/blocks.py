"""Content blocks, both ways, for requests and answers alike.

Source: https://docs.anthropic.com/en/api/messages and the types of the `anthropic` package, 2.11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.fields import Fields, decode_signature, merged
from isthmus.dialects.foreign import own_fields
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    CacheMark,
    Extra,
    Image,
    Json,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


# --------------------------------------------------------------------------------------------------- decoding


def decode_blocks(fields: Fields, name: str, called: Mapping[str, str]) -> list[Part]:
    """The blocks of a field that is a string or a list.

    Args:
        fields: the object that has the field.
        name: of the field.
        called: names of the tools called so far, by id of the call.

    Raises:
        InvalidRequest: neither a string nor a list of blocks.
        Unsupported: a kind of block the domain cannot carry.
    """
    content = fields.rest.pop(name, None)
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        raise fields.wrong(name, "must be a string or a list of blocks")
    return [_decode_block(Fields(item, f"{fields.at(name)}[{at}]"), called) for at, item in enumerate(content)]


def _decode_block(fields: Fields, called: Mapping[str, str]) -> Part:
    kind = fields.required_text("type")
    match kind:
        case "text":
            text = fields.required_text("text")
            if fields.rest.get("citations") is None:  # answers say null where there are none
                fields.rest.pop("citations", None)
            return Text(
                text=text, cache=decode_cache(fields), signature=decode_signature(fields), extra=fields.unknown(NAME)
            )
        case "image":
            return _decode_image(fields)
        case "thinking":
            thought = fields.required_text("thinking")
            return Reasoning(text=thought, signature=fields.text("signature") or None, extra=fields.unknown(NAME))
        case "redacted_thinking":
            return Reasoning(encrypted=fields.required_text("data"), extra=fields.unknown(NAME))
        case "tool_use":
            return _decode_call(fields)
        case "tool_result":
            return _decode_result(fields, called)
        case _:
            raise Unsupported(
                f"{fields.path} is a block of a type that can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )


def _decode_image(fields: Fields) -> Image:
    source = fields.required_inner("source")
    kind = source.required_text("type")
    url = data = media_type = None
    match kind:
        case "base64":
            data, media_type = source.required_text("data"), source.required_text("media_type")
        case "url":
            url = source.required_text("url")
        case _:
            raise Unsupported(
                f"{source.path} must be of type base64 or url: a file of the provider's can only be sent to an offer "
                f"that speaks {NAME} itself.",
                param=source.at("type"),
            )
    cache = decode_cache(fields)
    fields.put_back("source", source)
    return Image(url=url, data=data, media_type=media_type, cache=cache, extra=fields.unknown(NAME))


def _decode_call(fields: Fields) -> ToolCall:
    identity, name, arguments = (
        fields.required_text("id"),
        fields.required_text("name"),
        fields.required_inner("input"),
    )
    for absent in ("caller", "toolset_name"):
        if fields.rest.get(absent) is None:
            fields.rest.pop(absent, None)
    return ToolCall(
        id=identity,
        name=name,
        arguments=msgspec.json.encode(arguments.rest).decode(),
        cache=decode_cache(fields),
        signature=decode_signature(fields),
        extra=fields.unknown(NAME),
    )


def _decode_result(fields: Fields, called: Mapping[str, str]) -> ToolResult:
    call_id = fields.required_text("tool_use_id")
    parts: list[Text | Image] = []
    if fields.rest.get("content") is not None:
        for at, part in enumerate(decode_blocks(fields, "content", called)):
            if not isinstance(part, Text | Image):
                raise InvalidRequest(
                    f"{fields.at('content')}[{at}] must be text or an image.", param=f"{fields.at('content')}[{at}]"
                )
            parts.append(part)
    is_error = fields.boolean("is_error") or False
    cache = decode_cache(fields)
    return ToolResult(
        call_id=call_id,
        name=called.get(call_id),
        parts=() if parts == [Text(text="")] else tuple(parts),
        is_error=is_error,
        cache=cache,
        extra=fields.unknown(NAME),
    )


def decode_cache(fields: Fields) -> CacheMark | None:
    control = fields.inner("cache_control")
    if control is None:
        return None
    if control.text("type") != "ephemeral":
        raise control.wrong("type", "must be ephemeral")
    mark = CacheMark(ttl=control.text("ttl"))
    fields.put_back("cache_control", control)
    return mark


# --------------------------------------------------------------------------------------------------- encoding


def encode_blocks(parts: Sequence[Part], where: str, *, to_client: bool = False) -> str | list[Json]:
    """The string where one text says it all, else a list."""
    match parts:
        case [Text(text=text, cache=None, signature=None, extra=None)] if not to_client:
            return text
        case _:
            return [encode_block(part, f"{where}[{at}]", to_client=to_client) for at, part in enumerate(parts)]


def encode_block(part: Part, where: str, *, to_client: bool = False) -> dict[str, Json]:
    """One block.

    Args:
        part: to be said.
        where: its path, for the message of an error.
        to_client: whether this is part of an answer. Proofs of another provider are carried in answers, so that the
            client can return them, and left out of requests: they mean nothing to this provider.

    Raises:
        Unsupported: this dialect cannot say it.
    """
    match part:
        case Text():
            said: dict[str, Json] = {"type": "text", "text": part.text}
            return _finished(said, part.cache, part.signature if to_client else None, part.extra, where)
        case Refusal():
            return {"type": "text", "text": part.text}
        case Image():
            return _encode_image(part, where)
        case Reasoning():
            return _encode_reasoning(part, where, to_client=to_client)
        case ToolCall():
            said = {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments_of(part, where)}
            return _finished(said, part.cache, part.signature if to_client else None, part.extra, where)
        case ToolResult():
            return _encode_result(part, where)


def arguments_of(call: ToolCall, where: str) -> dict[str, Json]:
    """The arguments as an object; no text at all, and null, are an empty one.

    Raises:
        Unsupported: they are anything else. Models that write broken JSON exist, and only some dialects can say it.
    """
    try:
        content = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.MsgspecError, RecursionError):
        content = None
    else:
        content = {} if content is None else content  # some models write null for no arguments
    if not isinstance(content, dict):
        raise Unsupported(
            f"{where}: the arguments of a tool call must be a JSON object in the dialect of this offer.",
            hint="Leave the broken call out of the conversation.",
            param=where,
        )
    return content


def _encode_image(part: Image, where: str) -> dict[str, Json]:
    if part.data is None:
        source = {"type": "url", "url": part.url}
    elif part.media_type in IMAGE_TYPES:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    else:
        raise Unsupported(f"{where}: images must be JPEG, PNG, GIF or WebP in {NAME}.", param=where)
    return _finished({"type": "image", "source": source}, part.cache, None, part.extra, where)


def _encode_reasoning(part: Reasoning, where: str, *, to_client: bool) -> dict[str, Json]:
    own = own_fields(part.extra, dialect=NAME, where=where)
    if part.encrypted is not None:
        if part.text or part.signature is not None:
            raise Unsupported(
                f"{where}: reasoning is either shown or encrypted in {NAME}.",
                hint="Leave it out of the conversation.",
                param=where,
            )
        return merged({"type": "redacted_thinking", "data": part.encrypted}, own)
    if part.signature is None and not to_client:
        raise Unsupported(
            f"{where}: reasoning without the provider's signature cannot be sent in {NAME}.",
            hint="Leave the reasoning of other models out of the conversation.",
            param=where,
        )
    return merged({"type": "thinking", "thinking": part.text, "signature": part.signature or ""}, own)


def _encode_result(part: ToolResult, where: str) -> dict[str, Json]:
    said: dict[str, Json] = {"type": "tool_result", "tool_use_id": part.call_id}
    if part.parts:
        said["content"] = encode_blocks(part.parts, f"{where}.content")
    if part.is_error:
        said["is_error"] = True
    return _finished(said, part.cache, None, part.extra, where)


def cache_control(cache: CacheMark | None) -> dict[str, Json]:
    if cache is None:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({} if cache.ttl is None else {"ttl": cache.ttl})}


def _finished(
    said: dict[str, Json], cache: CacheMark | None, signature: str | None, more: Extra | None, where: str
) -> dict[str, Json]:
    said |= cache_control(cache)
    if signature is not None:
        said["extra_content"] = {"google": {"thought_signature": signature}}
    return merged(said, own_fields(more, dialect=NAME, where=where))
