"""Documents, both ways. Source: https://docs.anthropic.com/en/docs/build-with-claude/pdf-support, "citations"."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64

from isthmus.dialects.anthropic_messages.cache import cache_control, decode_cache
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import Document, Extra, Json

PDF = "application/pdf"
TEXT = "text/plain"

# --------------------------------------------------------------------------------------------------- decoding


def decode_document(fields: Fields) -> Document:
    """A block of type document.

    Raises:
        InvalidRequest: it is none.
        Unsupported: its source is a list of blocks, and they are to be cited one by one or hold images.
    """
    source = fields.required_inner("source")
    cache, title, context = decode_cache(fields), fields.text("title"), fields.text("context")
    citations = _decode_citations(fields)
    url = data = text = file_id = media_type = None
    match source.required_text("type"):
        case "base64":
            data, media_type = source.required_text("data"), source.required_text("media_type")
        case "url":
            url = source.required_text("url")
        case "text":
            text = source.required_text("data")
            source.text("media_type")  # it is always text/plain
        case "content":
            text = _decode_content(source, cited=bool(citations))
        case "file":
            file_id = source.required_text("file_id")
        case _:
            raise source.wrong("type", "must be one of base64, url, text, content, file")
    fields.put_back("source", source)
    return Document(
        url=url,
        data=data,
        text=text,
        file_id=file_id,
        media_type=media_type,
        title=title,
        context=context,
        citations=citations,
        cache=cache,
        # That a file is known to this provider is told by whose the extra fields are, even where there are none.
        extra=Extra(NAME, fields.rest) if file_id is not None or fields.rest else None,
    )


def _decode_citations(fields: Fields) -> bool | None:
    inner = fields.inner("citations")
    if inner is None:
        return None
    enabled = inner.boolean("enabled")
    fields.put_back("citations", inner)
    return enabled


def _decode_content(source: Fields, *, cited: bool) -> str:
    """The text of a document that is given as blocks: where nothing is cited, their borders mean nothing."""
    content = source.rest.pop("content", None)
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for at, item in enumerate(content if isinstance(content, list) else [None]):
        block = Fields(item, f"{source.at('content')}[{at}]")
        if cited or block.required_text("type") != "text":
            raise Unsupported(
                f"{source.at('content')} can only be sent to an offer that speaks {NAME} itself, unless it is text "
                "that is not to be cited.",
                param=source.at("content"),
            )
        texts.append(block.required_text("text"))
    return "\n\n".join(texts)


# --------------------------------------------------------------------------------------------------- encoding


def encode_document(part: Document, where: str) -> dict[str, Json]:
    """A block of type document.

    Raises:
        Unsupported: it is a file of another provider's, or of a type that is neither PDF nor text.
    """
    said: dict[str, Json] = {"type": "document", "source": _encode_source(part, where)}
    for name in ("title", "context"):
        if (value := getattr(part, name)) is not None:
            said[name] = value
    if part.citations is not None:
        said["citations"] = {"enabled": part.citations}
    return merged(said | cache_control(part.cache), own_fields(part.extra, dialect=NAME, where=where))


def _encode_source(part: Document, where: str) -> dict[str, Json]:
    if part.file_id is not None:
        if part.extra is None or part.extra.dialect != NAME:
            raise Unsupported(
                f"{where} is a file that only the provider knows to which it was uploaded.",
                hint="Send the file itself.",
                param=where,
            )
        return {"type": "file", "file_id": part.file_id}
    if part.url is not None:
        return {"type": "url", "url": part.url}
    text = part.text
    if part.data is not None:
        if part.media_type == PDF:
            return {"type": "base64", "media_type": PDF, "data": part.data}
        text = _decode_text(part.data, part.media_type or "", where)
    return {"type": "text", "media_type": TEXT, "data": text}


def _decode_text(data: str, media_type: str, where: str) -> str:
    """The text of a file of a type that is text."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/xml", "application/yaml"):
        try:
            return b64decode(data, validate=True).decode()
        except (NotBase64, UnicodeDecodeError) as exc:
            raise Unsupported(f"{where} is not text in UTF-8.", param=where) from exc
    raise Unsupported(f"{where}: documents must be PDF or text in {NAME}.", param=where)
