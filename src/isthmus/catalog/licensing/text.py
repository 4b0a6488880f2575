"""The text of a licence: a hash that survives wrapping and quoting, and which licence of the catalog a text is.

No text is kept here. What the catalog has of a licence's text is the hash of it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.records.licence import LicenceRecord

_WORD = re.compile(r"[^\W_]+|[%$€£¥<>]")
"""What counts: words, numbers, and the signs that limits are written with."""

_SCHEME = re.compile(r"\bhttps?://")
_RIGHTS = re.compile(r"all rights reserved", re.IGNORECASE)
_OF_HOLDERS = re.compile(
    r"\(c\)|[\W\d]+|[A-Z][^\s]*|[\[{](yyyy|year|fullname)[\]}]|[\[{]?name|copyright|holders?|owner[\]}]?"
    r"|and|of|the|its|by|to|present|authors?|contributors"
)
"""Words that say who holds a copyright: signs, years, names, and what joins names. Clauses are written with others."""


def digest(text: bytes) -> str:
    """Hash of a licence's text, the same for every way of writing it down.

    Of the text, read as UTF-8 in the normal form KC and in lower case, only words, numbers and the signs
    `% $ € £ ¥ < >` count, with one space between two; addresses count without their `https:`. Lines may be wrapped
    anew, quotation marks be curled and headings be marked; another word, or one word less, makes another hash.

    Returns:
        SHA-256 in hex.
    """
    return _hashed(_decoded(text))


def recognise(text: bytes, catalog: Catalog) -> LicenceRecord | None:
    """Which licence a text is; None: none whose text the catalog knows.

    Lines that only say who holds the copyright make no difference: of the MIT License, everybody has a copy of one's
    own.
    """
    decoded = _decoded(text)
    hashes = {_hashed(decoded), _hashed(without_holders(decoded))}
    return next((licence for licence in catalog.licences.values() if hashes & set(licence.text_sha256)), None)


def without_holders(text: str) -> str:
    """A text without the lines that say who holds the copyright, and nothing else."""
    return "\n".join(line for line in text.splitlines() if not _names_a_holder(line))


def _names_a_holder(line: str) -> bool:
    words = [word.rstrip(".,;") for word in _RIGHTS.sub("", line).strip(" \t#*/-").split()]
    named = bool(words) and words[0].lower() == "copyright"
    return named and all(_OF_HOLDERS.fullmatch(word) for word in words[1:] if word)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8-sig", errors="replace")


def _hashed(text: str) -> str:
    words = _WORD.findall(_SCHEME.sub("", unicodedata.normalize("NFKC", text).lower()))
    return hashlib.sha256(" ".join(words).encode()).hexdigest()
