"""Parts of messages: text, images, refusals, tool calls. Both ways, for requests and answers alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.google import decode_proof, encode_proof
from isthmus.dialects.openai_chat.cache import cache_fields, decode_cache
from isthmus.dialects.openai_chat.files import (
    decode_audio_url,
    decode_file,
    decode_input_audio,
    encode_audio,
    encode_document,
    read_data_url,
)
from isthmus.dialects.openai_chat.name import NAME
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
)

# --------------------------------------------------------------------------------------------------- decoding


def decode_content(fields: Fields, name: str = "content") -> list[Part]:
    """The parts of `content`, a string or a list; none where it is null or not there.

    Raises:
        InvalidRequest: neither.
        Unsupported: a kind of part the domain cannot carry.
    """
    value = fields.rest.pop(name, None)
    if value is None:
        return []
    if isinstance(value, str):
        return [Text(text=value)]
    if not isinstance(value, list):
        raise fields.wrong(name, "must be a string or a list of parts")
    return [_decode_part(Fields(item, f"{fields.at(name)}[{at}]")) for at, item in enumerate(value)]


def _decode_part(fields: Fields) -> Part:
    kind = fields.required_text("type")
    match kind:
        case "text":
            text, cache = fields.required_text("text"), decode_cache(fields)
            signature, minted_by = decode_proof(fields)
            return Text(text=text, cache=cache, signature=signature, minted_by=minted_by, extra=fields.unknown(NAME))
        case "image_url":
            return _decode_image(fields)
        case "refusal":
            return Refusal(text=fields.required_text("refusal"))
        case "thinking":  # Mistral: https://docs.mistral.ai/capabilities/reasoning
            inner = decode_content(fields, "thinking")
            return Reasoning(text="".join(part.text for part in inner if isinstance(part, Text)))
        case "input_audio":
            return decode_input_audio(fields)
        case "audio_url":
            return decode_audio_url(fields)
        case "file":
            return decode_file(fields)
        case "input_file" | "video_url" | "document_url" | "file_url":  # the last two are Mistral's and Perplexity's
            raise Unsupported(
                f"{fields.path} is of type {kind}: it can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )
        case _:
            raise fields.wrong("type", "must be one of text, image_url, input_audio, file, refusal")


def _decode_image(fields: Fields) -> Image:
    if isinstance(fields.rest.get("image_url"), str):  # some clients leave the object out
        fields.rest["image_url"] = {"url": fields.rest["image_url"]}
    inner = fields.required_inner("image_url")
    told = inner.required_text("url")
    value = read_data_url(told, inner, "url")
    detail = inner.rest.get("detail")
    if detail in ("auto", "low", "high"):
        del inner.rest["detail"]
    else:  # a word we do not know goes on as it is
        detail = None
    cache = decode_cache(fields)
    fields.put_back("image_url", inner)
    return Image(
        url=told if value is None else None,
        data=None if value is None else value.data,
        media_type=None if value is None else value.media_type,
        detail=cast("Literal['auto', 'low', 'high'] | None", detail),
        cache=cache,
        extra=fields.unknown(NAME),
    )


def decode_calls(fields: Fields) -> list[ToolCall]:
    """Tool calls of an assistant message."""
    return [
        _decode_call(Fields(item, f"{fields.at('tool_calls')}[{at}]"))
        for at, item in enumerate(fields.items("tool_calls") or ())
    ]


def _decode_call(fields: Fields) -> ToolCall:
    kind = fields.text("type")
    if kind not in (None, "function"):
        raise Unsupported(
            f"{fields.at('type')} must be function: other kinds of tools can only be passed through.",
            param=fields.at("type"),
        )
    function = fields.required_inner("function")
    name = function.required_text("name")
    arguments = function.rest.pop("arguments", None)
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        raise function.wrong("arguments", "must be a string of JSON")
    identity = fields.required_text("id")
    cache, (signature, minted_by) = decode_cache(fields), decode_proof(fields)
    fields.rest.pop("index", None)  # some servers number the calls of whole answers too
    fields.put_back("function", function)
    return ToolCall(
        id=identity,
        name=name,
        arguments=arguments,
        cache=cache,
        signature=signature,
        minted_by=minted_by,
        extra=fields.unknown(NAME),
    )


# --------------------------------------------------------------------------------------------------- encoding


def encode_text(part: Text, where: str) -> dict[str, Json]:
    said: dict[str, Json] = {"type": "text", "text": part.text} | encode_proof(part.signature, part.minted_by)
    return _finished(said, part.cache, part.extra, where)


def encode_image(part: Image, where: str) -> dict[str, Json]:
    url = part.url if part.data is None else f"data:{part.media_type};base64,{part.data}"
    image: dict[str, Json] = {"url": url}
    if part.detail is not None:
        image["detail"] = part.detail
    return _finished({"type": "image_url", "image_url": image}, part.cache, part.extra, where)


def encode_content(parts: Sequence[Part], where: str) -> str | list[Json]:
    """A string where that says it all (some servers take nothing else), else a list."""
    match parts:
        case []:
            return ""
        case [Text(text=text, cache=None, signature=None, extra=None)]:
            return text
        case _:
            return [_encode_part(part, f"{where}[{at}]") for at, part in enumerate(parts)]


def _encode_part(part: Part, where: str) -> dict[str, Json]:
    match part:
        case Text():
            return encode_text(part, where)
        case Image():
            return encode_image(part, where)
        case Audio():
            return encode_audio(part, where)
        case Document():
            return encode_document(part, where)
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case _:
            raise InvalidRequest(f"{where} holds a part that has no place there.", param=where)


def encode_call(call: ToolCall, where: str) -> dict[str, Json]:
    said: dict[str, Json] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    return _finished(said | encode_proof(call.signature, call.minted_by), call.cache, call.extra, where)


def _finished(said: dict[str, Json], cache: CacheMark | None, extra: Extra | None, where: str) -> dict[str, Json]:
    return merged(said | cache_fields(cache, extra), own_fields(extra, dialect=NAME, where=where))
