"""Bytes as base64. The API takes both alphabets, and Google's own clients write the one for addresses."""

from __future__ import annotations

import binascii

_STANDARD = str.maketrans("-_", "+/")


def standard(text: str) -> str:
    """In the alphabet, and with the padding, that every other API wants."""
    if "-" in text or "_" in text:
        text = text.translate(_STANDARD)
    return text + "=" * (-len(text) % 4)


def bytes_of(text: str) -> bytes | None:
    """The bytes; None: it is no base64."""
    try:
        return binascii.a2b_base64(standard(text), strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def text_of(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")
