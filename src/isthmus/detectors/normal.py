"""The normal form of a text, and a way back from it: what disguises a text is taken off before rules look at it.

Two sorts of disguise:

- *Letters*: accents, full-width and styled letters, digits of other scripts, invisible characters, letters of one
  script standing in for those of another. Taken off at once (`fold`): plain ASCII costs nothing.
- *Spellings*: JSON, HTML, percent and quoted-printable escapes, single letters with blanks between them, and text as
  base64 or hexadecimal digits. Whoever scans a view sees where such a spelling may begin (`SPELLINGS`) and asks for the
  views without it (`undisguised`), which may be disguised in turn.

A `View` knows where in the original each of its characters comes from. The place of what is found in decoded digits is
the whole run of digits.
"""
# ruff: noqa: RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_MARKS = range(0x0300, 0x0370)
"""Combining marks of Latin, Greek and Cyrillic. Those of other scripts are vowels, and stay."""
_PLAIN: Mapping[str, str] = {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ħ": "h", "ı": "i", "ð": "d"}
_PUNCTUATION: Mapping[str, str] = {
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("‘’‚‛′ʼ＇", "'"),
    **dict.fromkeys("“”„‟″＂", '"'),
    **dict.fromkeys("․‧∙⋅•・", "."),
    **dict.fromkeys("：﹕∶", ":"),
    **dict.fromkeys("⁄∕", "/"),
}
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNEVEN = re.compile(f"[{_INVISIBLE}\u0300-\u036f\u0640\u20d0-\u20ff\ufb00-\ufb06]")
"""Characters whose normal form is not one character."""

_LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХҮЗаеіјорсухѕһԁԛԝɡαοινρτυχκΑΒΕΖΗΙΚΜΝΟΡΤΥΧіՏՕսոհƽ",
    "ABESIJKMHOPCTYXY3aeijopcyxshdqwgaoivptuxkABEZHIKMNOPTYXiSOunhs",
)
_MIXED = re.compile(r"[A-Za-z0-9@][Ͱ-ӿԀ-֏]|[Ͱ-ӿԀ-֏][A-Za-z0-9@]")
_TOKEN = re.compile(r"[\w.@+-]+")


def _in_one_script(match: re.Match[str]) -> str:
    """A token of more than one script in Latin letters. A word of Cyrillic or Greek alone is left as it is."""
    token = match[0]
    return token.translate(_LOOKALIKES) if not token.isascii() and _MIXED.search(token) else token


class _Letters(dict[int, int]):
    """Normal form of each character whose normal form is one character, worked out when it is first met."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        plain = _PLAIN.get(char) or _PUNCTUATION.get(char) or _decomposed(char)
        self[code] = ord(plain) if len(plain) == 1 else code
        return self[code]


def _decomposed(char: str) -> str:
    if unicodedata.category(char) == "Nd":
        return str(unicodedata.digit(char))
    return "".join(part for part in unicodedata.normalize("NFKD", char) if ord(part) not in _MARKS)


_LETTERS = _Letters()


def fold_letters(text: str) -> str:
    """The text without accents and styled letters, character by character: as long as it was."""
    return text if text.isascii() else text.translate(_LETTERS)


@dataclass(frozen=True, slots=True)
class View:
    """A text in which rules look, and where in the original it comes from."""

    text: str
    places: Sequence[int] | None = None
    """Where each character of the text begins in the original, and at last where the original ends; None: the same."""
    stretch: tuple[int, int] | None = None
    """The stretch of the original that the whole text was decoded from; None: it was not."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original behind a stretch of the text."""
        if self.stretch is not None:
            return self.stretch
        return (start, end) if self.places is None else (self.places[start], self.places[end])

    def rewritten(self, text: str, places: Sequence[int]) -> View:
        """A view of the same stretch in another spelling; `places` are those in this view."""
        if self.stretch is not None:
            return View(text, stretch=self.stretch)
        own = self.places
        return View(text, places if own is None else array("q", (own[place] for place in places)))


def fold(text: str) -> View:
    """The text in its normal form."""
    if text.isascii():
        return View(text)
    places: Sequence[int] | None = None
    if _UNEVEN.search(text):
        text, places = _rewrite(text, _UNEVEN, _level)
    text = text.translate(_LETTERS)
    if _MIXED.search(text):
        text = _TOKEN.sub(_in_one_script, text)
    return View(text, places)


def _level(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    char = match[0]
    plain = unicodedata.normalize("NFKD", char) if "\ufb00" <= char <= "\ufb06" else ""
    yield plain, 1


Pieces = Callable[[re.Match[str]], Iterator[tuple[str, int]]]
"""What stands for a match, and how many of its characters each piece stands for. Nothing: the match stays."""


def _rewrite(text: str, expression: re.Pattern[str], pieces: Pieces, start: int = 0) -> tuple[str, array[int]]:
    out: list[str] = []
    places = array("q")
    done = 0
    for match in expression.finditer(text, start):
        at = match.start()
        if at < done:
            continue
        changed = list(pieces(match))
        if not changed:
            continue
        out.append(text[done:at])
        places.extend(range(done, at))
        for piece, width in changed:
            out.append(piece)
            places.extend([at] * len(piece))
            at += width
        done = at
    out.append(text[done:])
    places.extend(range(done, len(text) + 1))
    return "".join(out), places


# ---------------------------------------------------------------------------------------------------------- spellings

_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<quoted>(?:=[0-9A-F]{2}){2,}|=3D|=\r?\n)"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});)"
    r"|(?P<code>\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]{1,6}\}))"
    r"|(?P<sign>\\[nrtbf\"'/\\])"
)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}


def _unescaped(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    found = match[0]
    match match.lastgroup:
        case "percent" | "quoted":
            digits = found[1:].replace(found[0], "")
            if digits.isspace():
                yield "", len(found)
                return
            data = bytes.fromhex(digits)
            try:
                for char in data.decode():
                    yield char, 3 * len(char.encode())
            except UnicodeDecodeError:
                for byte in data:
                    yield chr(byte), 3
        case "entity":
            char = html.unescape(found)
            if len(char) == 1:
                yield char, len(found)
        case "code":
            code = int(found[2:].strip("{}"), 16)
            if code <= 0x10FFFF:
                yield chr(code), len(found)
        case _:
            yield _SIGNS.get(found[1], found[1]), 2


_SPACED = re.compile(r"(?<![^\W_])[^\W_](?P<gap>[ ._*-])(?:[^\s](?P=gap)){4,}[^\s](?![^\W_])")


def _closed(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    found = match[0]
    for char in found[:-1:2]:
        yield char, 2
    yield found[-1], 1


_DIGITS = re.compile(
    r"(?<![A-Za-z0-9+/_-])"
    r"(?:(?P<lines>(?:[A-Za-z0-9+/]{40,76}\r?\n)+[A-Za-z0-9+/]{2,76}={0,2})"
    r"|(?P<hex>(?:0x)?(?:[0-9A-Fa-f]{2}){8,}(?![0-9A-Za-z]))"
    r"|(?P<pairs>(?:[0-9A-Fa-f]{2}[ :]){7,}[0-9A-Fa-f]{2}(?![0-9A-Za-z]))"
    r"|(?P<base>[A-Za-z0-9+/_-]{15,}={0,2}))"
)
_BREAKS = re.compile(r"[\s:]")
_PARTS = re.compile(r"[A-Za-z0-9+_]{14,}={0,2}")


def _decoded(view: View, start: int) -> Iterator[View]:
    for match in _DIGITS.finditer(view.text, start):
        at, end = match.span()
        if match.lastgroup in {"hex", "pairs"}:
            text = _as_text(_of_hex(match[0]))
            if text is not None or match.lastgroup == "pairs":
                if text is not None:
                    yield View(text, stretch=view.span(at, end))
                continue
        text = _as_text(_of_base64(match[0]))
        if text is not None:
            yield View(text, stretch=view.span(at, end))
        elif "/" in match[0]:  # a path or a URL, of which one part may be encoded
            for part in _PARTS.finditer(view.text, at, end):
                text = _as_text(_of_base64(part[0]))
                if text is not None:
                    yield View(text, stretch=view.span(*part.span()))


def _of_hex(digits: str) -> bytes:
    return bytes.fromhex(_BREAKS.sub("", digits.removeprefix("0x")))


def _of_base64(digits: str) -> bytes:
    bare = _BREAKS.sub("", digits).rstrip("=").replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1:
        bare = bare[:-1]
    try:
        return b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return b""


def _as_text(data: bytes) -> str | None:
    """The bytes as a text, or None: they are none."""
    if len(data) < 6:
        return None
    try:
        text = data.decode("utf-16-le" if not data[1] and not data[3] else "utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() or text.translate(_BLANKS).isprintable() else None


_BLANKS = str.maketrans("\t\r\n", "   ")

SPELLINGS: Mapping[str, str] = {
    "escapes": r'%[0-9A-Fa-f]{2}|=[0-9A-F]{2}=[0-9A-F]{2}|=\r?\n|&(?:#[0-9xX]|[A-Za-z]{2,8};)|\\[unrtbfx"/\\]',
    "blanks": r"\b[A-Za-z0-9][ ._*-](?:[^\s][ ._*-]){4}[^\s]",
    "digits": r"[A-Za-z0-9+/_-]{15}|(?:[0-9A-Fa-f]{2}[ :]){7}[0-9A-Fa-f]{2}",
}
"""A Hyperscan expression for where a spelling may begin, by name."""


def undisguised(view: View, spelling: str, end: int) -> Iterator[View]:
    """The views of a text without a spelling.

    Args:
        view: what was scanned.
        spelling: one of `SPELLINGS`, found in it.
        end: where its expression first ended.
    """
    start = max(0, end - 40)
    match spelling:
        case "escapes":
            rewritten = _rewrite(view.text, _ESCAPE, _unescaped, start)
        case "blanks":
            rewritten = _rewrite(view.text, _SPACED, _closed, start)
        case _:
            for found in _decoded(view, start):
                folded = fold(found.text)
                yield View(folded.text, stretch=found.stretch)
            return
    text, places = rewritten
    if text == view.text:
        return
    folded = fold(text)
    if folded.places is not None:
        places = array("q", (places[place] for place in folded.places))
    yield view.rewritten(folded.text, places)
