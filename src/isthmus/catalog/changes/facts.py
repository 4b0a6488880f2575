"""The facts of records and listings, by the paths of their fields.

A claim is one fact, and so is a list (the clauses of a licence, the exceptions of a retention): what is in it is
understood together. How a fact is known is part of it; where and when it was read is not (`sources`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import msgspec

from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import Listing
from isthmus.catalog.records.base import Record

ABOUT = frozenset({"id", "sources", "reviewed_on"})
"""Fields that are about the record, not about what it describes."""

RETIREMENT = "retirement"
"""Of a listing: the day and the successor, which are one fact."""

RETIREMENT_FIELDS = ("retires_on", "replacement")


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """When a model ends at a provider, and what comes after it."""

    retires_on: Claim[date]
    replacement: Claim[str]


def facts_of(record: Record) -> Mapping[str, object]:
    """Every fact of a record by its path."""
    return dict(_facts(record, "", ABOUT))


def facts_listed(listing: Listing) -> Mapping[str, object]:
    """Every fact of a listing by its path."""
    found = dict(_facts(listing, "", frozenset({"provider", "api_id", *RETIREMENT_FIELDS})))
    found[RETIREMENT] = Retirement(retires_on=listing.retires_on, replacement=listing.replacement)
    return found


def _facts(value: msgspec.Struct, path: str, left_out: frozenset[str]) -> Iterator[tuple[str, object]]:
    for name in value.__struct_fields__:
        if name not in left_out:
            yield from _within(getattr(value, name), f"{path}.{name}" if path else name)


def _within(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _within(item, f"{path}.{key}")
    elif isinstance(value, msgspec.Struct) and not isinstance(value, Claim):
        yield from _facts(value, path, frozenset())
    else:
        yield path, value
