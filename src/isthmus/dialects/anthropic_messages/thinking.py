"""Thoughts with their proofs, both ways.

Thoughts must come back to the provider with the signature it gave them. Those of another provider are shown to clients
of this dialect all the same, with its proof marked (`isthmus.dialects.proofs`), so that it is known when it comes back.

Source: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.proofs import Proof, marked, unmarked
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import Json, Reasoning

_both = msgspec.json.Decoder(tuple[str | None, str | None])

# --------------------------------------------------------------------------------------------------- decoding


def decode_thinking(fields: Fields, *, from_offer: bool) -> Reasoning:
    """A block of type thinking. Clients return those that another provider showed without proof as they got them."""
    text, told = fields.required_text("thinking"), fields.text("signature")
    signature, encrypted, minted_by = read_signature(told, from_offer=from_offer)
    return Reasoning(
        text=text, signature=signature, encrypted=encrypted, minted_by=minted_by, extra=fields.unknown(NAME)
    )


def decode_redacted(fields: Fields, *, from_offer: bool) -> Reasoning:
    encrypted, minted_by = _proof(fields.required_text("data"), from_offer=from_offer)
    return Reasoning(encrypted=encrypted, minted_by=minted_by, extra=fields.unknown(NAME))


def read_signature(told: str | None, *, from_offer: bool) -> tuple[str | None, str | None, str | None]:
    """Signature, encrypted thoughts, and the dialect whose provider made them."""
    if not told:
        return None, None, None
    text, minted_by = _proof(told, from_offer=from_offer)
    if minted_by != NAME:
        try:
            signature, encrypted = _both.decode(text)
        except msgspec.MsgspecError:
            pass
        else:
            return signature, encrypted, minted_by or None
    return text, None, minted_by or None


def _proof(told: str, *, from_offer: bool) -> Proof:
    return Proof(told, NAME) if from_offer else unmarked(told, NAME)


# --------------------------------------------------------------------------------------------------- encoding


def is_ours(part: Reasoning) -> bool:
    """Whether the provider takes it back: it has a proof, and none that is known to be another's."""
    return (part.signature is not None or part.encrypted is not None) and part.minted_by in (None, NAME)


def encode_reasoning(part: Reasoning, where: str, *, to_client: bool) -> dict[str, Json]:
    """A block of type thinking or redacted_thinking.

    Raises:
        Unsupported: it is both shown and encrypted, and part of a request.
    """
    own = own_fields(part.extra, dialect=NAME, where=where)
    shown = bool(part.text) or part.signature is not None
    if part.encrypted is not None and not shown:
        data = marked(part.encrypted, part.minted_by, NAME) if to_client else part.encrypted
        return merged({"type": "redacted_thinking", "data": data}, own)
    if part.encrypted is not None and not to_client:
        raise Unsupported(
            f"{where}: reasoning is either shown or encrypted in {NAME}.",
            hint="Leave it out of the conversation.",
            param=where,
        )
    signature = write_signature(part.signature, part.encrypted, part.minted_by) if to_client else part.signature
    return merged({"type": "thinking", "thinking": part.text, "signature": signature or ""}, own)


def write_signature(signature: str | None, encrypted: str | None, minted_by: str | None) -> str:
    """The signature of thoughts that are shown, as a client is handed it; it holds the encrypted thoughts too."""
    if encrypted is None:
        return "" if signature is None else marked(signature, minted_by, NAME)
    return marked(msgspec.json.encode((signature, encrypted)).decode(), minted_by or "", NAME)
