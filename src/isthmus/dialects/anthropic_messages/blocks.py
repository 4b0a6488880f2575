"""Content blocks, both ways, for requests and answers alike.

Source: https://docs.anthropic.com/en/api/messages and the types of the `anthropic` package, 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages.cache import cache_control, decode_cache
from isthmus.dialects.anthropic_messages.citations import decode_citations, encode_citation, own_citation
from isthmus.dialects.anthropic_messages.documents import decode_document, encode_document
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.anthropic_messages.thinking import decode_redacted, decode_thinking, encode_reasoning
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.google import decode_proof, encode_proof
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Audio,
    CacheMark,
    Document,
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


def decode_blocks(fields: Fields, name: str, called: Mapping[str, str], *, from_offer: bool = False) -> list[Part]:
    """The blocks of a field that is a string or a list.

    Args:
        fields: the object that has the field.
        name: of the field.
        called: names of the tools called so far, by id of the call.
        from_offer: whether this is an answer, whose proofs the provider made; a client's may be another's.

    Raises:
        InvalidRequest: neither a string nor a list of blocks.
        Unsupported: a kind of block the domain cannot carry.
    """
    content = fields.rest.pop(name, None)
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        raise fields.wrong(name, "must be a string or a list of blocks")
    return [
        _decode_block(Fields(item, f"{fields.at(name)}[{at}]"), called, from_offer=from_offer)
        for at, item in enumerate(content)
    ]


def _decode_block(fields: Fields, called: Mapping[str, str], *, from_offer: bool) -> Part:
    kind = fields.required_text("type")
    match kind:
        case "text":
            return _decode_text(fields)
        case "image":
            return _decode_image(fields)
        case "document":
            return decode_document(fields)
        case "thinking":
            return decode_thinking(fields, from_offer=from_offer)
        case "redacted_thinking":
            return decode_redacted(fields, from_offer=from_offer)
        case "tool_use":
            return _decode_call(fields)
        case "tool_result":
            return _decode_result(fields, called)
        case _:
            raise Unsupported(
                f"{fields.path} is a block of a type that can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )


def _decode_text(fields: Fields) -> Text:
    text, citations, cache = fields.required_text("text"), decode_citations(fields), decode_cache(fields)
    signature, minted_by = decode_proof(fields)
    return Text(
        text=text,
        cache=cache,
        signature=signature,
        minted_by=minted_by,
        citations=citations,
        extra=fields.unknown(NAME),
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
    cache, (signature, minted_by) = decode_cache(fields), decode_proof(fields)
    return ToolCall(
        id=identity,
        name=name,
        arguments=msgspec.json.encode(arguments.rest).decode(),
        cache=cache,
        signature=signature,
        minted_by=minted_by,
        extra=fields.unknown(NAME),
    )


def _decode_result(fields: Fields, called: Mapping[str, str]) -> ToolResult:
    call_id = fields.required_text("tool_use_id")
    parts: list[Text | Image | Audio | Document] = []
    if fields.rest.get("content") is not None:
        for at, part in enumerate(decode_blocks(fields, "content", called)):
            if not isinstance(part, Text | Image | Document):
                raise InvalidRequest(
                    f"{fields.at('content')}[{at}] must be text, an image or a document.",
                    param=f"{fields.at('content')}[{at}]",
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


# --------------------------------------------------------------------------------------------------- encoding


def encode_blocks(parts: Sequence[Part], where: str, adapted: Adapted | None) -> str | list[Json]:
    """The blocks; of a request, the string where one text says it all. `adapted` as of `encode_block`."""
    match parts:
        case [Text(text=text) as part] if adapted is not None and part == Text(text=text):
            return text
        case _:
            return [encode_block(part, f"{where}[{at}]", adapted) for at, part in enumerate(parts)]


def encode_block(part: Part, where: str, adapted: Adapted | None) -> dict[str, Json]:
    """One block.

    Args:
        part: to be said.
        where: its path, for the message of an error.
        adapted: the notes of a request; None: this is part of an answer. Proofs of another provider are carried in
            answers, so that the client can return them, and left out of requests: they mean nothing to this provider.

    Raises:
        Unsupported: this dialect cannot say it.
    """
    match part:
        case Text():
            return _encode_text(part, where, adapted)
        case Refusal():
            if adapted is not None:
                adapted.note("message.refusal", "said as text")
            return {"type": "text", "text": part.text}
        case Image():
            return _encode_image(part, where, adapted)
        case Document():
            return encode_document(part, where)
        case Audio():
            raise Unsupported(f"{where}: audio cannot be said in {NAME}, the dialect of this offer.", param=where)
        case Reasoning():
            return encode_reasoning(part, where, to_client=adapted is None)
        case ToolCall():
            said: dict[str, Json] = {
                "type": "tool_use",
                "id": _identity(part.id, adapted),
                "name": part.name,
                "input": arguments_of(part, where),
            }
            said |= _proof(part, adapted)
            return _finished(said, part.cache, part.extra, where)
        case ToolResult():
            return _encode_result(part, where, adapted)


def _encode_text(part: Text, where: str, adapted: Adapted | None) -> dict[str, Json]:
    said: dict[str, Json] = {"type": "text", "text": part.text} | _proof(part, adapted)
    encode = encode_citation if adapted is None else own_citation
    citations = [wire for citation in part.citations if (wire := encode(citation)) is not None]
    if citations:
        said["citations"] = citations
    if adapted is not None and len(citations) < len(part.citations):
        adapted.note("message.citations", "left out, made by another provider")
    return _finished(said, part.cache, part.extra, where)


def _proof(part: Text | ToolCall, adapted: Adapted | None) -> dict[str, Json]:
    if adapted is None:
        return encode_proof(part.signature, part.minted_by)
    if part.signature is not None:
        adapted.note("message.signature", "left out, made by another provider")
    return {}


_IDENTITY = re.compile(r"[a-zA-Z0-9_-]+\Z")


def _identity(told: str, adapted: Adapted | None) -> str:
    """The id of a call, which this provider holds to letters, digits, `_` and `-`; others write `functions.f:0`.

    The same id becomes the same one in call and result.
    """
    if adapted is None or _IDENTITY.match(told):
        return told
    adapted.note("message.call.id", "spelled in the letters that are allowed")
    digest = blake2b(told.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '_', told)}_{digest}"


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


def _encode_image(part: Image, where: str, adapted: Adapted | None) -> dict[str, Json]:
    if adapted is not None and part.detail in ("low", "high"):
        adapted.note("message.image.detail", "left out, the image is seen whole")
    if part.data is None:
        source = {"type": "url", "url": part.url}
    elif part.media_type in IMAGE_TYPES:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    else:
        raise Unsupported(f"{where}: images must be JPEG, PNG, GIF or WebP in {NAME}.", param=where)
    return _finished({"type": "image", "source": source}, part.cache, part.extra, where)


def _encode_result(part: ToolResult, where: str, adapted: Adapted | None) -> dict[str, Json]:
    said: dict[str, Json] = {"type": "tool_result", "tool_use_id": _identity(part.call_id, adapted)}
    if part.parts:
        said["content"] = encode_blocks(part.parts, f"{where}.content", adapted)
    if part.is_error:
        said["is_error"] = True
    return _finished(said, part.cache, part.extra, where)


def _finished(said: dict[str, Json], cache: CacheMark | None, more: Extra | None, where: str) -> dict[str, Json]:
    return merged(said | cache_control(cache), own_fields(more, dialect=NAME, where=where))
