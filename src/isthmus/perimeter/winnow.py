"""Fingerprints of text by winnowing: which stretches two texts share, told without keeping either.

A text is reduced to its normal characters, so that case, punctuation, layout and markup do not matter. Each run of
`noise` normal characters has a hash, and of every window of `guarantee - noise + 1` successive runs the one with the
smallest hash is kept. Two texts that share a stretch of `guarantee` normal characters share a whole window, hence at
least one fingerprint; a stretch shorter than `noise` holds no run, hence none.

Both the choice of runs and the fingerprints depend on a key. Without it nothing can be compared.

Source:
    S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003.
"""

from __future__ import annotations

import hashlib
import html
import re
import threading
import unicodedata
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    # At run time numpy is imported where it is used: a server without rules never pays its 15 MB and 0.1 s.
    import numpy as np
    from numpy.typing import NDArray

GUARANTEE = 64
"""Normal characters: a shared stretch of at least so many is found for certain."""
NOISE = 32
"""Normal characters: what is shorter matches nothing."""


class Fingerprint(NamedTuple):
    """The mark of one run of normal characters."""

    hash: int
    """64 bits, signed, as SQL has them."""
    start: int
    end: int
    """Characters of the text as it was given, end exclusive."""


class Normal(NamedTuple):
    """A text as its normal characters."""

    units: NDArray[np.uint32]
    """Code points."""
    places: NDArray[np.int64]
    """Where in the given text each of them stood."""

    @property
    def text(self) -> str:
        return self.units.tobytes().decode("utf-32-le")


def normalise(text: str) -> Normal:
    r"""Reduce a text to what stays when it is quoted, wrapped anew, marked up or put into a JSON string.

    Kept are letters, digits and the vowel signs of scripts that have them, without case, width, ligature or accent
    (Unicode NFKD, case-folded, without combining marks). All else goes: white space, punctuation, symbols, what has no
    width. Escapes (`\\n`, `\\u00e9`, `&eacute;`, `%C3%A9`) are read as what they stand for, and HTML tags go.

    A Chinese character or a kana says as much as several letters and is counted twice; a Korean syllable counts as
    the two or three letters it is composed of.
    """
    import numpy as np  # noqa: PLC0415

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if _WRITTEN_HINT.search(text):
        codes = codes.copy()
        for start, end, meant in _written(text):
            codes[start:end] = 0
            codes[start : start + len(meant)] = [ord(char) for char in meant]
    return _folds().apply(codes)


def fingerprints(text: str, key: bytes, *, guarantee: int = GUARANTEE, noise: int = NOISE) -> list[Fingerprint]:
    """The fingerprints of a text, in the order in which they stand in it.

    A text of at least `noise` normal characters has at least one, so that it is found again whole.

    Args:
        text: of any script and length.
        key: 16 to 64 secret bytes. Fingerprints of different keys have nothing in common.
        guarantee: normal characters of a shared stretch that is found for certain.
        noise: normal characters below which nothing is found; at most `guarantee`.

    Raises:
        ValueError: lengths that make no sense.
    """
    return Winnowed(text, key, guarantee=guarantee, noise=noise).fingerprints


class Winnowed:
    """A text's runs: which of them are its fingerprints, and what stands around those. Arguments as above."""

    def __init__(self, text: str, key: bytes, *, guarantee: int = GUARANTEE, noise: int = NOISE) -> None:
        if not 1 <= noise <= guarantee:
            raise ValueError("the noise length is at least 1 and at most the guaranteed length")
        units, places = normalise(text)
        self._schedule = _schedule(key)
        self._noise = noise
        self._window = guarantee - noise + 1
        self._runs = max(0, len(units) - noise + 1)
        self._content = units.astype("<u4", copy=False).tobytes()
        self._indexes: list[int] = []
        self.fingerprints: list[Fingerprint] = []
        if self._runs:
            chosen = _chosen(units, self._schedule, noise, self._window)
            self._indexes = chosen.tolist()
            starts, ends = places[chosen].tolist(), (places[chosen + (noise - 1)] + 1).tolist()
            self.fingerprints = list(map(Fingerprint, self._hashes(self._indexes), starts, ends))

    def beside(self, distance: int) -> dict[int, set[int]]:
        """For each fingerprint the runs that begin so many normal characters before and after it."""
        found: dict[int, set[int]] = {}
        for mark, index in zip(self.fingerprints, self._indexes, strict=True):
            near = [at for at in (index - distance, index + distance) if 0 <= at < self._runs]
            found.setdefault(mark.hash, set()).update(self._hashes(near))
        return found

    def around(self, wanted: Container[int], avoid: Container[int] = ()) -> set[int]:
        """All runs that in another surrounding might have been chosen in place of some fingerprints, and these.

        Which runs at the edge of a stretch are chosen depends on what stands beside it.

        Args:
            wanted: the fingerprints.
            avoid: fingerprints whose surroundings are left out.
        """
        reach = self._window
        inside: set[int] = set()
        outside: set[int] = set()
        for mark, index in zip(self.fingerprints, self._indexes, strict=True):
            if mark.hash in avoid:
                outside.update(range(index - reach, index + reach + 1))
            elif mark.hash in wanted:
                inside.update(range(max(0, index - reach), min(self._runs, index + reach + 1)))
        return set(self._hashes(inside - outside))

    def _hashes(self, indexes: Iterable[int]) -> Iterator[int]:
        content, width = self._content, 4 * self._noise
        known: dict[bytes, int] = {}  # of a text that repeats itself, such as a line of dashes, every run is chosen
        for index in indexes:
            run = content[4 * index : 4 * index + width]
            found = known.get(run)
            if found is None:
                hasher = self._schedule.hasher.copy()
                hasher.update(run)
                found = known[run] = int.from_bytes(hasher.digest(), "little", signed=True)
            yield found


# ------------------------------------------------------------------------------------------------ normal characters

_WRITTEN_HINT = re.compile(r"[<&\\%]")
_TAGS = (
    "a|abbr|article|aside|b|blockquote|body|br|caption|center|cite|code|col|colgroup|dd|del|details|div|dl|dt|em|"
    "figcaption|figure|font|footer|h[1-6]|head|header|hr|html|i|img|ins|kbd|li|main|mark|nav|ol|p|pre|q|s|samp|section|"
    "small|span|strike|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|time|title|tr|tt|u|ul|var"
)
_WRITTEN = re.compile(
    # A tag is let go only while it is so short that no stretch of the guaranteed length can hide in it.
    rf"(?P<tag></?(?:{_TAGS})\b[^<>]{{0,56}}>)"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});)"
    # Backslashes as many as there are levels of JSON in JSON. Looked for only at the first of a run: a text of nothing
    # but backslashes would take quadratic time.
    r"|(?<!\\)\\++(?:u(?P<high>d[89ab][0-9a-f]{2})\\++u(?P<low>d[c-f][0-9a-f]{2})|u(?P<code>[0-9a-f]{4})"
    r"|(?P<layout>[bfnrt]))"
    r"|(?P<percent>%[0-7][0-9a-f]|%[cd][0-9a-f]%[89ab][0-9a-f]|%e[0-9a-f](?:%[89ab][0-9a-f]){2}"
    r"|%f[0-4](?:%[89ab][0-9a-f]){3})",
    re.IGNORECASE,
)


def _written(text: str) -> Iterator[tuple[int, int, str]]:
    """What is written in a way that stands for something else: where, and what it stands for, never longer."""
    for match in _WRITTEN.finditer(text):
        found = match.group()
        meant = ""
        if match["entity"]:
            meant = html.unescape(found)
            if meant == found:
                continue
        elif match["high"]:
            meant = chr(0x10000 + ((int(match["high"], 16) - 0xD800) << 10) + int(match["low"], 16) - 0xDC00)
        elif match["code"]:
            meant = chr(int(match["code"], 16))
        elif match["percent"]:
            meant = bytes.fromhex(found.replace("%", "")).decode("utf-8", "ignore")
        yield match.start(), match.end(), meant


def _is_normal(char: str) -> bool:
    if char.isalnum():
        return char not in _FILLERS
    # Marks of class 0 are written for the sound and not on top of a letter: the vowel signs of Indic scripts and Thai.
    return unicodedata.category(char) in {"Mn", "Mc"} and not unicodedata.combining(char) and not _IGNORED.match(char)


_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters of no width (Unicode: Default_Ignorable_Code_Point)."""
_IGNORED = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Marks of no width (as above)."""
_TWICE = re.compile("([\u3041-\u30ff\u3400-\u9fff\U00020000-\U0003ffff])")


def _folded(char: str) -> str:
    """What stays of one character. Of the character alone, so that a text cut anywhere folds as the whole did."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return _TWICE.sub(r"\1\1", "".join(filter(_is_normal, plain)))


class _Folds:
    """`_folded` for whole arrays of code points, as tables that are filled as characters turn up."""

    def __init__(self) -> None:
        import numpy as np  # noqa: PLC0415

        self._lock = threading.Lock()
        # Of all code points; memory is taken only for what is touched. 0: not yet known, else the length and one.
        self._sizes = np.zeros(0x110000, dtype=np.uint8)
        self._first = np.zeros(0x110000, dtype=np.uint32)
        """Where in `_pool` the folded characters begin."""
        self._pool = np.zeros(0, dtype=np.uint32)

    def apply(self, codes: NDArray[np.uint32]) -> Normal:
        import numpy as np  # noqa: PLC0415

        sizes = self._sizes[codes]
        if not sizes.all():
            self._learn(np.unique(codes[sizes == 0]).tolist())
            sizes = self._sizes[codes]
        sizes = (sizes - 1).astype(np.int64)
        places = np.repeat(np.arange(len(codes)), sizes)
        within = np.arange(len(places)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return Normal(self._pool[self._first[codes[places]] + within], places)

    def _learn(self, codes: list[int]) -> None:
        import numpy as np  # noqa: PLC0415

        with self._lock:
            # Readers look at the sizes first: they are written last.
            folded = [[ord(char) for char in _folded(chr(code))] for code in codes]
            first = len(self._pool) + np.cumsum([0, *map(len, folded[:-1])])
            self._pool = np.concatenate([self._pool, *(np.array(one, dtype=np.uint32) for one in folded)])
            self._first[codes] = first
            self._sizes[codes] = [len(one) + 1 for one in folded]


@lru_cache(maxsize=1)
def _folds() -> _Folds:
    return _Folds()


# -------------------------------------------------------------------------------------------------------- winnowing


class _Schedule(NamedTuple):
    """What a key is turned into."""

    base: np.uint64
    spread: tuple[np.uint64, np.uint64]
    final: tuple[np.uint64, np.uint64]
    hasher: hashlib.blake2b


@lru_cache(maxsize=256)
def _schedule(key: bytes) -> _Schedule:
    import numpy as np  # noqa: PLC0415

    stream = hashlib.blake2b(b"choice of runs", key=key, digest_size=40).digest()
    # Odd: a multiplication modulo 2⁶⁴ then loses nothing.
    base, *mix = (np.uint64(number | 1) for number in np.frombuffer(stream, dtype="<u8").tolist())
    hasher = hashlib.blake2b(key=hashlib.blake2b(b"fingerprints", key=key, digest_size=32).digest(), digest_size=8)
    return _Schedule(base, (mix[0], mix[1]), (mix[2], mix[3]), hasher)


_BLOCK = 1 << 20
"""Windows looked at in one go: bounds the memory taken to some 50 MB, and a place within fits into `_PLACE` bits."""
_PLACE = 21


def _chosen(units: NDArray[np.uint32], schedule: _Schedule, noise: int, window: int) -> NDArray[np.int64]:
    """Where the runs begin that are kept: of each window of runs the one that comes first in the key's order."""
    import numpy as np  # noqa: PLC0415

    runs = len(units) - noise + 1
    window = min(window, runs)  # a text too short for a window keeps the first of what it has
    found = []
    for begin in range(0, runs - window + 1, _BLOCK):
        end = min(begin + _BLOCK + window - 1, runs)
        order = _order(units[begin : end + noise - 1], schedule, noise)
        # The place is part of the number, so that one minimum tells both; of equal runs the last is taken.
        last = (1 << _PLACE) - 1
        places = np.arange(last, last - len(order), -1, dtype=np.uint64)
        numbered = (order & ~np.uint64(last)) | places
        least = np.unique(_sliding_least(numbered, window))
        found.append(begin + last - (least & np.uint64(last)).astype(np.int64))
    return np.unique(np.concatenate(found))


def _order(units: NDArray[np.uint32], schedule: _Schedule, noise: int) -> NDArray[np.uint64]:
    """A number for each run, the same wherever it stands: a polynomial in the key's base, well mixed."""
    import numpy as np  # noqa: PLC0415

    values = _mixed(units.astype(np.uint64) + np.uint64(1), schedule.spread)
    count = len(values) - noise + 1
    total = np.zeros(count, dtype=np.uint64)
    # `values` holds the sums over 1, 2, 4, … characters in turn; `noise` is put together from its powers of two.
    width, done = 1, 0
    while done < noise:
        if noise & width:
            total += values[done : done + count] * _power(schedule.base, done)
            done += width
        if done < noise:
            values = values[:-width] + values[width:] * _power(schedule.base, width)
            width *= 2
    return _mixed(total, schedule.final)


def _power(base: np.uint64, exponent: int) -> np.uint64:
    return type(base)(pow(int(base), exponent, 1 << 64))


def _mixed(values: NDArray[np.uint64], factors: tuple[np.uint64, np.uint64]) -> NDArray[np.uint64]:
    values = values * factors[0]
    values ^= values >> type(factors[0])(32)
    values *= factors[1]
    values ^= values >> type(factors[0])(29)
    return values


def _sliding_least(values: NDArray[np.uint64], window: int) -> NDArray[np.uint64]:
    """The least of each `window` successive values."""
    import numpy as np  # noqa: PLC0415

    width = 1
    while 2 * width <= window:
        values = np.minimum(values[:-width], values[width:])
        width *= 2
    rest = window - width
    return np.minimum(values[:-rest], values[rest:]) if rest else values
