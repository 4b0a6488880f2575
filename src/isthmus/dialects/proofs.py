"""Signatures and encrypted thoughts of one provider on their way through clients of another dialect.

Such a proof means something to the provider that made it and to nobody else. A client of another dialect is handed it
with a mark in front that says whose it is, so that it can be told apart when it comes back: the same provider gets it
back without the mark, another never sees it.
"""

from __future__ import annotations

from typing import NamedTuple

_MARK = "isthmus:"
_QUOTED = b'"isthmus:'


class Proof(NamedTuple):
    text: str
    minted_by: str | None
    """The dialect whose provider made it; None: not known."""


def marked(text: str, minted_by: str | None, dialect: str) -> str:
    """A proof as a client of `dialect` is handed it."""
    return text if minted_by is None or minted_by == dialect else f"{_MARK}{minted_by}:{text}"


def unmarked(text: str, dialect: str) -> Proof:
    """A proof as a client of `dialect` returns it: without a mark it is of the client's own dialect."""
    if text.startswith(_MARK):
        minted_by, _, proof = text.removeprefix(_MARK).partition(":")
        return Proof(proof, minted_by)
    return Proof(text, dialect)


def has_marked(body: bytes) -> bool:
    """Whether a body may hold proofs that are marked: it cannot then be passed on as it is."""
    return _QUOTED in body
