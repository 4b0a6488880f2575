"""Vectors as base64 of little-endian 32-bit floats, as OpenAI's clients ask for by default."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence


def to_base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def from_base64(text: str) -> tuple[float, ...]:
    """The numbers of a vector.

    Raises:
        ValueError: not base64, or not of whole floats.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
    if len(raw) % 4:
        raise ValueError("not of whole floats")
    return struct.unpack(f"<{len(raw) // 4}f", raw)
