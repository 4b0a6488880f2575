"""Checkpoints: signed statements of how far each chain has come. Pure.

Checkpoints are numbered from 1 through all writers and chained by hash, so that none can be taken away from between
two others. Each lists the heads of all writers that may have gone on since the last one, and of those that have ended
since. What one checkpoint lists, holds for good: taken together they say how far each writer has come at least.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from isthmus.ledger.chain import SEED, Head
from isthmus.ledger.documents import canonical
from isthmus.ledger.signing import SigningKey


class SignedHead(NamedTuple):
    """A head as it stands in a checkpoint: `[writer, number, hash]`."""

    writer: int
    seq: int
    hash: str


class CheckpointDocument(msgspec.Struct, gc=False, kw_only=True):
    at: int
    """Microseconds since 1970."""
    heads: tuple[SignedHead, ...]
    key: str
    """The public key, in hex."""
    kind: Literal["checkpoint"] = "checkpoint"
    number: int
    previous: str
    """SHA-256 of the document of the checkpoint before it, in hex; of the first: zeros."""
    writer: int
    """Who signed it."""


FIRST_PREVIOUS = SEED.hex()

_decode = msgspec.json.Decoder(CheckpointDocument).decode


def signed_checkpoint(
    key: SigningKey, heads: Mapping[int, Head], *, writer: int, number: int, previous: str, at: int
) -> tuple[bytes, bytes]:
    """A checkpoint's document and its signature."""
    document = canonical(
        CheckpointDocument(
            at=at,
            heads=tuple(SignedHead(one, head.seq, head.hash.hex()) for one, head in sorted(heads.items())),
            key=key.public.name,
            number=number,
            previous=previous,
            writer=writer,
        )
    )
    return document, key.sign(document)


def checkpoint_hash(document: bytes) -> str:
    """How the next checkpoint names this one."""
    return hashlib.sha256(document).hexdigest()


def parse_checkpoint(text: str | bytes) -> CheckpointDocument:
    """What a checkpoint says.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: it is none.
    """
    return _decode(text)
