"""HTML: what a reader would see, and what is said in place of images."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from typing_extensions import override

from isthmus.connectors.documents.text import decoded

_UNSEEN = frozenset({"script", "style", "template"})
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s", "small", "span"}
    | {"strong", "sub", "sup", "tt", "u", "var", "wbr"}
)
_TOLD = frozenset({"alt", "title"})
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_HEAD_BYTES = 4096
_BEGIN = re.compile(rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--|<(?:!doctype\s+html|html|head|body)\b)", re.IGNORECASE)


def is_html(data: bytes) -> bool:
    """Whether a file begins as HTML does."""
    return _BEGIN.match(data[:_HEAD_BYTES]) is not None


def html_text(data: bytes) -> str:
    """The text of a page, a line for each block.

    Raises:
        Refused: it is no text.
    """
    charset = _CHARSET.search(data[:_HEAD_BYTES])
    seen = _Seen()
    seen.feed(decoded(data, declared=charset and charset[1].decode("ascii")))
    seen.close()
    return "".join(seen.pieces)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag not in _INLINE:
            self.pieces.append("\n")
        self.pieces += [f" {value} " for name, value in attrs if name in _TOLD and value]

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag not in _INLINE:
            self.pieces.append("\n")

    @override
    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)
