"""Sounds and documents in messages, both ways.

Source: https://platform.openai.com/docs/guides/pdf-files and /docs/guides/audio, "Chat Completions"; `audio_url` is
vLLM's (https://docs.vllm.ai, "Multimodal Inputs"), an address in `file_data` OpenRouter's (https://openrouter.ai/docs,
"PDF Inputs").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_chat.cache import cache_fields, decode_cache
from isthmus.dialects.openai_chat.name import NAME
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Audio, Document, Extra, Json, Part, Text

_FORMATS: Mapping[str, str] = {"audio/mpeg": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}
_MEDIA_TYPES: Mapping[str, str] = {"mp3": "audio/mpeg"}
_SUFFIXES: Mapping[str, str] = {"application/pdf": "pdf", "text/plain": "txt"}


class DataUrl(NamedTuple):
    media_type: str
    data: str


def read_data_url(url: str, fields: Fields, name: str) -> DataUrl | None:
    """What a `data:` URL holds; None where it is another address.

    Raises:
        InvalidRequest: it is one without media type or base64.
    """
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or not media_type or "base64" not in parameters:
        raise fields.wrong(name, "must be an address, or data:<media type>;base64,<data>")
    return DataUrl(media_type, data)


# --------------------------------------------------------------------------------------------------- decoding


def decode_input_audio(fields: Fields) -> Audio:
    """A part of type input_audio."""
    inner = fields.required_inner("input_audio")
    data, form = inner.required_text("data"), inner.required_text("format")
    cache = decode_cache(fields)
    fields.put_back("input_audio", inner)
    media_type = _MEDIA_TYPES.get(form, f"audio/{form}")
    return Audio(data=data, media_type=media_type, cache=cache, extra=fields.unknown(NAME))


def decode_audio_url(fields: Fields) -> Audio:
    """A part of type audio_url."""
    inner = fields.required_inner("audio_url")
    url = inner.required_text("url")
    value = read_data_url(url, inner, "url")
    cache = decode_cache(fields)
    fields.put_back("audio_url", inner)
    if value is not None:
        return Audio(data=value.data, media_type=value.media_type, cache=cache, extra=fields.unknown(NAME))
    return Audio(url=url, cache=cache, extra=fields.unknown(NAME))


def decode_file(fields: Fields) -> Document:
    """A part of type file: by value, by address, or known to the provider."""
    inner = fields.required_inner("file")
    told, title, file_id = inner.text("file_data"), inner.text("filename"), inner.text("file_id")
    cache = decode_cache(fields)
    fields.put_back("file", inner)
    if (told is None) == (file_id is None):
        raise InvalidRequest(f"{inner.path} must have either file_data or file_id.", param=inner.path)
    if told is None:  # that it is known to this provider is told by whose the extra fields are, even without any
        return Document(file_id=file_id, title=title, cache=cache, extra=Extra(NAME, fields.rest))
    if told.startswith(("http://", "https://")):
        return Document(url=told, title=title, cache=cache, extra=fields.unknown(NAME))
    value = read_data_url(told, inner, "file_data")
    if value is None:
        raise inner.wrong("file_data", "must be data:<media type>;base64,<data>")
    return Document(data=value.data, media_type=value.media_type, title=title, cache=cache, extra=fields.unknown(NAME))


# --------------------------------------------------------------------------------------------------- encoding


def encode_audio(part: Audio, where: str) -> dict[str, Json]:
    """A part for a sound.

    Raises:
        Unsupported: it is of a type that is no sound.
    """
    if part.data is None:
        return _finished({"type": "audio_url", "audio_url": {"url": part.url}}, part, where)
    kind = (part.media_type or "").partition(";")[0].strip().lower()
    if not kind.startswith("audio/"):
        raise Unsupported(f"{where}: {kind} is no type of sound in {NAME}.", param=where)
    form = _FORMATS.get(kind, kind.removeprefix("audio/"))
    return _finished({"type": "input_audio", "input_audio": {"data": part.data, "format": form}}, part, where)


def encode_document(part: Document, where: str) -> dict[str, Json]:
    """A part for a document that is not text.

    Raises:
        Unsupported: it is a file of another provider's, or the answer is to cite it.
    """
    _check_citations(part, where)
    file: dict[str, Json] = {} if part.title is None else {"filename": part.title}
    if part.file_id is not None:
        if part.extra is None or part.extra.dialect != NAME:
            raise Unsupported(
                f"{where} is a file that only the provider knows to which it was uploaded.",
                hint="Send the file itself.",
                param=where,
            )
        file["file_id"] = part.file_id
    elif part.url is not None:
        file["file_data"] = part.url
    else:
        # OpenAI refuses data without a name, of which it reads the suffix.
        file.setdefault("filename", f"document.{_SUFFIXES.get(part.media_type or '', 'bin')}")
        file["file_data"] = f"data:{part.media_type};base64,{part.data}"
    return _finished({"type": "file", "file": file}, part, where)


def spelled(parts: Sequence[Part], where: str, adapted: Adapted) -> list[Part]:
    """The parts as this dialect has them: documents of plain text, and what is said about a document, are text.

    Raises:
        Unsupported: the answer is to cite a document.
    """
    found: list[Part] = []
    for at, part in enumerate(parts):
        if not isinstance(part, Document):
            found.append(part)
            continue
        _check_citations(part, f"{where}[{at}]")
        if part.text is not None:
            adapted.note("message.document.text", "said as text of the message")
            found.append(Text(text=_as_text(part), cache=part.cache, extra=part.extra))
        elif part.context is not None:
            adapted.note("message.document.context", "said as text before the document")
            found += [Text(text=part.context), replace(part, context=None)]
        else:
            found.append(part)
    return found


def _check_citations(part: Document, where: str) -> None:
    if part.citations:
        raise Unsupported(
            f"{where}: that an answer is to cite a document cannot be said in {NAME}, the dialect of this offer.",
            param=f"{where}.citations",
        )


def _as_text(part: Document) -> str:
    """A document between marks, which keep its words apart from those of the message."""
    head = [f"<{name}>{value}</{name}>" for name in ("title", "context") if (value := getattr(part, name))]
    return "\n".join(["<document>", *head, part.text or "", "</document>"])


def _finished(said: dict[str, Json], part: Audio | Document, where: str) -> dict[str, Json]:
    return merged(said | cache_fields(part.cache, part.extra), own_fields(part.extra, dialect=NAME, where=where))
