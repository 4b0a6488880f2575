"""Ids of answers and of the items in them, where isthmus has to give them.

OpenAI takes ids back only where it gave them itself: encrypted reasoning under another id than its own is refused
("item_id did not match"), under none it is taken. So ids of ours can be told apart, and are left out of what is sent.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

_OURS = "_isthmus"
"""After the prefix by which the API tells the kinds of items apart; the whole has fewer than its 64 characters."""

Kind = Literal["msg", "rs", "fc", "fco", "ctc", "ctco"]
"""A message, reasoning, a call of a function and its result, a call of a custom tool and its result."""


def response_id(told: str) -> str:
    """The id of an answer as clients of this dialect expect it, made of the one that the offer gave."""
    return told if told.startswith("resp_") else f"resp_{told}"


def item_id(kind: Kind, response: str, index: int) -> str:
    """The id of the item at `index` of an answer: the same whenever that answer is told."""
    return f"{kind}{_OURS}{blake2b(f'{response}:{index}'.encode(), digest_size=12).hexdigest()}"


def is_ours(told: object) -> bool:
    """Whether `item_id` made it."""
    return isinstance(told, str) and told.partition("_")[2].startswith(_OURS[1:])
