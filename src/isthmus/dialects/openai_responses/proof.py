"""Proofs of other providers on their way through clients of this dialect.

`encrypted_content` of a reasoning item is the one place for opaque content that every client of this dialect returns.
A proof of another provider is put there with a mark that says whose it is (`isthmus.dialects.proofs`) and what it
belongs to: to the reasoning in the item itself, to the call that follows, or to the text before.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast, get_args

from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.proofs import marked, unmarked

Belongs = Literal["encrypted", "signature", "call", "text"]
"""Reasoning that is not shown, the signature of reasoning that is, of a call, of a text."""


class Proof(NamedTuple):
    belongs: Belongs
    text: str
    minted_by: str


def is_anothers(minted_by: str | None) -> bool:
    """Whether the maker of a proof is known, and not of this dialect."""
    return minted_by is not None and minted_by != NAME


def told(belongs: Belongs, text: str, minted_by: str | None) -> str:
    """`encrypted_content` for a client. What nobody knows the maker of counts as made by a provider of this dialect."""
    return marked(f"{belongs}:{text}", minted_by, NAME) if is_anothers(minted_by) else text


def read(content: str) -> Proof | None:
    """What a client has returned; None: a mark that isthmus never wrote."""
    text, minted_by = unmarked(content, NAME)
    if minted_by is None or minted_by == NAME:
        return Proof("encrypted", text, NAME)
    belongs, colon, proof = text.partition(":")
    if not colon or belongs not in get_args(Belongs):
        return None
    return Proof(cast("Belongs", belongs), proof, minted_by)


def is_foreign(content: object) -> bool:
    """Whether `told` made it of another provider's proof."""
    return isinstance(content, str) and unmarked(content, NAME).minted_by != NAME
