"""Made-up words that stand nowhere else: by them a request is known again wherever a trace of it turns up."""

from __future__ import annotations

import random
import re

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_PREFIX = "hrn"
_SYLLABLES = 4
"""Eleven letters in all: as a text of its own too short to have a topic, so no time is spent on looking for one."""

MARK = re.compile(rf"{_PREFIX}(?:[{_CONSONANTS}][{_VOWELS}]){{{_SYLLABLES}}}")


def mark(number: int) -> str:
    """A word that only the request of this number bears: below 24 million, one each."""
    word = ""
    for _ in range(_SYLLABLES):
        number, consonant = divmod(number, len(_CONSONANTS))
        number, vowel = divmod(number, len(_VOWELS))
        word += _CONSONANTS[consonant] + _VOWELS[vowel]
    return _PREFIX + word


def prose(number: int, words: int = 40) -> str:
    """Text that says nothing and is long enough for lineage to know it again; another one for each number."""
    draw = random.Random(number)  # noqa: S311 - it is to be the same each time, not secret
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    said = ["".join(draw.choices(syllables, k=draw.randint(2, 4))) for _ in range(words)]
    return f"the {mark(number)} {' '.join(said)}"
