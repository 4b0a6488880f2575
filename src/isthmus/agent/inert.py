"""Text of others, made inert: whatever shows it, nothing in it acts.

Characters that nobody sees or that turn the order of others around are taken out; so are the beginnings of pictures,
links and tags, by which a text makes the programme that shows it fetch an address, and with it tells somebody
something. Words stay words: what a text says is not judged here.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Variation selectors: a few after one letter can carry a whole text that nobody sees."""

_ACTIVE = re.compile(r"(?<=!)(?=\[)|(?<=\])(?=[(\[:])|(?<=<)(?=[A-Za-z/!?])|(?<=&)(?=#|[A-Za-z]+;)")
"""Where a picture, a link, a reference, a tag or an entity begins. A space there ends it before it has begun."""


def visible(text: str) -> str:
    """A text without what nobody sees: controls, joiners, turns of direction, private letters, selectors."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if text.isascii() and text.isprintable():
        return text
    seen = "".join(one for one in text if one in _KEPT or unicodedata.category(one) not in _INVISIBLE)
    return _SELECTORS.sub("", seen)


def inert(text: str) -> str:
    """A text in which nothing acts, wherever it is shown."""
    return _ACTIVE.sub(" ", visible(text))


def one_line(text: str, most: int) -> str:
    """An inert text in a single line of at most so many characters."""
    line = " ".join(inert(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


class InertStream:
    """Makes a text inert that comes in pieces, wherever it is cut."""

    def __init__(self) -> None:
        self._return = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown so far: the last characters wait where what comes next may make them act."""
        piece = self._return + piece
        self._return = "\r" if piece.endswith("\r") else ""
        text = self._held + visible(piece.removesuffix("\r"))
        keep = _HELD.search(text)
        cut = len(text) if keep is None else keep.start()
        self._held = text[cut:]
        return inert(text[:cut])

    def close(self) -> str:
        """What was held back."""
        held, self._held, self._return = self._held + visible(self._return), "", ""
        return inert(held)


_HELD = re.compile(r"(?:[!\]<]|&[A-Za-z]{0,31})+\Z")
"""An end that could be the beginning of something: it is shown when it is known what follows."""
