"""Models in use that end soon, or have ended: with the day, what comes after, and whom it concerns.

Warned is in three bands: from 90 days on (look for another), from 30 days on (move now), and from the day itself on
(it is gone). Where feeds name several days the first one is warned of: a warning that comes too early costs a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import msgspec

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.listing import Listing
from isthmus.domain.offer import Offer, Workload

Band = Literal[90, 30, 0]
"""Days before the end from which on it is warned of; 0: it has ended."""

BANDS: tuple[Band, ...] = (0, 30, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """An offer of the settings, as the feeds list it."""

    offer: str
    """Its name in the settings."""
    listing: Listing
    workloads: tuple[str, ...]
    """Those that it may serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """One offer whose model ends."""

    offer: str
    model: str
    """As the provider's API calls it."""
    provider: str
    retires_on: date
    days: int
    """Until then; negative: since then."""
    replacement: str | None
    """What the provider names instead; None: nothing."""
    workloads: tuple[str, ...]
    source: str
    """Who says so, and when it was read."""
    note: str = ""
    """How the day is known, where that is not plain."""

    @property
    def band(self) -> Band:
        """The narrowest band that it is in."""
        return next(band for band in BANDS if self.days <= band)

    @property
    def sentence(self) -> str:
        """For people, without a full stop."""
        when = f"in {self.days} days" if self.days > 1 else "tomorrow" if self.days == 1 else "today"
        ends = f"retires on {self.retires_on}, {when}" if self.days >= 0 else f"retired on {self.retires_on}"
        then = f"{self.provider} names {self.replacement} instead" if self.replacement else "no successor is named"
        whom = f"; workloads {', '.join(self.workloads)}" if self.workloads else "; no workload uses it"
        return f"{self.model} (offer {self.offer}) {ends}; {then}{whom}"


def in_use(offers: Mapping[str, Offer], workloads: Iterable[Workload], catalog: Catalog) -> tuple[InUse, ...]:
    """The offers of the settings that somebody else serves, with what the feeds list of their models.

    A day that the settings say goes before the feeds'. Models on one's own machines end when one ends them.
    """
    known = tuple(workloads)
    served = {name: tuple(one.name for one in known if name in one.offers) for name in offers}
    return tuple(
        InUse(offer=name, listing=_listing(offer, catalog), workloads=served[name])
        for name, offer in offers.items()
        if offer.side != "own"
    )


def _listing(offer: Offer, catalog: Catalog) -> Listing:
    provider = catalog.provider_of(offer.provider)
    listed = None if provider is None else catalog.listed(provider.id, offer.model)
    listing = listed or Listing(provider=offer.provider if provider is None else provider.id, api_id=offer.model)
    if offer.retired_on is None or offer.retired_on in listing.retires_on.readings:
        return listing
    said = Claim(value=offer.retired_on, state="declared", sources=("settings",), volatility="fast")
    return msgspec.structs.replace(listing, retires_on=said)


def retirements(
    uses: Iterable[InUse], today: date, *, sources: Mapping[str, Source] | None = None
) -> tuple[Retirement, ...]:
    """The offers whose model ends within 90 days or has ended, the first to end first.

    Args:
        uses: the offers, with what the feeds list of them (`in_use`).
        today: the day it is.
        sources: of the snapshot, to name them with their day; None: they are named by their keys.
    """
    found = (_retirement(one, today, sources or {}) for one in uses if one.listing.retires_on.known)
    near = (one for one in found if one.days <= max(BANDS))
    return tuple(sorted(near, key=lambda one: (one.retires_on, one.offer)))


def _retirement(one: InUse, today: date, sources: Mapping[str, Source]) -> Retirement:
    claim = one.listing.retires_on
    first = min(claim.readings)
    others = sorted(set(claim.readings) - {first})
    notes = [claim.note] if claim.note else []
    if others:
        notes.append(f"the feeds name {' and '.join(str(day) for day in others)}, too")
    return Retirement(
        offer=one.offer,
        model=one.listing.api_id,
        provider=one.listing.provider,
        retires_on=first,
        days=(first - today).days,
        replacement=one.listing.replacement.value,
        workloads=one.workloads,
        source=", ".join(_named(key, sources) for key in claim.sources),
        note="; ".join(notes),
    )


def _named(key: str, sources: Mapping[str, Source]) -> str:
    source = sources.get(key)
    return key if source is None else f"{key}, read {source.observed_on}"
