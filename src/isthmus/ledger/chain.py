"""The chain of one writer: what is hashed, and where a record stands. Pure.

    hash(n) = SHA-256( hash(n - 1) ‖ document(n) ),    hash(-1) = 32 zero bytes

A document is canonical JSON (RFC 8785) in UTF-8 and names its own writer and number. Number 0 is the writer's start.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

SEED = bytes(32)
"""Stands before the first record."""

_SEQ_BITS = 40
_SEQ_MASK = (1 << _SEQ_BITS) - 1


class Head(NamedTuple):
    """The last record of a chain."""

    seq: int
    hash: bytes


BEFORE_START = Head(-1, SEED)


def link(previous: bytes, document: bytes) -> bytes:
    """The hash of a record, from the hash before it."""
    return hashlib.sha256(previous + document).digest()


def place(writer: int, seq: int) -> int:
    """Where a record stands in the store: one number for writer and number, in the order of the chain.

    One key instead of two columns spares an index of its own: a tenth of the cost of an insert.
    """
    return writer << _SEQ_BITS | seq


def writer_at(place: int) -> int:
    return place >> _SEQ_BITS


def seq_at(place: int) -> int:
    return place & _SEQ_MASK


def places(writer: int) -> tuple[int, int]:
    """The first and the last place of a writer."""
    return place(writer, 0), place(writer, _SEQ_MASK)
