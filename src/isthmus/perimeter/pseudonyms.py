"""Stand-ins for what may not leave, the same in every turn of a conversation, with nothing stored.

A stand-in is derived from the value by a keyed hash of tenant and conversation: `⟨PERSON_4821⟩`. So the next request of
the conversation, which brings the value again, gets the same one, wherever the client has cut its history, and
another conversation gets another one. The way back is kept for one request only, here. `docs/explanation/pseudonyms.md`
tells why it is done this way and what it does not do.
"""

from __future__ import annotations

import hmac
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from isthmus.domain.finding import Finding
from isthmus.perimeter.redaction import Stretch, readable_type, stretches
from isthmus.perimeter.surrogates import surrogate

Style = Literal["placeholder", "surrogate"]
"""placeholder: `⟨PERSON_4821⟩`. surrogate: an invented value of the same form, for the kinds that have a safe one."""


class Pseudonyms:
    """The stand-ins of one request and what they stand for. Made anew for each request."""

    def __init__(
        self,
        key: bytes,
        *,
        tenant: str,
        conversation: str,
        style: Style = "placeholder",
        texts: Iterable[str] = (),
    ) -> None:
        """Begin without any stand-in.

        Args:
            key: secret of this installation.
            tenant: whose data it is.
            conversation: what its turns have in common.
            style: how stand-ins look.
            texts: what else of the request the offer will see. No stand-in is made that stands there already, or what
                a user typed would be restored into what it never was. Texts given to `replace` need not be among them.

        Raises:
            ValueError: the key is empty.
        """
        if not key:
            raise ValueError("the key of the pseudonyms is empty")
        parties = f"{len(tenant)}:{tenant}{conversation}".encode("utf-8", "surrogatepass")
        self._key = hmac.digest(key, b"pseudonyms\0" + parties, "sha256")
        self._style = style
        self._originals: dict[str, str] = {}
        self._stand_ins: dict[tuple[str, str, Style], str] = {}
        self._spellings: dict[tuple[str, str], tuple[str, list[str]]] = {}
        self._texts: list[str] = []
        self._typed_codes: set[str] = set()
        for text in texts:
            self._know(text)

    @property
    def originals(self) -> Mapping[str, str]:
        """From stand-in to value. No stand-in is the beginning of another."""
        return MappingProxyType(self._originals)

    @property
    def typed_codes(self) -> frozenset[str]:
        """Codes of what looked like a placeholder in the request before anything was replaced."""
        return frozenset(self._typed_codes)

    def replace(self, text: str, findings: Sequence[Finding]) -> str:
        """The text with stand-ins for what was found.

        Text that happens to read like a stand-in made earlier for something else is replaced as well, so that
        restoring the result always gives the text again.

        Args:
            text: as it means, not as it is written in JSON: values go back into JSON text escaped.
            findings: in this text; they may overlap (`redaction.stretches`).

        Raises:
            ValueError: a finding is not exact or lies outside of the text.
        """
        found = stretches(text, [*findings, *self._read_like_stand_ins(text)])
        self._know(text)
        result = _joined(text, found, (self._stand_in(each.kind, _of(text, each), self._style) for each in found))
        if self._style == "surrogate":
            result = self._unambiguous(text, found, result)
            self._texts.append(result)
        return result

    def stand_in(self, kind: str, value: str) -> str:
        """The stand-in for a value; remembered for the way back.

        Raises:
            ValueError: the value is empty.
        """
        if not value:
            raise ValueError("nothing stands in for an empty value")
        return self._stand_in(kind, value, self._style)

    def _stand_in(self, kind: str, value: str, style: Style) -> str:
        known = self._stand_ins.get((kind, value, style))
        if known is not None:
            return known
        made = self._surrogate(kind, value) if style == "surrogate" else None
        if made is None:
            made = self._placeholder(kind, value)
        self._stand_ins[kind, value, style] = made
        self._originals[made] = value
        return made

    def _placeholder(self, kind: str, value: str) -> str:
        """One code for what the value says, a letter for how it is spelled: each spelling comes back as it was."""
        type_, said = readable_type(kind), _without_spelling(value)
        attempts = itertools.count()
        while True:  # ends: codes grow longer, and only so many are taken
            code = self._code(type_, said, next(attempts))
            if code in self._typed_codes or code in value or code in said or value in code:
                continue
            spellings = self._spellings.setdefault((type_, code), (said, []))
            if spellings[0] == said:
                break
        if value not in spellings[1]:
            spellings[1].append(value)
        return f"⟨{type_}_{code}{_letters(spellings[1].index(value))}⟩"

    def _code(self, type_: str, said: str, attempt: int) -> str:
        first: int = 10 ** (_CODE_DIGITS + attempt // _TRIES_PER_LENGTH - 1)
        return str(first + int.from_bytes(self._draw(type_, said, attempt)[:16], "big") % (9 * first))

    def _surrogate(self, kind: str, value: str) -> str | None:
        """An invented value that cannot be taken for anything else in the request; None: there is none."""
        said = _without_spelling(value)
        for attempt in range(_SURROGATE_TRIES):
            made = surrogate(kind, value, self._draw(kind, said, attempt))
            if made is None:
                return None
            taken = any(made in text for text in self._texts) or any(
                made in other or other in made for other in self._originals
            )
            if not taken and not _tells(made, value):
                return made
        return None

    def _draw(self, kind: str, said: str, attempt: int) -> bytes:
        return hmac.digest(self._key, f"{attempt}\0{kind}\0{said}".encode("utf-8", "surrogatepass"), "sha256")

    def _know(self, text: str) -> None:
        """Keep what stand-ins made from now on must not be taken for."""
        self._typed_codes.update(_TYPED_CODE.findall(text))
        if self._style == "surrogate":
            self._texts.append(text)

    def _read_like_stand_ins(self, text: str) -> Iterator[Finding]:
        if not self._originals:
            return
        pattern = PLACEHOLDER if self._style == "placeholder" else _any_of(self._originals)
        for match in pattern.finditer(text):
            if match[0] in self._originals:
                yield Finding(kind="text", start=match.start(), end=match.end())

    def _unambiguous(self, text: str, found: Sequence[Stretch], result: str) -> str:
        """Surrogates are of ordinary letters: beside other text one may read like another. Then placeholders serve."""
        if _any_of(self._originals).sub(lambda match: self._originals[match[0]], result) == text:
            return result
        return _joined(text, found, (self._stand_in(each.kind, _of(text, each), "placeholder") for each in found))


_CODE_DIGITS = 4
"""9,000 codes for each type: of 20 values of a type, two want the same code in one conversation of fifty."""
_TRIES_PER_LENGTH = 8
_SURROGATE_TRIES = 32
_TYPED_CODE = re.compile(r"(?:_|⟨[^⟨⟩\n]{0,64}?)([0-9]{4,})")
PLACEHOLDER = re.compile(r"⟨(?P<type>[A-Z0-9_]+)_(?P<code>[0-9]{4,})[a-z]*⟩")


def _without_spelling(value: str) -> str:
    """What two spellings of one value have in common: case, spacing and the punctuation of numbers fall away."""
    folded = "".join(unicodedata.normalize("NFKC", value).casefold().split())
    bare = folded.translate(_PUNCTUATION_OF_NUMBERS)
    return bare if bare.isdecimal() else folded


_PUNCTUATION_OF_NUMBERS = str.maketrans("", "", "-./()")


def _letters(number: int) -> str:
    """For the first spelling none, then b to z, bb to bz, cb and so on."""
    letters = ""
    while number > 0:
        number, digit = divmod(number - 1, 25)
        letters = chr(ord("b") + digit) + letters
    return letters


def _tells(stand_in: str, value: str) -> bool:
    """Whether a word of the value stands in the stand-in."""
    folded = stand_in.casefold()
    return value in stand_in or any(len(word) >= 3 and word in folded for word in _WORD.findall(value.casefold()))


_WORD = re.compile(r"[^\W_]+")


def _any_of(stand_ins: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, stand_ins)) or r"(?!)")


def _of(text: str, stretch: Stretch) -> str:
    return text[stretch.start : stretch.end]


def _joined(text: str, found: Sequence[Stretch], stand_ins: Iterable[str]) -> str:
    pieces: list[str] = []
    at = 0
    for stretch, stand_in in zip(found, stand_ins, strict=True):
        pieces += text[at : stretch.start], stand_in
        at = stretch.end
    return "".join(pieces) + text[at:]
