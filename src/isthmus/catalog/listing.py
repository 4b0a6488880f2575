"""A listing: what the public feeds say of one model at one provider. Generated, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

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
