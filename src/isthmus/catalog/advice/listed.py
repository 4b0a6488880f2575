"""Whether the feeds agree that a provider serves a model at all.

Feeds have rows that no provider has (a maker's open model under its own closed service, say). A feed that lists most
of what the others list at a provider, had half a year to add a model, and has not, is reason to look before one relies
on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import Listing

TIME_TO_LIST = timedelta(days=182)
MOST = 0.5
"""Share of what the others list, from which on a feed is taken to look after a provider."""


def doubts(catalog: Catalog) -> Mapping[tuple[str, str], str]:
    """By provider and model: the feed that should list it there and does not."""
    listed: dict[str, dict[str, set[str]]] = {}
    for row in catalog.snapshot.listings:
        if row.model is not None and row.model in catalog.models:
            listed.setdefault(row.provider, {}).setdefault(row.model, set()).update(_feeds(row))
    found: dict[tuple[str, str], str] = {}
    for provider, models in listed.items():
        for feed in {feed for feeds in models.values() for feed in feeds}:
            due = [name for name in models if _had_time(catalog, feed, name)]
            of_others = [name for name in due if models[name] - {feed}]
            both = [name for name in of_others if feed in models[name]]
            if len(both) >= MOST * len(of_others):
                found |= {(provider, name): feed for name in of_others if feed not in models[name]}
    return found


def _had_time(catalog: Catalog, feed: str, model: str) -> bool:
    released = max(catalog.models[model].released.readings, default=None)
    return released is not None and catalog.snapshot.sources[feed].observed_on >= released + TIME_TO_LIST


def _feeds(row: Listing) -> set[str]:
    """Those that say something of the model itself, and not of its end alone."""
    claims: tuple[Claim[Any], ...] = (row.price, row.context_tokens, row.output_tokens, row.input, row.tools)
    return {
        feed for claim in claims for keys in (claim.sources, *(o.sources for o in claim.alternatives)) for feed in keys
    }
