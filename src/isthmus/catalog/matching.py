"""Which record of the catalog an offer of the settings is."""

from __future__ import annotations

from urllib.parse import urlsplit

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.records.offer import OfferRecord
from isthmus.domain.offer import Offer


def offer_record(offer: Offer, catalog: Catalog) -> OfferRecord | None:
    """The offer of the catalog that one of the settings is: same service and terms, and an address of its hosts.

    None as well where several would do: then it is not known where it processes.
    """
    host = (urlsplit(offer.base_url).hostname or "").lower()
    fitting = [
        found
        for found in catalog.offers.values()
        if found.service == offer.provider
        and found.terms == offer.terms
        and any(_is(host, name) for name in found.hosts)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _is(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
