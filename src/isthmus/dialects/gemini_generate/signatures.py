"""`thoughtSignature`: what Gemini must be given back, and what other providers must be, through clients of Gemini's.

The field holds bytes, as base64, and clients of this dialect write it anew in either alphabet: a proof of another
provider travels inside base64, marked with whose it is.

Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.octets import bytes_of, text_of
from isthmus.dialects.proofs import marked, unmarked

SKIPPED = "skip_thought_signature_validator"
"""What stands for the signature of a call that another model made.

Models since Gemini 3 refuse a turn whose first call has none. Source: the page above, "FAQ".
"""
_STAND_INS = frozenset({SKIPPED, "context_engineering_is_the_way_to_go"})

_MARK = b"isthmus:"
_both = msgspec.json.Decoder(tuple[str | None, str | None])


class Proof(NamedTuple):
    signature: str | None = None
    encrypted: str | None = None
    minted_by: str | None = None


def decode_proof(told: str | None) -> Proof:
    """What a part's signature stands for; one that stands for none is none."""
    if told is None or told in _STAND_INS:
        return Proof()
    raw = bytes_of(told)
    if raw is None or not raw.startswith(_MARK):
        return Proof(told, None, NAME)
    text, minted_by = unmarked(raw.decode("utf-8", "replace"), NAME)
    try:
        signature, encrypted = _both.decode(text)
    except msgspec.MsgspecError:
        return Proof(told, None, NAME)
    return Proof(signature, encrypted, minted_by or None)


def for_client(signature: str | None, encrypted: str | None, minted_by: str | None) -> str | None:
    """The signature of a part of an answer."""
    if signature is None and encrypted is None:
        return None
    if encrypted is None and minted_by in (None, NAME):
        return signature
    both = msgspec.json.encode((signature, encrypted)).decode()
    return text_of(marked(both, minted_by or "", NAME).encode())
