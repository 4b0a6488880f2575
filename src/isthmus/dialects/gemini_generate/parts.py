"""Parts of contents, both ways, for requests and answers alike.

Source: https://ai.google.dev/api/caching#Part and the types of the `google-genai` package, 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.octets import bytes_of, standard, text_of
from isthmus.dialects.gemini_generate.signatures import decode_proof, for_client
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

Media = Image | Audio | Document

_SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".pdf": "application/pdf",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
}
_LEVELS: Mapping[str, Literal["low", "high"]] = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_CONTENT = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_KEPT = ("https://generativelanguage.googleapis.com/", "gs://")
"""Addresses that only Google can read: of files that were uploaded to it."""


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
    told = fields.text("thoughtSignature")
    proof = decode_proof(told)
    match kinds:
        case ["text"] if thought:
            return Reasoning(text=fields.text("text") or "", **proof._asdict(), extra=fields.unknown(NAME))
        case ["text"]:
            return Text(
                text=fields.text("text") or "",
                signature=proof.signature,
                minted_by=proof.minted_by,
                extra=fields.unknown(NAME),
            )
        case ["functionCall"]:
            return _decode_call(fields, proof.signature, proof.minted_by, call_id)
        case ["functionResponse"]:
            return _decode_result(fields)
        case [] if told is not None and not fields.rest:  # a proof alone, as streams end with
            if thought:
                return Reasoning(**proof._asdict())
            return Text(text="", signature=proof.signature, minted_by=proof.minted_by)
        case ["inlineData" | "fileData"]:
            if told is not None:  # of a picture that the model made: it goes back to its provider, and to nobody else
                fields.rest["thoughtSignature"] = told
            return _decode_media(fields)
        case _:
            raise Unsupported(
                f"{fields.path} is a part of a kind that can only be sent to an offer that speaks {NAME} itself.",
                param=fields.path,
            )


def _decode_media(fields: Fields) -> Media:
    if (blob := fields.inner("inlineData")) is not None:
        media_type = blob.required_text("mimeType")
        made = _by_value(standard(blob.required_text("data")), media_type, _name(blob))
        fields.put_back("inlineData", blob)
        where = blob.at("mimeType")
    else:
        file = fields.required_inner("fileData")
        url, told = file.required_text("fileUri"), file.text("mimeType")
        guessed = _guessed(url)
        made = _by_address(url, told or guessed or "image/*", told if told != guessed else None, file)
        fields.put_back("fileData", file)
        where = file.at("mimeType")
    if made is None:
        raise Unsupported(
            f"{where} must be that of an image, a sound or a document; other media can only be sent to an offer that "
            f"speaks {NAME} itself.",
            param=where,
        )
    if isinstance(made, Image):
        return Image(
            url=made.url,
            data=made.data,
            media_type=made.media_type,
            detail=_decode_detail(fields),
            extra=fields.unknown(NAME),
        )
    more = fields.unknown(NAME)
    if isinstance(made, Audio):
        return Audio(url=made.url, data=made.data, media_type=made.media_type, extra=more)
    return Document(
        url=made.url,
        data=made.data,
        text=made.text,
        file_id=made.file_id,
        media_type=made.media_type,
        title=made.title,
        extra=more,
    )


def _name(source: Fields) -> str | None:
    """The name of a document. It stays among the fields, for not every API of this dialect takes it."""
    name = source.rest.get("displayName")
    return name if isinstance(name, str) else None


def _by_value(data: str, media_type: str, title: str | None) -> Media | None:
    match media_type.partition("/")[0]:
        case "image":
            return Image(data=data, media_type=media_type)
        case "audio":
            return Audio(data=data, media_type=media_type)
        case "text":
            text = _text_of(data)
            if text is not None:
                return Document(text=text, media_type=media_type, title=title)
            return Document(data=data, media_type=media_type, title=title)
        case "application":
            return Document(data=data, media_type=media_type, title=title)
        case _:
            return None


def _by_address(url: str, kind: str, media_type: str | None, file: Fields) -> Media | None:
    """`kind`: media type as told or guessed; `media_type`: as told, where it could not be guessed."""
    if url.startswith(_KEPT):  # no other provider can read it: this makes the encoders of other dialects refuse it
        file.rest["fileUri"] = url
    match kind.partition("/")[0]:
        case "image":
            return Image(url=url, media_type=media_type)
        case "audio":
            return Audio(url=url, media_type=media_type)
        case "text" | "application":
            title = _name(file)
            if url.startswith(_KEPT):
                return Document(file_id=url, media_type=kind, title=title)
            return Document(url=url, media_type=kind, title=title)
        case _:
            return None


def _text_of(data: str) -> str | None:
    raw = bytes_of(data)
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


def _decode_detail(fields: Fields) -> Literal["low", "high"] | None:
    match fields.rest.get("mediaResolution"):
        case {"level": str(level), **others} if not others and level in _LEVELS:
            del fields.rest["mediaResolution"]
            return _LEVELS[level]
        case _:
            return None


def _decode_call(fields: Fields, signature: str | None, minted_by: str | None, call_id: str) -> ToolCall:
    call = fields.required_inner("functionCall")
    arguments = call.inner("args")
    identity, name = call.text("id") or call_id, call.required_text("name")
    fields.put_back("functionCall", call)
    return ToolCall(
        id=identity,
        name=name,
        arguments=msgspec.json.encode({} if arguments is None else arguments.rest).decode(),
        signature=signature,
        minted_by=minted_by,
        extra=fields.unknown(NAME),
    )


def _decode_result(fields: Fields) -> ToolResult:
    """A result. The key `output` holds what a tool said and `error` how it failed; any other object is its own text."""
    response = fields.required_inner("functionResponse")
    name, call_id = response.required_text("name"), response.text("id")
    said = response.inner("response")
    parts: list[Text | Media] = []
    is_error = False
    match {} if said is None else said.rest:
        case {"output": told, **others} if not others:
            parts += _texts(told)
        case {"result": told, **others} if not others:  # what google-genai wraps a function's value in
            parts += _texts(told)
        case {"error": told, **others} if not others:
            is_error = True
            parts += [] if told == "" else _texts(told)
        case {} as told:
            parts += _texts(told) if told else []
    for at, item in enumerate(response.items("parts") or ()):
        parts.append(_decode_media(Fields(item, f"{response.at('parts')}[{at}]")))
    fields.put_back("functionResponse", response)
    # Where the id is left out, the name is what tells the calls apart.
    return ToolResult(
        call_id=call_id or name, name=name, parts=tuple(parts), is_error=is_error, extra=fields.unknown(NAME)
    )


def _texts(told: Json) -> list[Text]:
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


class ToOffer:
    """How parts are said to an offer: what only another provider understands is left out, what cannot be said refused.

    Args:
        adapted: where to note what is said otherwise than it was meant.
    """

    def __init__(self, adapted: Adapted) -> None:
        self.adapted = adapted
        self._names: dict[str, str] = {}

    def parts(self, parts: Sequence[Part], where: str) -> list[dict[str, Json]]:
        """The parts of a message; there may be none of them left.

        Raises:
            Unsupported: this dialect cannot say one.
        """
        self._names |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        return [said for at, part in enumerate(parts) for said in self._part(part, f"{where}[{at}]")]

    def _part(self, part: Part, where: str) -> list[dict[str, Json]]:
        match part:
            case Text():
                return [self._text(part, where)]
            case Refusal():
                self.adapted.note("message.refusal", "said as text")
                return [{"text": part.text}]
            case Reasoning():
                return self._reasoning(part, where)
            case Image() | Audio() | Document():
                return self._media_and_context(part, where)
            case ToolCall():
                self._mark(part.cache)
                call = {"id": part.id, "name": part.name, "args": _arguments(part, where)}
                proof = self._proof(part.signature, part.minted_by)
                return [self._finished({"functionCall": call}, proof, part.extra, where)]
            case ToolResult():
                return [self._result(part, where)]

    def _text(self, part: Text, where: str) -> dict[str, Json]:
        self._mark(part.cache)
        if part.citations:
            self.adapted.note("message.citations", "left out")
        return self._finished({"text": part.text}, self._proof(part.signature, part.minted_by), part.extra, where)

    def _reasoning(self, part: Reasoning, where: str) -> list[dict[str, Json]]:
        if part.encrypted is not None:
            if part.minted_by in (None, NAME):
                raise Unsupported(
                    f"{where}: encrypted reasoning cannot be said in {NAME}.",
                    hint="Leave it out of the conversation.",
                    param=where,
                )
            self._leave_out_proof(part.minted_by)
        proof = self._proof(part.signature, part.minted_by)
        if not part.text and proof is None:
            return []
        return [self._finished({"text": part.text, "thought": True}, proof, part.extra, where)]

    def _proof(self, signature: str | None, minted_by: str | None) -> str | None:
        if signature is None or minted_by in (None, NAME):
            return signature
        self._leave_out_proof(minted_by)
        return None

    def _leave_out_proof(self, minted_by: str | None) -> None:
        self.adapted.note("message.signature", f"left out, made by {minted_by}")

    def _media_and_context(self, part: Media, where: str) -> list[dict[str, Json]]:
        return [*({"text": context} for context in self._context(part)), self._alone(part, where)]

    def _context(self, part: Media) -> list[str]:
        if not isinstance(part, Document) or part.context is None:
            return []
        self.adapted.note("message.document.context", "said as text before the document")
        return [part.context]

    def _alone(self, part: Media, where: str) -> dict[str, Json]:
        return self._finished(self._media(part, where), None, part.extra, where)

    def _media(self, part: Media, where: str) -> dict[str, Json]:
        """By value, or by address: Google fetches public addresses itself.

        Source: https://ai.google.dev/gemini-api/docs/file-input-methods
        """
        self._mark(part.cache)
        if isinstance(part, Document):
            return self._document(part, where)
        said = _by(part.url, part.data, part.media_type)
        if isinstance(part, Image) and part.detail in ("low", "high"):
            said["mediaResolution"] = {"level": f"MEDIA_RESOLUTION_{part.detail.upper()}"}
        return said

    def _document(self, part: Document, where: str) -> dict[str, Json]:
        if part.citations:
            raise Unsupported(
                f"{where}: that a document be cited cannot be asked for in {NAME}, the dialect of this offer.",
                param=f"{where}.citations",
            )
        if part.title is not None and not _has_name(part.extra):
            self.adapted.note("message.document.title", "left out")
        if part.file_id is not None and not part.file_id.startswith(("https://", "gs://")):
            raise Unsupported(
                f"{where}: a file that another provider keeps cannot be read by this offer.",
                hint="Send its content.",
                param=f"{where}.file_id",
            )
        if part.text is not None:
            return _by(None, text_of(part.text.encode()), part.media_type or "text/plain")
        return _by(part.url or part.file_id, part.data, part.media_type)

    def _result(self, part: ToolResult, where: str) -> dict[str, Json]:
        name = part.name or self._names.get(part.call_id)
        if name is None:
            raise Unsupported(
                f"{where}: the name of the tool is needed in {NAME}, and no call has the id of this result.",
                param=where,
            )
        self._mark(part.cache)
        texts: list[str] = []
        media: list[dict[str, Json]] = []
        for at, item in enumerate(part.parts):
            inner = f"{where}.content[{at}]"
            if isinstance(item, Text):
                self._mark(item.cache)
                own_fields(item.extra, dialect=NAME, where=inner)
                texts.append(item.text)
                if media:
                    self.adapted.note("message.result", "images and other media behind the texts")
            else:
                texts += self._context(item)
                media.append(self._alone(item, inner))
        key = "error" if part.is_error else "output"
        response: dict[str, Json] = {}
        if texts or part.is_error:
            response[key] = texts if len(texts) > 1 else "".join(texts)
        said: dict[str, Json] = {"id": part.call_id, "name": name, "response": response}
        if media:
            said["parts"] = media
        return self._finished({"functionResponse": said}, None, part.extra, where)

    def _mark(self, cache: CacheMark | None) -> None:
        if cache is not None:
            self.adapted.note("cache", "left out, the provider caches of its own accord")

    def _finished(
        self, said: dict[str, Json], signature: str | None, more: Extra | None, where: str
    ) -> dict[str, Json]:
        if signature is not None:
            said["thoughtSignature"] = signature
        return merged(said, own_fields(more, dialect=NAME, where=where, adapted=self.adapted))


def answer_part(part: Part) -> dict[str, Json] | None:
    """One part of an answer, as a client of this dialect is handed it; None: there is no saying it.

    That is so of a call whose arguments are no JSON object: the reason to finish tells of it.
    """
    match part:
        case Text():
            return _handed({"text": part.text}, for_client(part.signature, None, part.minted_by), part.extra)
        case Refusal():
            return {"text": part.text}
        case Reasoning():
            proof = for_client(part.signature, part.encrypted, part.minted_by)
            return _handed({"text": part.text, "thought": True}, proof, part.extra)
        case ToolCall():
            arguments = arguments_of(part)
            if arguments is None:
                return None
            call = {"id": part.id, "name": part.name, "args": arguments}
            return _handed({"functionCall": call}, for_client(part.signature, None, part.minted_by), part.extra)
        case Image() | Audio():
            return _handed(_by(part.url, part.data, part.media_type), None, part.extra)
        case Document() | ToolResult():  # no model answers with these
            return None


def _handed(said: dict[str, Json], signature: str | None, more: Extra | None) -> dict[str, Json]:
    if signature is not None:
        said["thoughtSignature"] = signature
    return said if more is None or more.dialect != NAME else merged(said, more.fields)


def _by(url: str | None, data: str | None, media_type: str | None) -> dict[str, Json]:
    if data is not None:
        return {"inlineData": {"mimeType": media_type, "data": data}}
    file: dict[str, Json] = {"fileUri": url}
    if (kind := media_type or _guessed(url)) is not None:
        file["mimeType"] = kind
    return {"fileData": file}


def _has_name(more: Extra | None) -> bool:
    """Whether the document's name is among the fields that go back unchanged."""
    return (
        more is not None
        and more.dialect == NAME
        and any(
            "displayName" in inner
            for name in ("inlineData", "fileData")
            if isinstance(inner := more.fields.get(name), dict)
        )
    )


def arguments_of(call: ToolCall) -> dict[str, Json] | None:
    """The arguments; None: they are no JSON object. Some models write null, or nothing, for no arguments."""
    try:
        content: Json = msgspec.json.decode(call.arguments or "{}")
    except UNREADABLE:
        return None
    if content is None:
        return {}
    return content if isinstance(content, dict) else None


def _arguments(call: ToolCall, where: str) -> dict[str, Json]:
    if (content := arguments_of(call)) is None:
        raise Unsupported(
            f"{where}: the arguments of a tool call must be a JSON object in the dialect of this offer.",
            hint="Leave the broken call out of the conversation.",
            param=where,
        )
    return content
