"""What was fetched, as text and links. Nothing more is loaded for it, and nothing in it is run."""

from __future__ import annotations

import html
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.connectors.documents.text import decoded
from isthmus.connectors.mail.html import html_text
from isthmus.connectors.web.addresses import Address, address
from isthmus.connectors.web.fetching import Fetched
from isthmus.domain.errors import ToolError

_READING_SECONDS = 20.0
_MOST_HTML = 4 * 1024 * 1024
"""Characters. What is longer is no page that a person reads; the beginning of it is read."""
_MOST_LINKS = 500
_MAX_TITLE = 200

_ANCHOR = re.compile(r"<a\s(?P<rest>[^<>]{0,4000})>", re.IGNORECASE)
_HREF = re.compile(r"""(?:^|\s)href\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{0,1000})", re.IGNORECASE)
_BASE = re.compile(r"<base\s(?P<rest>[^<>]{0,2000})>", re.IGNORECASE)
_MARKUP = {"text/html", "application/xhtml+xml"}
_DOCUMENTS = {
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_BEGINS_AS_HTML = re.compile(r"\s*(?:<!--|<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A page as it is read."""

    title: str
    text: str
    """Where a link begins, its number stands behind it: `Report [3]`."""
    links: tuple[str, ...]
    """Where they lead, the first one's number is 1."""


def read(fetched: Fetched) -> Read:
    """Read what was fetched. May take seconds: not for the loop.

    Raises:
        ToolError: there is no text in it.
    """
    if fetched.media_type in _DOCUMENTS or fetched.data.startswith((b"%PDF-", b"PK\x03\x04")):
        name = fetched.address.rest.partition("?")[0].rpartition("/")[2]
        return Read(title=name[:_MAX_TITLE], text=_document(fetched.data), links=())
    try:
        text = decoded(fetched.data, declared=fetched.charset)
    except Refused as error:
        raise ToolError(f"That is no page that can be read as text: {error}.") from error
    if fetched.media_type in _MARKUP or _BEGINS_AS_HTML.match(text):
        return _page(text[:_MOST_HTML], fetched.address)
    return Read(title="", text=text.strip(), links=())


def _document(data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="isthmus-web-") as folder:
        path = Path(folder) / "document"
        path.write_bytes(data)
        try:
            with DocumentReader(seconds=_READING_SECONDS) as reader:
                return "\n".join(reader.texts(path)).strip()
        except Refused as error:
            raise ToolError(f"The text of the document cannot be had: {error}.") from error


def _page(text: str, at: Address) -> Read:
    links: list[str] = []
    numbers: dict[str, int] = {}
    base = _base(text, at)

    def numbered(anchor: re.Match[str]) -> str:
        """An anchor whose address is its number, which survives as a link does and cannot be mistaken for one."""
        to = _led(anchor["rest"], base)
        if to is None or (to not in numbers and len(links) == _MOST_LINKS):
            return "<a>"
        if to not in numbers:
            links.append(to)
            numbers[to] = len(links)
        return f'<a href="https://link.invalid/{numbers[to]}">'

    title = _TITLE.search(text)
    told = html_text(_ANCHOR.sub(numbered, text))
    return Read(
        title="" if title is None else " ".join(html.unescape(title[1]).split())[:_MAX_TITLE],
        text=re.sub(r"<https://link\.invalid/([0-9]{1,4})>", r"[\1]", told),
        links=tuple(links),
    )


def _base(text: str, at: Address) -> Address:
    found = _BASE.search(text)
    to = None if found is None else _led(found["rest"], at)
    return at if to is None else address(to)


def _led(attributes: str, base: Address) -> str | None:
    if (href := _HREF.search(attributes)) is None:
        return None
    try:
        to = address(html.unescape(next(filter(None, href.groups()), "")), base=base)
    except ToolError:
        return None
    return str(to)
