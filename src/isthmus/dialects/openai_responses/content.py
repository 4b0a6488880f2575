"""Parts of messages and of results of tools: text, images, sound, documents, refusals. Both ways."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, cast

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_responses.name import NAME
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Audio,
    CacheMark,
    Citation,
    Document,
    Extra,
    Image,
    Json,
    Part,
    Refusal,
    Text,
)

_SOUNDS: Mapping[str, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_FORMATS: Mapping[str, str] = {"audio/mpeg": "mp3", "audio/x-wav": "wav"}
"""Others are what their types end with; which the model can hear is the provider's to say."""


class _Inline(NamedTuple):
    media_type: str
    data: str


# --------------------------------------------------------------------------------------------------- decoding


def decode_content(fields: Fields, name: str) -> list[Part]:
    """The parts of `content` or `output`, a string or a list.

    Raises:
        InvalidRequest: neither.
        Unsupported: a kind of part the domain cannot carry.
    """
    value = fields.rest.pop(name, None)
    if value is None:
        raise fields.wrong(name, "is missing")
    if isinstance(value, str):
        return [Text(text=value)]
    if not isinstance(value, list):
        raise fields.wrong(name, "must be a string or a list of parts")
    return [_decode_part(Fields(item, f"{fields.at(name)}[{at}]")) for at, item in enumerate(value)]


def _decode_part(fields: Fields) -> Part:
    kind = fields.required_text("type")
    match kind:
        case "input_text" | "output_text" | "text":
            return _decode_text(fields)
        case "input_image":
            return _decode_image(fields)
        case "input_file":
            return _decode_file(fields)
        case "input_audio":
            return _decode_audio(fields)
        case "refusal":
            return Refusal(text=fields.required_text("refusal"))
        case _:
            raise Unsupported(
                f"{fields.at('type')} must be one of input_text, input_image, input_file, input_audio, output_text, "
                f"refusal: others can only be sent to an offer that speaks {NAME} itself.",
                param=fields.at("type"),
            )


def _decode_text(fields: Fields) -> Text:
    text = fields.required_text("text")
    fields.rest.pop("logprobs", None)  # of an earlier answer, as clients return it
    annotations = fields.items("annotations") or ()
    cited = tuple(
        decode_citation(Fields(item, f"{fields.at('annotations')}[{at}]")) for at, item in enumerate(annotations)
    )
    return Text(text=text, cache=_decode_cache(fields), citations=cited, extra=fields.unknown(NAME))


def decode_citation(fields: Fields) -> Citation:
    """A citation. The extra fields, even without any, tell whose it is; one of a file keeps its own form in them."""
    if fields.rest.get("type") != "url_citation":
        return Citation(title=fields.text("filename"), quote=fields.text("quote"), extra=Extra(NAME, fields.rest))
    del fields.rest["type"]
    return Citation(
        url=fields.text("url"),
        title=fields.text("title"),
        quote=fields.text("quote"),
        start=fields.integer("start_index"),
        end=fields.integer("end_index"),
        extra=Extra(NAME, fields.rest),
    )


def _decode_image(fields: Fields) -> Image:
    if fields.text("file_id") is not None:
        raise Unsupported(
            f"{fields.at('file_id')}: an image kept by a provider can only be sent to an offer that speaks {NAME}.",
            hint="Send the image itself.",
            param=fields.at("file_id"),
        )
    url: str | None = fields.required_text("image_url")
    inline = None if url is None else _inline(url)
    detail = fields.rest.get("detail")
    if detail in ("auto", "low", "high"):
        del fields.rest["detail"]
    else:  # `original`, and what may come, goes on as it is
        detail = None
    return Image(
        url=url if inline is None else None,
        data=None if inline is None else inline.data,
        media_type=None if inline is None else inline.media_type,
        detail=cast("Literal['auto', 'low', 'high'] | None", detail),
        cache=_decode_cache(fields),
        extra=fields.unknown(NAME),
    )


def _decode_file(fields: Fields) -> Document:
    title, url, data = fields.text("filename"), fields.text("file_url"), fields.text("file_data")
    file_id, cache = fields.text("file_id"), _decode_cache(fields)
    if sum(source is not None for source in (url, data, file_id)) != 1:
        raise InvalidRequest(f"{fields.path} must have one of file_data, file_url and file_id.", param=fields.path)
    if file_id is not None:  # that it is known to this provider is told by whose the extra fields are, even without any
        return Document(file_id=file_id, title=title, cache=cache, extra=Extra(NAME, fields.rest))
    inline = None
    if data is not None:
        guessed = mimetypes.guess_type(title or "")[0] or "application/pdf"
        inline = _inline(data) or _Inline(guessed, data)
    return Document(
        url=url,
        data=None if inline is None else inline.data,
        media_type=None if inline is None else inline.media_type,
        title=title,
        cache=cache,
        extra=fields.unknown(NAME),
    )


def _decode_audio(fields: Fields) -> Audio:
    inner = fields.required_inner("input_audio")
    data, kind = inner.required_text("data"), inner.required_text("format")
    cache = _decode_cache(fields)
    fields.put_back("input_audio", inner)
    return Audio(data=data, media_type=_SOUNDS.get(kind, f"audio/{kind}"), cache=cache, extra=fields.unknown(NAME))


def _decode_cache(fields: Fields) -> CacheMark | None:
    """A cache mark; it stays among the extra fields as well: only who wrote it knows that the model takes it."""
    told = fields.rest.get("prompt_cache_breakpoint")
    if told is None:
        return None
    return CacheMark(ttl=Fields(told, fields.at("prompt_cache_breakpoint")).text("ttl"))


def _inline(url: str) -> _Inline | None:
    """Media type and content of a `data:` URL; None where it is none, or not in base64."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    return _Inline(media_type, data) if comma and media_type and "base64" in parameters else None


# --------------------------------------------------------------------------------------------------- encoding


def encode_content(parts: Sequence[Part], where: str, adapted: Adapted) -> str | list[Json]:
    """What a user, the system or a tool says: a string where that says it all, else a list.

    Raises:
        Unsupported: this dialect cannot say it.
    """
    match parts:
        case [Text(text=text, cache=None, citations=(), extra=None)]:
            return text
        case _:
            return [said for at, part in enumerate(parts) for said in _encode_part(part, f"{where}[{at}]", adapted)]


def encode_answer(parts: Sequence[Text | Refusal], where: str, adapted: Adapted) -> str | list[Json]:
    """What the model has said before."""
    match parts:
        case [Text(text=text, cache=None, signature=None, citations=(), extra=None)]:
            return text
        case _:
            return [_encode_said(part, f"{where}[{at}]", adapted) for at, part in enumerate(parts)]


def _encode_said(part: Text | Refusal, where: str, adapted: Adapted) -> Json:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    own = own_fields(part.extra, dialect=NAME, where=where, adapted=adapted)
    if part.cache is not None and "prompt_cache_breakpoint" not in own:
        note_cache(adapted)
    if part.signature is not None:
        adapted.note("message.signature", f"left out, made by {part.minted_by or 'another provider'}")
    cited = tuple(citation for citation in part.citations if citation.extra and citation.extra.dialect == NAME)
    if len(cited) < len(part.citations):
        adapted.note("message.citations", "left out, made by another provider")
    return merged(
        encode_text(replace(part, citations=cited)), {name: value for name, value in own.items() if name != "phase"}
    )


def encode_text(part: Text) -> dict[str, Json]:
    """A text of the model's, with what it cites."""
    return {
        "type": "output_text",
        "text": part.text,
        "annotations": [encode_citation(citation, len(part.text)) for citation in part.citations],
    }


def encode_citation(citation: Citation, length: int) -> Json:
    """A citation; one of no page is told as one of a file, by its name, the only other kind there is.

    Args:
        citation: to be said.
        length: characters of the text so far, the place where one that tells none belongs.
    """
    own: dict[str, Json] = {}
    if citation.extra is not None and citation.extra.dialect == NAME:
        own |= citation.extra.fields
    end = length if citation.end is None else citation.end
    if citation.url is None:
        said: dict[str, Json] = {"filename": citation.title or ""}
        own = {"type": "file_citation", "file_id": "", "index": end} | own
    else:
        start = 0 if citation.start is None else citation.start
        title = citation.url if citation.title is None else citation.title
        said = {"type": "url_citation", "url": citation.url, "title": title, "start_index": start, "end_index": end}
    if citation.quote is not None:
        said["quote"] = citation.quote
    return merged(said, own)


def _encode_part(part: Part, where: str, adapted: Adapted) -> list[Json]:
    match part:
        case Text():
            said: dict[str, Json] = {"type": "input_text", "text": part.text}
        case Image():
            url = part.url if part.data is None else f"data:{part.media_type};base64,{part.data}"
            detail = None if part.extra is None else part.extra.fields.get("detail")
            # Servers that check bodies against the published types demand a detail.
            said = {"type": "input_image", "image_url": url, "detail": part.detail or detail or "auto"}
        case Audio():
            said = _encode_audio(part, where)
        case Document():
            said = _encode_document(part, where, adapted)
        case _:
            raise InvalidRequest(f"{where} holds a part that has no place there.", param=where)
    own = own_fields(part.extra, dialect=NAME, where=where, adapted=adapted)
    if part.cache is not None and "prompt_cache_breakpoint" not in own:
        note_cache(adapted)
    whole = merged(said, own)
    context = part.context if isinstance(part, Document) else None
    return [whole] if context is None else [{"type": "input_text", "text": context}, whole]


def note_cache(adapted: Adapted) -> None:
    """That a cache mark is left out: older models refuse it, and newer ones do without."""
    adapted.note("cache", "left out, the provider caches of its own accord")


def _encode_audio(part: Audio, where: str) -> dict[str, Json]:
    if part.data is None:
        raise Unsupported(f"{where}: sound by address cannot be said in {NAME}.", param=where)
    kind = (part.media_type or "").partition(";")[0].strip().lower()
    if not kind.startswith("audio/"):
        raise Unsupported(f"{where}: {kind} is no type of sound in {NAME}.", param=where)
    form = _FORMATS.get(kind, kind.removeprefix("audio/"))
    return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}


def _encode_document(part: Document, where: str, adapted: Adapted) -> dict[str, Json]:
    if part.file_id is not None and (part.extra is None or part.extra.dialect != NAME):
        raise Unsupported(
            f"{where} is a file that only the provider knows to which it was uploaded.",
            hint="Send the file itself.",
            param=where,
        )
    if part.citations:
        raise Unsupported(f"{where}: citations of a document cannot be asked for in {NAME}.", param=where)
    if part.context is not None:
        adapted.note("message.document.context", "said as text before the document")
    said: dict[str, Json] = {"type": "input_file"}
    if part.title is not None:
        said["filename"] = part.title
    if part.file_id is not None:
        return said | {"file_id": part.file_id}
    if part.url is not None:
        return said | {"file_url": part.url}
    media_type, data = part.media_type, part.data
    if part.text is not None:
        adapted.note("message.document.text", "said as a file of plain text")
        media_type, data = "text/plain", base64.b64encode(part.text.encode()).decode()
    name = f"document{mimetypes.guess_extension(media_type or '') or ''}"  # demanded with content
    return {"filename": name} | said | {"file_data": f"data:{media_type};base64,{data}"}
