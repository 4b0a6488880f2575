"""The changes from one state of the catalog to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.changes.change import GONE, GROUPS, NEW, Change, Fact, Kind
from isthmus.catalog.changes.facts import RETIREMENT, Retirement, facts_listed, facts_of
from isthmus.catalog.changes.loosening import loosens
from isthmus.catalog.changes.wording import group_of, sentence
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.listing import Listing
from isthmus.catalog.records.base import Record

KINDS: tuple[Kind, ...] = ("licences", "terms", "offers", "models", "providers")

HEARSAY = frozenset({"feed", "secondary", "recollection"})
"""Kinds of sources that nothing which we verified gives way to."""


def changes(before: Catalog, after: Catalog) -> tuple[Change, ...]:
    """All changes, in the order of their groups.

    A record that only the catalog before has stays: an update adds to and replaces what is there. Listings are
    generated as a whole, so those may go. Where and when facts were read is no change of a fact.
    """
    found = [
        *(change for kind in KINDS for change in _records(kind, getattr(before, kind), getattr(after, kind))),
        *_listings(before, after),
    ]
    return tuple(sorted(found, key=lambda change: (GROUPS.index(change.group), change.id)))


def _records(kind: Kind, before: Mapping[str, Record], after: Mapping[str, Record]) -> Iterator[Change]:
    for name, new in after.items():
        old = before.get(name)
        if old is None:
            yield _change(Fact(kind=kind, record=name, field=NEW), None, new)
            continue
        then, now = facts_of(old), facts_of(new)
        for path in sorted(then.keys() | now.keys()):
            if not same(then.get(path), now.get(path)):
                change = _change(Fact(kind=kind, record=name, field=path), then.get(path), now.get(path), old)
                yield _contested(change) if _is_contested(then.get(path), now.get(path), new.sources) else change


def _listings(before: Catalog, after: Catalog) -> Iterator[Change]:
    then = {(listing.provider, listing.api_id): listing for listing in before.snapshot.listings}
    now = {(listing.provider, listing.api_id): listing for listing in after.snapshot.listings}
    for key in sorted(then.keys() | now.keys()):
        old, new = then.get(key), now.get(key)
        name = " ".join(key)
        if old is None or new is None:
            yield _change(Fact(kind="listings", record=name, field=NEW if old is None else GONE), old, new)
            continue
        facts, others = facts_listed(old), facts_listed(new)
        for path in facts:
            if not same(facts[path], others[path]):
                change = _change(Fact(kind="listings", record=name, field=path), facts[path], others[path])
                yield _beside_verified(change, new, before)


def same(before: object, after: object) -> bool:
    """Whether two values of a field tell the same: of a claim, value, other readings, state and evidence."""
    if isinstance(before, Claim) and isinstance(after, Claim):
        return _essence(before) == _essence(after)
    if before is None or after is None:  # a field that only one state has: nothing said is the same as no field
        told = before if after is None else after
        return not told.known if isinstance(told, Claim) else told in (None, "", ())
    if isinstance(before, Retirement) and isinstance(after, Retirement):
        return same(before.retires_on, after.retires_on) and same(before.replacement, after.replacement)
    return before == after


def _essence(claim: Claim[Any]) -> tuple[object, ...]:
    others = tuple(other.value for other in claim.alternatives)
    return claim.value, others, claim.state, claim.evidence, claim.note


def _change(fact: Fact, before: object, after: object, record: Record | None = None) -> Change:
    return Change(
        fact=fact,
        group=group_of(fact),
        says=sentence(fact, before, after),
        before=before,
        after=after,
        loosens=loosens(fact, _or_like(before, after), _or_like(after, before), record),
    )


def _or_like(value: object, other: object) -> object:
    """The value; where there is none, nothing of the sort of the other: a field that only one state has."""
    if value is not None:
        return value
    return Claim() if isinstance(other, Claim) else () if isinstance(other, tuple) else value


def _is_contested(before: object, after: object, sources: Mapping[str, Source]) -> bool:
    """Whether what we verified would give way to hearsay."""
    if not (isinstance(before, Claim) and isinstance(after, Claim)) or before.state != "verified":
        return False
    kinds = {sources[key].kind for key in after.sources if key in sources}
    return after.known and after.state != "verified" and kinds <= HEARSAY


def _contested(change: Change) -> Change:
    return dataclasses.replace(change, says=f"{change.says}; the first was verified and stays", contested=True)


def _beside_verified(change: Change, listing: Listing, catalog: Catalog) -> Change:
    """A changed listing, with what we verified of the model where the feeds now say something else."""
    model = catalog.models.get(listing.model or "")
    ours = None if model is None or change.fact.field == RETIREMENT else getattr(model, change.fact.field, None)
    if not isinstance(ours, Claim) or not isinstance(change.after, Claim) or ours.state != "verified":
        return change
    if change.after.value in {None, ours.value}:
        return change
    return dataclasses.replace(change, says=f"{change.says}; {ours.value:,} was verified of the model and stays")
