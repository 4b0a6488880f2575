"""An offer of the catalog: where a provider serves, under which terms, processing where."""

from __future__ import annotations

from typing import Literal

import msgspec

from isthmus.catalog.claim import Claim
from isthmus.catalog.records.base import Record
from isthmus.domain.offer import Side


class Region(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where what is sent is processed and kept: ISO 3166-1 alpha-2 codes, or `EU`, `EEA`."""

    processing: Claim[tuple[str, ...]] = Claim()
    storage: Claim[tuple[str, ...]] = Claim()
    guarantee: Claim[Literal["contractual", "best_effort", "none"]] = Claim()


class OfferRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to be served, as `provider/tier/region`."""

    provider: str
    """Id of a provider record."""
    service: str
    """Row of the table of providers (`providers/compatible.toml`), or `embedded`."""
    side: Side
    hosts: tuple[str, ...] = ()
    """Hosts it answers at; `*.` before a domain: any below it. Residency is often a host."""
    terms: str
    """Id of a terms record."""
    region: Region = Region()
    surcharge_percent: Claim[float] = Claim()
    """Above the listed prices."""
    transfer: Claim[Literal["in_eea", "adequacy", "scc", "none"]] = Claim()
    """By what personal data may get there from the European Economic Area."""
    models: tuple[str, ...] = ()
    """Ids of model records it is known to serve; empty: as the listings of its provider say."""
