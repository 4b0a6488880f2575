"""Parts of contents, both ways, for requests and answers alike.

Source: https://ai.google.dev/api/caching#Part and the types of the `google-genai` package, 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Extra, Image, Json, Part, Reasoning, Refusal, Text, ToolCall, ToolResult

_SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
}
_LEVELS: Mapping[str, Literal["low", "high"]] = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_CONTENT = ("text", "inlineData", "fileData", "functionCall", "functionResponse")


# --------------------------------------------------------------------------------------------------- decoding


def decode_part(fields: Fields, *, call_id: str) -> Part:
    """One part.

    Args:
        fields: the part.
        call_id: for a call without an id, as many models make them.

    Raises:
        InvalidRequest: it has no content, or several.
        Unsupported: a kind of part the domain cannot carry.
    """
    kinds = [name for name in _CONTENT if fields.rest.get(name) is not None]
    if len(kinds) > 1:
        raise InvalidRequest(f"{fields.path} holds both {kinds[0]} and {kinds[1]}.", param=fields.path)
    thought = fields.boolean("thought") or False
    signature = fields.text("thoughtSignature")
    match kinds:
        case ["text"] if thought:
            return Reasoning(text=fields.text("text") or "", signature=signature, extra=fields.unknown(NAME))
        case ["text"]:
            return Text(text=fields.text("text") or "", signature=signature, extra=fields.unknown(NAME))
        case ["functionCall"]:
            return _decode_call(fields, signature, call_id)
        case ["functionResponse"]:
            return _decode_result(fields)
        case [] if signature is not None and not fields.rest:  # a proof alone, as streams end with
            return Reasoning(signature=signature) if thought else Text(text="", signature=signature)
        case ["inlineData" | "fileData"] if signature is None:
            return _decode_image(fields)
        case _:
            raise Unsupported(
                f"{fields.path} is a part of a kind that can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )


def _decode_image(fields: Fields) -> Image:
    url = data = media_type = None
    if (blob := fields.inner("inlineData")) is not None:
        data, media_type = blob.required_text("data"), blob.required_text("mimeType")
        fields.put_back("inlineData", blob)
        if not media_type.startswith("image/"):
            raise Unsupported(f"{blob.at('mimeType')} must be that of an image.", param=blob.at("mimeType"))
    else:
        file = fields.required_inner("fileData")
        url, media_type = file.required_text("fileUri"), file.text("mimeType")
        if media_type is not None and not media_type.startswith("image/"):
            raise Unsupported(f"{file.at('mimeType')} must be that of an image.", param=file.at("mimeType"))
        fields.put_back("fileData", file)
        if media_type == _guessed(url):
            media_type = None
    detail: Literal["low", "high"] | None = None
    match fields.rest.get("mediaResolution"):
        case {"level": str(level), **others} if not others and level in _LEVELS:
            detail = _LEVELS[level]
            del fields.rest["mediaResolution"]
        case _:
            pass
    return Image(url=url, data=data, media_type=media_type, detail=detail, extra=fields.unknown(NAME))


def _decode_call(fields: Fields, signature: str | None, call_id: str) -> ToolCall:
    call = fields.required_inner("functionCall")
    arguments = call.inner("args")
    identity, name = call.text("id") or call_id, call.required_text("name")
    fields.put_back("functionCall", call)
    return ToolCall(
        id=identity,
        name=name,
        arguments=msgspec.json.encode({} if arguments is None else arguments.rest).decode(),
        signature=signature,
        extra=fields.unknown(NAME),
    )


def _decode_result(fields: Fields) -> ToolResult:
    """A result. The key `output` holds what a tool said and `error` how it failed; any other object is its own text."""
    response = fields.required_inner("functionResponse")
    name, call_id = response.required_text("name"), response.text("id")
    said = response.inner("response")
    parts: list[Text | Image] = []
    is_error = False
    match {} if said is None else said.rest:
        case {"output": told, **others} if not others:
            parts += _texts(told)
        case {"error": told, **others} if not others:
            is_error = True
            parts += _texts(told)
        case {} as told:
            parts += _texts(told) if told else []
    for at, item in enumerate(response.items("parts") or ()):
        parts.append(_decode_image(Fields(item, f"{response.at('parts')}[{at}]")))
    fields.put_back("functionResponse", response)
    # Where the id is left out, the name is what tells the calls apart.
    return ToolResult(
        call_id=call_id or name, name=name, parts=tuple(parts), is_error=is_error, extra=fields.unknown(NAME)
    )


def _texts(told: Json) -> list[Text | Image]:
    if isinstance(told, str):
        return [Text(text=told)]
    if isinstance(told, list) and told and all(isinstance(text, str) for text in told):
        return [Text(text=text) for text in told]
    return [Text(text=msgspec.json.encode(told).decode())]


def _guessed(url: str | None) -> str | None:
    """Media type by the suffix of an address."""
    path = (url or "").partition("?")[0].partition("#")[0].lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if path.endswith(suffix)), None)


# --------------------------------------------------------------------------------------------------- encoding


def encode_part(part: Part, where: str, names: Mapping[str, str]) -> dict[str, Json]:
    """One part. `names`: of the tools called so far, by id of the call.

    Raises:
        Unsupported: this dialect cannot say it.
    """
    match part:
        case Text():
            return _finished({"text": part.text}, part.signature, part.extra, where)
        case Refusal():
            return {"text": part.text}
        case Reasoning():
            if part.encrypted is not None:
                raise Unsupported(
                    f"{where}: encrypted reasoning cannot be said in {NAME}.",
                    hint="Leave it out of the conversation.",
                    param=where,
                )
            return _finished({"text": part.text, "thought": True}, part.signature, part.extra, where)
        case Image():
            said = _encode_image(part)
            if part.detail in ("low", "high"):
                said["mediaResolution"] = {"level": f"MEDIA_RESOLUTION_{part.detail.upper()}"}
            return _finished(said, None, part.extra, where)
        case ToolCall():
            call = {"id": part.id, "name": part.name, "args": _arguments(part, where)}
            return _finished({"functionCall": call}, part.signature, part.extra, where)
        case ToolResult():
            return _encode_result(part, where, names)


def _arguments(call: ToolCall, where: str) -> dict[str, Json]:
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


def _encode_image(part: Image) -> dict[str, Json]:
    """By value, or by address: Google fetches public addresses itself.

    Source: https://ai.google.dev/gemini-api/docs/file-input-methods
    """
    if part.data is not None:
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    file: dict[str, Json] = {"fileUri": part.url}
    if (media_type := part.media_type or _guessed(part.url)) is not None:
        file["mimeType"] = media_type
    return {"fileData": file}


def _encode_result(part: ToolResult, where: str, names: Mapping[str, str]) -> dict[str, Json]:
    name = part.name or names.get(part.call_id)
    if name is None:
        raise Unsupported(
            f"{where}: the name of the tool is needed in {NAME}, and no call has the id of this result.", param=where
        )
    for at, item in enumerate(part.parts):
        own_fields(item.extra, dialect=NAME, where=f"{where}.content[{at}]")
    texts = [item.text for item in part.parts if isinstance(item, Text)]
    key = "error" if part.is_error else "output"
    response: dict[str, Json] = {}
    if texts or part.is_error:
        response[key] = texts[0] if len(texts) == 1 else texts
    said: dict[str, Json] = {"id": part.call_id, "name": name, "response": response}
    if images := [_encode_image(item) for item in part.parts if isinstance(item, Image)]:
        said["parts"] = images
    return _finished({"functionResponse": said}, None, part.extra, where)


def encode_parts(parts: Sequence[Part], where: str, names: Mapping[str, str]) -> list[dict[str, Json]]:
    return [encode_part(part, f"{where}[{at}]", names) for at, part in enumerate(parts)]


def _finished(said: dict[str, Json], signature: str | None, more: Extra | None, where: str) -> dict[str, Json]:
    if signature is not None:
        said["thoughtSignature"] = signature
    return merged(said, own_fields(more, dialect=NAME, where=where))
