"""Reasoning in messages, both ways, with the proofs of its provider.

Source: https://openrouter.ai/docs, "Reasoning Tokens"; https://api-docs.deepseek.com/guides/thinking_mode
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.proofs import marked, unmarked
from isthmus.domain.message import Json, Reasoning

_SUMMARY = "reasoning.summary"
_BLOCKS = ("reasoning.text", "reasoning.encrypted")
"""Kinds of `reasoning_details` that the fields of a `Reasoning` tell apart: https://openrouter.ai/docs, "Reasoning"."""

# --------------------------------------------------------------------------------------------------- decoding


def decode_reasoning(fields: Fields, *, from_offer: bool) -> list[Reasoning]:
    """Reasoning of an assistant message, in any of the forms seen.

    `reasoning_details` (OpenRouter) holds blocks with their proofs; `reasoning_content` (DeepSeek, SGLang, llama.cpp)
    and `reasoning` (vLLM, OpenRouter) hold the text alone, and say the same where there are both. The provider made the
    proofs of an answer; those that a client returns may be another's.
    """
    text = fields.text("reasoning_content") or ""
    if isinstance(fields.rest.get("reasoning"), str | None) and not (text and from_offer):
        text = text or fields.text("reasoning") or ""
        fields.rest.pop("reasoning", None)  # some clients return both; an answer keeps both for its client
    blocks = [
        _decode_block(Fields(item, f"{fields.at('reasoning_details')}[{at}]"), from_offer=from_offer)
        for at, item in enumerate(fields.items("reasoning_details") or ())
    ]
    return blocks or ([Reasoning(text=text)] if text else [])


def _decode_block(fields: Fields, *, from_offer: bool) -> Reasoning:
    kind = fields.required_text("type")
    text = fields.text("summary" if kind == _SUMMARY else "text") or ""
    if kind not in _BLOCKS:
        fields.rest["type"] = kind
    signature, encrypted = fields.text("signature"), fields.text("data")
    minted_by = None if signature is None and encrypted is None else NAME
    if not from_offer:
        signature, minted_by = _unmarked(signature, minted_by)
        encrypted, minted_by = _unmarked(encrypted, minted_by)
    return Reasoning(
        text=text, signature=signature, encrypted=encrypted, minted_by=minted_by, extra=fields.unknown(NAME)
    )


def _unmarked(told: str | None, minted_by: str | None) -> tuple[str | None, str | None]:
    return (told, minted_by) if told is None else unmarked(told, NAME)


# --------------------------------------------------------------------------------------------------- encoding


def returnable(blocks: Sequence[Reasoning], adapted: Adapted) -> list[Reasoning]:
    """The thoughts that an offer is sent: not those that another provider made, which it may refuse."""
    kept = [block for block in blocks if block.minted_by in (None, NAME)]
    if len(kept) < len(blocks):
        other = next(block.minted_by for block in blocks if block.minted_by not in (None, NAME))
        adapted.note("message.reasoning", f"left out, made by {other}")
    return kept


def encode_reasoning(blocks: Sequence[Reasoning], where: str) -> dict[str, Json]:
    """The fields that say it: the text alone where there is no more, else the blocks with their proofs too."""
    said: dict[str, Json] = {}
    if text := "".join(block.text for block in blocks):
        said["reasoning_content"] = text
    plain = len(blocks) <= 1 and all(
        block.signature is None and block.encrypted is None and block.extra is None for block in blocks
    )
    if not plain or (blocks and not text):
        said["reasoning_details"] = [
            _encode_block(block, f"{where}.reasoning_details[{at}]") for at, block in enumerate(blocks)
        ]
    return said


def _encode_block(block: Reasoning, where: str) -> dict[str, Json]:
    own = own_fields(block.extra, dialect=NAME, where=where)
    kind = own.get("type", "reasoning.text" if block.encrypted is None else "reasoning.encrypted")
    said: dict[str, Json] = {"type": kind}
    if block.text or kind == "reasoning.text":
        said["summary" if kind == _SUMMARY else "text"] = block.text
    if block.encrypted is not None:
        said["data"] = marked(block.encrypted, block.minted_by, NAME)
    if block.signature is not None:
        said["signature"] = marked(block.signature, block.minted_by, NAME)
    return merged(said, own)
