"""The proof Gemini wants back with a text or a tool call, in dialects other than its own.

Google's own endpoint of OpenAI's dialect puts it into `extra_content.google.thought_signature`; so do we, in every
dialect that has no place for it.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures, "OpenAI compatibility".
"""

from __future__ import annotations

from typing import NamedTuple

from isthmus.dialects.fields import Fields, decode_signature
from isthmus.dialects.proofs import marked, unmarked
from isthmus.domain.message import Json

GEMINI = "gemini-generate"
"""The dialect whose provider makes these proofs. One of another dialect is carried with a mark."""


class GoogleProof(NamedTuple):
    """The proof at a text or a call, in the words of the domain; empty where there is none."""

    signature: str | None = None
    minted_by: str | None = None


def decode_proof(fields: Fields) -> GoogleProof:
    return read_proof(decode_signature(fields))


def read_proof(signature: str | None) -> GoogleProof:
    return GoogleProof() if signature is None else GoogleProof(*unmarked(signature, GEMINI))


def encode_proof(signature: str | None, minted_by: str | None) -> dict[str, Json]:
    """The fields that say it; none where there is no proof."""
    if signature is None:
        return {}
    return {"extra_content": {"google": {"thought_signature": marked(signature, minted_by, GEMINI)}}}
