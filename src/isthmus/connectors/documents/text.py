"""Text and Markdown: bytes of an encoding that has to be found out."""

from __future__ import annotations

import codecs

from isthmus.connectors.documents.refusal import Refused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes, *, declared: str | None = None) -> str:
    """The text of a file.

    By its byte order mark, else as UTF-8, else in the encoding the file itself declares, else as Windows-1252.

    Raises:
        Refused: it is no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data:
        raise Refused("it is none of text, Markdown, HTML, PDF and DOCX")
    for named in filter(None, ("utf-8", declared)):
        try:
            return data.decode(named)
        except (UnicodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")
