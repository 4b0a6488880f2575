"""Where a text is cut into the windows that are looked at one by one.

Twice, since an embedding says what a stretch is mostly about. A *wide* window gives a sentence its surroundings: that a
case history belongs to an exam, say. A *narrow* one is little more than a sentence, so that what is said in passing
within much other text is not drowned by it.

At either width every character that a reader would see lies in exactly one window, and a text that grows at its end
keeps all windows but the last: what is remembered of it stays of use from turn to turn.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

WINDOW_BYTES = 480
"""Most UTF-8 bytes of a window once tidied: 100 to 120 tokens of prose. No token is shorter than a byte, so a window
never reaches the 512 tokens up to which the embedding reads in one piece."""
WIDE = WINDOW_BYTES
NARROW = 60
"""Bytes from which on a window is closed at the next end of a sentence or line."""

Window = tuple[int, int, str]
"""Start, end (exclusive) and tidied content."""

_UNIT_END = re.compile(
    r"""\n+ | (?<=[.!?…])["'”\u2019»)\]]*\s+ | (?<=[。\uff01\uff1f\uff1b])""",  # the last are ! ? ; in full width
    re.VERBOSE,
)
_BLANK = re.compile(r"\s+")
_GAP = re.compile(r"\s")


def windows(text: str, enough: int) -> Iterator[Window]:
    """Start, end and tidied content of each window of `text`, in order; those without content are left out.

    A blank line ends a window of either width, unless that would leave less than `NARROW`: what stands in a paragraph
    of its own is judged on its own. Sentences and lines stay whole where they fit into `WINDOW_BYTES`; longer ones are
    cut between words, and words that are longer still wherever that size is reached.

    Args:
        text: of any length.
        enough: `WIDE` or `NARROW`.
    """
    start = end = 0
    content = ""
    least = enough
    for unit_start, unit_end, unit in _pieces(text):
        joined = f"{content} {unit}" if content and unit else content or unit
        if content and (len(content.encode()) >= least or len(joined.encode()) > WINDOW_BYTES):
            yield start, end, content
            start, joined = unit_start, unit
        end, content = unit_end, joined
        least = NARROW if _ends_paragraph(text, unit_start, unit_end) else enough
    if content:
        yield start, end, content


def tidy(text: str) -> str:
    """The text as it is embedded: what a reader would not see is gone.

    Compatibility forms are unified (NFKC), invisible characters dropped, everything that is not text becomes a single
    space. This also keeps the embedding safe: its reader stops at a zero byte, and reserves too little memory for the
    one character that NFKC writes as eighteen (U+FDFA).
    """
    unified = unicodedata.normalize("NFKC", text)
    kept = "".join(_seen(character) for character in unified) if not unified.isascii() else unified.replace("\0", " ")
    return _BLANK.sub(" ", kept).strip()


def _seen(character: str) -> str:
    match unicodedata.category(character):
        case "Cf":
            return ""
        case "Cc" | "Cs" | "Cn" | "Co":
            return " "
        case _:
            return character


def _pieces(text: str) -> Iterator[Window]:
    """Sentences and lines, cut further where one is longer than `WINDOW_BYTES` tidied. They cover the text."""
    start = 0
    for gap in _UNIT_END.finditer(text):
        if gap.end() > start:
            yield from _cut(text, start, gap.end())
            start = gap.end()
    if start < len(text):
        yield from _cut(text, start, len(text))


def _ends_paragraph(text: str, start: int, end: int) -> bool:
    stretch = text[start:end]
    return stretch[len(stretch.rstrip()) :].count("\n") >= 2


def _cut(text: str, start: int, end: int) -> Iterator[Window]:
    """Halve a stretch, between words where there is a gap in its middle half, until each part fits."""
    content = tidy(text[start:end])
    if len(content.encode()) <= WINDOW_BYTES or end - start == 1:
        yield start, end, content
        return
    middle, quarter = (start + end) // 2, (end - start) // 4
    gap = _GAP.search(text, middle, middle + quarter)
    cut = gap.end() if gap else middle
    yield from _cut(text, start, cut)
    yield from _cut(text, cut, end)
