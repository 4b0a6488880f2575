"""HTML mail as text: what a reader would see, and where its links lead. Nothing is loaded.

One pass that never looks back, because mail is written by anybody: the parser of the standard library takes minutes for
60 kB of unfinished tags. It is no validator; what is broken becomes some text.
"""

from __future__ import annotations

import html
import re

_RAW = frozenset({"script", "style", "template", "title", "textarea", "iframe", "object", "svg", "math", "noframes"})
"""Their content is no text."""
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_BLOCKS = frozenset(
    {"address", "article", "aside", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form", "header"}
    | {"main", "nav", "ol", "section", "table", "tbody", "tfoot", "thead", "tr", "ul", "body", "html"}
)
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"})
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:\.0+)?(?:[a-z%]{1,3})?\s*(?:;|\Z)|mso-hide\s*:\s*all"
    r"|opacity\s*:\s*0(?:\.0+)?\s*(?:;|\Z)|max-height\s*:\s*0",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:-]{0,40}")
_ATTRIBUTE = re.compile(r"([^\s=/>\"']{1,60})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']{0,2000})))?")
_LINK = re.compile(r"(?:https?://|mailto:|tel:)\S+\Z", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_MAX_LINK = 500
_MAX_TAG = 20_000


def html_text(page: str) -> str:
    """The text of a page, a line for each block."""
    reading = _Reading()
    at, end = 0, len(page)
    while at < end:
        opening = page.find("<", at)
        if opening < 0:
            opening = end
        reading.text(page[at:opening])
        if opening == end:
            break
        at = _after(page, opening, reading)
    return reading.result()


def _after(page: str, opening: int, reading: _Reading) -> int:
    """Read what begins with `<`, and say where it ends. What has no end goes on to the end, as in browsers."""
    second = page[opening + 1 : opening + 2]
    if page.startswith("<!--", opening):
        return _past(page, "-->", opening + 4)
    if second in {"!", "?"}:
        return _past(page, ">", opening)
    if second == "/":
        close = _past(page, ">", opening)
        if (name := _NAME.match(page, opening + 2)) is not None:
            reading.end(name[0].lower())
        return close
    if (name := _NAME.match(page, opening + 1)) is None:
        reading.text("<")
        return opening + 1
    tag = name[0].lower()
    close = _end_of_tag(page, name.end())
    if tag in _RAW and page[close - 2 : close] != "/>":
        # An expression for each such name is compiled once; it looks at each character once.
        found = re.compile(rf"</{tag}[\s/>]", re.IGNORECASE).search(page, close)
        return len(page) if found is None else _past(page, ">", found.start())
    reading.start(tag, _attributes(page[name.end() : min(close - 1, name.end() + _MAX_TAG)]))
    return close


def _past(page: str, mark: str, at: int) -> int:
    found = page.find(mark, at)
    return len(page) if found < 0 else found + len(mark)


def _end_of_tag(page: str, at: int) -> int:
    """Where a tag ends: at the first `>` that stands in no quotes."""
    while at < len(page):
        sign = page[at]
        if sign == ">":
            return at + 1
        if sign in "\"'" and page[at - 1] == "=":
            close = page.find(sign, at + 1)
            if close < 0:
                return len(page)
            at = close
        at += 1
    return at


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


class _Reading:
    """The text so far."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._space = False
        """Whether a space is due before the next word."""
        self._quoted = 0
        self._preformatted = 0
        self._link: tuple[str, int] | None = None
        """Where the open link leads, and how many pieces of the line were there before. There is none in another."""
        self._hidden: tuple[str, int] | None = None
        """The element that is not shown, and how many of its name are open."""

    def text(self, text: str) -> None:
        if not text or self._hidden is not None:
            return
        text = html.unescape(text)
        if self._preformatted:
            first, *more = text.replace("\r\n", "\n").split("\n")
            self._line.append(first)
            for line in more:
                self._break()
                self._line.append(line)
            return
        words = _SPACE.sub(" ", text)
        if not words.strip(" "):
            self._space = True
            return
        if (self._space or words[0] == " ") and self._line:
            self._line.append(" ")
        self._space = words[-1] == " "
        self._line.append(words.strip(" "))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._hidden is not None:
            name, depth = self._hidden
            if tag == name:
                self._hidden = (name, depth + 1)
            return
        if tag not in _VOID and ("hidden" in attributes or _HIDDEN.search(attributes.get("style", ""))):
            self._hidden = (tag, 1)
            return
        self._block(tag)
        match tag:
            case "br":
                self._break(empty=True)
            case "hr":
                self._break()
                self._line.append("---")
                self._break()
            case "li":
                self._break()
                self._line.append("- ")
            case "td" | "th":
                if self._line:
                    self._line.append("  ")
            case "blockquote":
                self._quoted += 1
            case "pre":
                self._preformatted += 1
            case "img" if alt := _SPACE.sub(" ", attributes.get("alt", "")).strip():
                self.text(f" [{alt}] ")
            case "a":
                self._link = (attributes.get("href", "").strip(), len(self._line))

    def end(self, tag: str) -> None:
        if self._hidden is not None:
            name, depth = self._hidden
            if tag == name:
                self._hidden = (name, depth - 1) if depth > 1 else None
            return
        match tag:
            case "a" if self._link is not None:
                (href, before), self._link = self._link, None
                said = "".join(self._line[before:]).strip()
                if _LINK.match(href) and href.removeprefix("mailto:").rstrip("/") not in {said, said.rstrip("/")}:
                    self._line.append(f" <{href}>" if len(href) <= _MAX_LINK else f" <{href[:_MAX_LINK]}…>")
            case "blockquote":
                self._break()
                self._quoted = max(0, self._quoted - 1)
            case "pre":
                self._preformatted = max(0, self._preformatted - 1)
        self._block(tag)

    def _block(self, tag: str) -> None:
        if tag in _APART:
            self._break()
            if self._lines and self._lines[-1].strip("> "):
                self._lines.append("")
        elif tag in _BLOCKS:
            self._break()

    def _break(self, *, empty: bool = False) -> None:
        """End the line. An empty one counts only where it is asked for, and never twice."""
        line = "".join(self._line).rstrip()
        self._line, self._space = [], False
        if self._link is not None:
            self._link = (self._link[0], 0)
        if line or (empty and self._lines and self._lines[-1].strip("> ")):
            self._lines.append("> " * min(self._quoted, 5) + line)

    def result(self) -> str:
        self._break()
        return "\n".join(self._lines).strip("\n")
