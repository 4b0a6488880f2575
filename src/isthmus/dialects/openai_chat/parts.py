"""Parts of messages: text, images, reasoning, refusals, tool calls. Both ways, for requests and answers alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from isthmus.dialects.fields import Fields, decode_signature, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_chat.name import NAME
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import CacheMark, Extra, Image, Json, Part, Reasoning, Refusal, Text, ToolCall

_SUMMARY = "reasoning.summary"
_BLOCKS = ("reasoning.text", "reasoning.encrypted")
"""Kinds of `reasoning_details` that the fields of a `Reasoning` tell apart: https://openrouter.ai/docs, "Reasoning"."""


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
            text = fields.required_text("text")
            cache = decode_cache(fields)
            return Text(text=text, cache=cache, signature=decode_signature(fields), extra=fields.unknown(NAME))
        case "image_url":
            return _decode_image(fields)
        case "refusal":
            return Refusal(text=fields.required_text("refusal"))
        case "thinking":  # Mistral: https://docs.mistral.ai/capabilities/reasoning
            inner = decode_content(fields, "thinking")
            return Reasoning(text="".join(part.text for part in inner if isinstance(part, Text)))
        case "input_audio" | "file" | "input_file" | "video_url" | "audio_url":
            raise Unsupported(
                f"{fields.path} is of type {kind}: it can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )
        case _:
            raise fields.wrong("type", "must be one of text, image_url, refusal")


def _decode_image(fields: Fields) -> Image:
    if isinstance(fields.rest.get("image_url"), str):  # some clients leave the object out
        fields.rest["image_url"] = {"url": fields.rest["image_url"]}
    inner = fields.required_inner("image_url")
    url: str | None = inner.required_text("url")
    data = media_type = None
    if url is not None and url[:5].lower() == "data:":
        head, comma, data = url[5:].partition(",")
        media_type, *parameters = head.split(";")
        if not comma or not media_type or "base64" not in parameters:
            raise inner.wrong("url", "must be an address, or data:<media type>;base64,<data>")
        url = None
    detail = inner.rest.get("detail")
    if detail in ("auto", "low", "high"):
        del inner.rest["detail"]
    else:  # a word we do not know goes on as it is
        detail = None
    cache = decode_cache(fields)
    fields.put_back("image_url", inner)
    return Image(
        url=url,
        data=data,
        media_type=media_type,
        detail=cast("Literal['auto', 'low', 'high'] | None", detail),
        cache=cache,
        extra=fields.unknown(NAME),
    )


def decode_cache(fields: Fields) -> CacheMark | None:
    """A cache mark in either of its two forms.

    `cache_control` is what OpenRouter and other services in front of Claude take; `prompt_cache_breakpoint` is OpenAI's
    own. The latter stays among the extra fields as well, so that it returns in the same form.
    """
    if (breakpoint_ := fields.rest.get("prompt_cache_breakpoint")) is not None:
        inner = Fields(breakpoint_, fields.at("prompt_cache_breakpoint"))
        return CacheMark(ttl=inner.text("ttl"))
    if (control := fields.inner("cache_control")) is None:
        return None
    if control.text("type") != "ephemeral":
        raise control.wrong("type", "must be ephemeral")
    mark = CacheMark(ttl=control.text("ttl"))
    fields.put_back("cache_control", control)
    return mark


def decode_reasoning(fields: Fields) -> list[Reasoning]:
    """Reasoning of an assistant message, in any of the forms seen.

    `reasoning_details` (OpenRouter) holds blocks with their proofs; `reasoning_content` (DeepSeek, SGLang, llama.cpp)
    and `reasoning` (vLLM, OpenRouter) hold the text alone, and say the same where there are both.
    """
    text = fields.text("reasoning_content") or ""
    if isinstance(fields.rest.get("reasoning"), str | None):
        text = text or fields.text("reasoning") or ""
    blocks = [
        _decode_reasoning_block(Fields(item, f"{fields.at('reasoning_details')}[{at}]"))
        for at, item in enumerate(fields.items("reasoning_details") or ())
    ]
    return blocks or ([Reasoning(text=text)] if text else [])


def _decode_reasoning_block(fields: Fields) -> Reasoning:
    kind = fields.required_text("type")
    text = fields.text("summary" if kind == _SUMMARY else "text") or ""
    if kind not in _BLOCKS:
        fields.rest["type"] = kind
    return Reasoning(
        text=text, signature=fields.text("signature"), encrypted=fields.text("data"), extra=fields.unknown(NAME)
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
    cache, signature = decode_cache(fields), decode_signature(fields)
    fields.rest.pop("index", None)  # some servers number the calls of whole answers too
    fields.put_back("function", function)
    return ToolCall(
        id=identity, name=name, arguments=arguments, cache=cache, signature=signature, extra=fields.unknown(NAME)
    )


# --------------------------------------------------------------------------------------------------- encoding


def encode_text(part: Text, where: str) -> dict[str, Json]:
    said: dict[str, Json] = {"type": "text", "text": part.text}
    return _marked(said, part.cache, part.signature, part.extra, where)


def encode_image(part: Image, where: str) -> dict[str, Json]:
    url = part.url if part.data is None else f"data:{part.media_type};base64,{part.data}"
    image: dict[str, Json] = {"url": url}
    if part.detail is not None:
        image["detail"] = part.detail
    return _marked({"type": "image_url", "image_url": image}, part.cache, None, part.extra, where)


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
    return _marked(said, call.cache, call.signature, call.extra, where)


def encode_reasoning(blocks: Sequence[Reasoning], where: str) -> dict[str, Json]:
    """The fields that say it: the text alone where there is no more, else the blocks with their proofs too."""
    said: dict[str, Json] = {}
    if text := "".join(block.text for block in blocks):
        said["reasoning_content"] = text
    plain = len(blocks) <= 1 and all(
        block.signature is None and block.encrypted is None and block.extra is None for block in blocks
    )
    if not plain or (blocks and not text):
        said["reasoning_details"] = [
            _encode_reasoning_block(block, f"{where}.reasoning_details[{at}]") for at, block in enumerate(blocks)
        ]
    return said


def _encode_reasoning_block(block: Reasoning, where: str) -> dict[str, Json]:
    own = own_fields(block.extra, dialect=NAME, where=where)
    kind = own.get("type", "reasoning.text" if block.encrypted is None else "reasoning.encrypted")
    said: dict[str, Json] = {"type": kind}
    if block.text or kind == "reasoning.text":
        said["summary" if kind == _SUMMARY else "text"] = block.text
    if block.encrypted is not None:
        said["data"] = block.encrypted
    if block.signature is not None:
        said["signature"] = block.signature
    return merged(said, own)


def cache_fields(cache: CacheMark | None, extra: Extra | None) -> dict[str, Json]:
    if cache is None or (extra is not None and "prompt_cache_breakpoint" in extra.fields):
        return {}
    control: dict[str, Json] = {"type": "ephemeral"}
    if cache.ttl is not None:
        control["ttl"] = cache.ttl
    return {"cache_control": control}


def _marked(
    said: dict[str, Json], cache: CacheMark | None, signature: str | None, extra: Extra | None, where: str
) -> dict[str, Json]:
    said |= cache_fields(cache, extra)
    if signature is not None:
        said["extra_content"] = {"google": {"thought_signature": signature}}
    return merged(said, own_fields(extra, dialect=NAME, where=where))
