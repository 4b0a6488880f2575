"""A provider: who operates a service, from where, under which papers."""

from __future__ import annotations

import msgspec

from isthmus.catalog.claim import Claim
from isthmus.catalog.records.base import Record


class Certification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    url: str
    sources: tuple[str, ...]


class Feeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Its names in the feeds that the snapshot is made from; empty: not in it."""

    genai_prices: str = ""
    models_dev: str = ""
    deprecations: str = ""


class ProviderRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator."""

    legal_entity: Claim[str] = Claim()
    seat: Claim[str] = Claim()
    """ISO 3166-1 alpha-2."""
    services: tuple[str, ...] = ()
    """Its rows in the table of providers (`providers/compatible.toml`)."""
    certifications: tuple[Certification, ...] = ()
    subprocessors_url: str = ""
    status_url: str = ""
    terms_url: str = ""
    dpa_url: str = ""
    dpf: Claim[bool] = Claim()
    """Whether it is on the list of the EU-US Data Privacy Framework."""
    feeds: Feeds = Feeds()
