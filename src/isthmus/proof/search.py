"""Whether bytes say something, in whatever disguise: escaped, encoded, spread over parts, in letters that look alike.

Written apart from the detectors on purpose: what finds the leaks must not be blind where they are.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

_LOOK_ALIKES = str.maketrans("аеіорсухкмтвнԁӏαερουικντ", "aeiopcyxkmtbhdlaepouikvt")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_STRUCTURE = frozenset({"type", "role", "id", "tool_call_id", "tool_use_id"})
_DEEPEST = 4
"""Encodings inside one another that are looked through."""


def folded(text: str) -> str:
    """The letters and digits of a text, in their plainest form."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_LOOK_ALIKES)
    return "".join(char for char in unicodedata.normalize("NFKD", plain) if char.isalnum())


def says(received: bytes, value: str) -> bool:
    """Whether a request says a value."""
    wanted = folded(value)
    return any(wanted in folded(text) for text in readings(received.decode("utf-8", "replace")))


def readings(text: str, depth: int = 0) -> Iterator[str]:
    """The ways a text can be read."""
    yield text
    if depth >= _DEEPEST:
        return
    _, _, body = text.partition("\r\n\r\n")
    for content in dict.fromkeys((text, body)):
        try:
            decoded = msgspec.json.decode(content)
        except msgspec.DecodeError:
            continue
        if isinstance(decoded, dict | list):
            leaves = list(_leaves(decoded))
            yield "".join(leaves)
            for leaf in leaves:
                yield from readings(leaf, depth + 1)
            return
    if "%" in text and (plain := unquote(text)) != text:
        yield from readings(plain, depth + 1)
    for run in _ENCODED.findall(text):
        bare = run.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            inner = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        yield from readings(inner, depth + 1)


def _leaves(value: Any) -> Iterator[str]:
    """Every text of a JSON value in order, names of fields included, save those that only structure it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _STRUCTURE:
                continue
            if len(name) > 12 or not name.isidentifier():
                yield name
            yield from _leaves(inner)
