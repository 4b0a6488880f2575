"""Changes in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from isthmus.catalog.changes.change import GONE, NEW, Fact, Group
from isthmus.catalog.changes.facts import RETIREMENT, Retirement
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import ListedPrice, Listing
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.terms import ModelException, RetentionClass, UseTerm

_NOUNS = {
    "terms": "terms",
    "offers": "offer",
    "providers": "provider",
    "licences": "licence",
    "models": "model",
    "listings": "listing",
}

_FIELDS = {
    "training.default": "training on inputs",
    "training.human_review": "review by people",
    "retention.default_days": "retention",
    "retention.classes": "what else is kept",
    "retention.safety_exception": "what is kept for suspicion of abuse",
    "retention.model_exceptions": "models excepted from the retention",
    "zero_retention.how": "how nothing being kept is had",
    "region.processing": "where it processes",
    "region.storage": "where it stores",
    "region.guarantee": "guarantee of the region",
    "uses": "what is permitted",
    "baa": "business associate agreement",
    "clauses": "clauses",
    "grants": "uses granted",
    "licence_revisions": "licence text",
    "text_sha256": "licence text",
    "context_tokens": "context",
    "output_tokens": "longest answer",
    "producer.seat": "seat of the maker",
    "training.data": "training data",
    "training.code": "training code",
}

_UNITS = {"retention.default_days": "days", "context_tokens": "tokens", "output_tokens": "tokens"}

_LONGEST = 160
"""Characters of a value that are shown."""


def group_of(fact: Fact) -> Group:
    """Under which heading a change is shown."""
    match fact.kind:
        case "listings":
            return "prices" if fact.field == "price" else "retirements" if fact.field == RETIREMENT else "others"
        case "licences":
            return "licences"
        case "terms" | "offers":
            return "terms"
        case "models":
            return "licences" if fact.field in {"licence", "licence_revisions"} else "models"
        case _:
            return "others"


def sentence(fact: Fact, before: object, after: object) -> str:
    """What changed, without a full stop."""
    if fact.kind == "listings":
        return _listed(fact, before, after)
    if fact.field == NEW:
        assert isinstance(after, Record)
        return f"new {_NOUNS[fact.kind]} {fact.record}: {after.title}"
    name = _FIELDS.get(fact.field, re.sub(r"[._]", " ", fact.field))
    if fact.field in {"licence_revisions", "text_sha256"}:
        return f"licence text of {fact.record} changed: {told(before)} → {told(after)}"
    return f"{name} of {fact.record}: {_moved(before, after, _UNITS.get(fact.field, ''))}"


def _moved(before: object, after: object, unit: str) -> str:
    """`30 days → 0 days`; where the value is the same, what else is said of it."""
    then, now = told(before, unit), told(after, unit)
    if then != now or not (isinstance(before, Claim) and isinstance(after, Claim)):
        return f"{then} → {now}"
    return f"{now}, {_known_otherwise(before, after)}"


def _known_otherwise(before: Claim[Any], after: Claim[Any]) -> str:
    if before.evidence != after.evidence:
        return f"evidence {before.evidence} → {after.evidence}"
    if before.state != after.state:
        return f"{before.state} → {after.state}"
    return f"with another note: {after.note or 'none'}"


def _listed(fact: Fact, before: object, after: object) -> str:
    provider, _, api_id = fact.record.partition(" ")
    who = f"{api_id} at {provider}"
    if fact.field == NEW:
        assert isinstance(after, Listing)
        facts = [price_told(after.price), *([ends_told(after)] if after.retires_on.known else [])]
        return f"{who}: new, {', '.join(facts)}"
    if fact.field == GONE:
        assert isinstance(before, Listing)
        return f"{who}: listed no longer" + (f"; it {ends_told(before)}" if before.retires_on.known else "")
    if fact.field == RETIREMENT:
        assert isinstance(before, Retirement)
        assert isinstance(after, Retirement)
        return f"{who}: {_retirement(before, after)}"
    if fact.field == "price":
        assert isinstance(before, Claim)
        assert isinstance(after, Claim)
        return f"{who}: {_price(before, after)}"
    return f"{who}: {_FIELDS.get(fact.field, fact.field)} {_moved(before, after, _UNITS.get(fact.field, ''))}"


_PARTS = ("input", "output", "cached", "cache_written")


def _price(before: Claim[ListedPrice], after: Claim[ListedPrice]) -> str:
    if before.value is None or after.value is None:
        return f"price {price_told(before)} → {price_told(after)}"
    moved = [
        f"{part.replace('_', ' ')} {_dollars(getattr(before.value, part))} → {_dollars(getattr(after.value, part))}"
        for part in _PARTS
        if getattr(before.value, part) != getattr(after.value, part)
    ]
    said = f"{', '.join(moved)} per million" if moved else ""
    if before.alternatives != after.alternatives:
        disagree = [told_price(other.value) for other in after.alternatives]
        said += ("; " if said else "") + (f"other feeds say {' or '.join(disagree)}" if disagree else "feeds agree now")
    return said or f"price the same, {_known_otherwise(before, after)}"


def price_told(claim: Claim[ListedPrice]) -> str:
    """A price as it is shown, with the other readings."""
    return " or ".join(told_price(price) for price in claim.readings) if claim.known else "price not known"


def told_price(price: ListedPrice) -> str:
    return f"{_dollars(price.input)} in, {_dollars(price.output)} out per million"


def _dollars(amount: Decimal | None) -> str:
    """With cents at least: `$0.60`, `$0.075`."""
    if amount is None:
        return "not known"
    plain = format(amount.normalize(), "f")
    whole, _, parts = plain.partition(".")
    return f"${whole}.{parts.ljust(2, '0')}"


def ends_told(listing: Listing) -> str:
    """`retires 2026-12-11, replaced by gpt-5.6-sol`."""
    days = " or ".join(day.isoformat() for day in listing.retires_on.readings)
    return f"retires {days}" + (f", replaced by {listing.replacement.value}" if listing.replacement.known else "")


def _retirement(before: Retirement, after: Retirement) -> str:
    then, now = told(before.retires_on), told(after.retires_on)
    successor = after.replacement.value
    by = f", replaced by {successor}" if successor else ""
    if then == now:
        return f"retires {now}{by}" if by else f"retires {now}, no successor is named any more"
    if now == _UNKNOWN:
        return f"was to retire {then}; no day is named any more"
    return f"retires {now}{by}" + ("" if then == _UNKNOWN else f" (was {then})")


_UNKNOWN = "not known"


def told(value: object, unit: str = "") -> str:
    """A value of a record, for people."""
    match value:
        case Claim():
            text = " or ".join(dict.fromkeys(told(reading) for reading in value.readings)) or _UNKNOWN
            if value.known and unit:
                text += f" {unit}"
        case None | "" | ():
            text = "none" if value == () else _UNKNOWN
        case bool():
            text = "yes" if value else "no"
        case int() | float() if abs(value) >= 10_000:
            text = f"{value:,}"
        case date():
            text = value.isoformat()
        case UseTerm():
            text = f"{value.use} {value.permits.replace('_', ' ')}"
        case RetentionClass():
            text = f"{value.what} {told(value.days, 'days')}"
        case ModelException():
            text = f"{', '.join(value.models)} {told(value.days, 'days')}"
        case tuple():
            text = _list(value)
        case msgspec.Struct():
            text = getattr(value, "says", "") or _fields(value)
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _list(values: Sequence[object]) -> str:
    return ", ".join(told(value)[:12] if _is_hash(value) else told(value) for value in values)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _fields(value: msgspec.Struct) -> str:
    said: Iterable[tuple[str, object]] = ((name, getattr(value, name)) for name in value.__struct_fields__)
    return ", ".join(f"{name.replace('_', ' ')} {told(found)}" for name, found in said if found not in (None, "", ()))
