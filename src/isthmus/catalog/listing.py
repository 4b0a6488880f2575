"""A listing: what the public feeds say of one model at one provider. Generated, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from isthmus.catalog.claim import Claim, Source


class ListedPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dollars per million tokens; of short prompts and at the hour of the snapshot where it depends on those."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_written: Decimal | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model as one provider lists it."""

    provider: str
    """Id of a provider record."""
    api_id: str
    """What requests call it."""
    model: str | None = None
    """Id of the model record it is; None: none of ours."""
    price: Claim[ListedPrice] = Claim()
    context_tokens: Claim[int] = Claim()
    output_tokens: Claim[int] = Claim()
    input: Claim[tuple[str, ...]] = Claim()
    """Modalities."""
    tools: Claim[bool] = Claim()
    retires_on: Claim[date] = Claim()
    replacement: Claim[str] = Claim()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An extract of the feeds, as of a day."""

    made_on: date
    sources: Mapping[str, Source]
    """The feeds, by the keys that the claims refer to."""
    listings: tuple[Listing, ...]


def snapshot_json(snapshot: Snapshot) -> bytes:
    """The file of a snapshot: a listing a line, so that changes can be read; without what is not known."""
    told = msgspec.to_builtins(snapshot)
    listings = ",\n".join(msgspec.json.encode(_without_defaults(listing)).decode() for listing in told["listings"])
    sources = msgspec.json.encode({name: _set(source) for name, source in told["sources"].items()}).decode()
    return f'{{"made_on":"{told["made_on"]}","sources":{sources},"listings":[\n{listings}\n]}}\n'.encode()


_CLAIM_DEFAULTS = msgspec.to_builtins(Claim())


def _without_defaults(listing: dict[str, Any]) -> dict[str, Any]:
    lean: dict[str, Any] = {}
    for name, value in listing.items():
        if isinstance(value, dict):
            said = {key: found for key, found in value.items() if found != _CLAIM_DEFAULTS[key]}
            if said:
                lean[name] = {key: _set(found) if key == "value" else found for key, found in said.items()}
        elif value is not None:
            lean[name] = value
    return lean


def _set(value: Any) -> Any:
    """Without the fields of a struct that are not set."""
    return {key: found for key, found in value.items() if found is not None} if isinstance(value, dict) else value
