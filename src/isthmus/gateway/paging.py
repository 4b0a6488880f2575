"""What a query says of the page of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from isthmus.domain.errors import InvalidRequest


def limit_of(query: Mapping[str, str], *, default: int, most: int) -> int:
    """How many are asked for, from 1 to `most`. What is beyond is bounded, not refused.

    Raises:
        InvalidRequest: it is no number.
    """
    told = query.get("limit")
    if told is None:
        return default
    if not (told.isascii() and told.isdigit() and len(told) < 10):
        raise InvalidRequest("limit must be a whole number.", param="limit")
    return min(max(int(told), 1), most)


def order_of(query: Mapping[str, str]) -> Literal["asc", "desc"]:
    """In which order, the newest first where nothing is said.

    Raises:
        InvalidRequest: in none that there is.
    """
    match query.get("order", "desc"):
        case "asc":
            return "asc"
        case "desc":
            return "desc"
        case _:
            raise InvalidRequest("order must be asc or desc.", param="order")
