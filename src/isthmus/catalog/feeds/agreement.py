"""From the readings of several feeds to one claim: they agree (evidence E2), only one speaks (E1), or they differ.

Where they differ, the reading of the feed that is to be preferred is the value, the others stay beside it, and what
the catalog decides holds under the strictest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import eq
from typing import Generic, TypeVar

import msgspec

from isthmus.catalog.claim import Alternative, Claim, Volatility

T = TypeVar("T")


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What one feed says."""

    feed: str
    """Key of its source."""
    value: T
    note: str = ""


def joined(
    readings: Sequence[Reading[T]],
    *,
    volatility: Volatility,
    agree: Callable[[T, T], bool] = eq,
) -> Claim[T]:
    """One claim of what feeds say.

    Args:
        readings: the one to be preferred first.
        volatility: of the fact.
        agree: whether two values say the same; equal ones do.
    """
    if not readings:
        return Claim()
    first, *others = readings
    same = [one for one in others if agree(first.value, one.value)]
    differing = [one for one in others if not agree(first.value, one.value)]
    return Claim(
        value=first.value,
        state="conflict" if differing else "declared",
        sources=(first.feed, *(one.feed for one in same)),
        evidence="E2" if same and not differing else "E1",
        volatility=volatility,
        alternatives=tuple(Alternative(value=one.value, sources=(one.feed,), note=one.note) for one in differing),
        note=first.note,
    )
