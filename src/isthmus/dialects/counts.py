"""Counts of tokens as upstreams tell them, each by itself: one that cannot be read does not cost us the others."""

from __future__ import annotations

from isthmus.domain.message import Json


def count(told: Json) -> int:
    """A count; integral floats (`3.0`) are whole numbers, and what is no count, or a negative one, is 0."""
    if type(told) is int:
        return max(told, 0)
    return int(told) if type(told) is float and told > 0 and told.is_integer() else 0


def count_in(details: Json, name: str) -> int:
    """A count in an object of details; 0 where either is missing."""
    return count(details.get(name)) if isinstance(details, dict) else 0
