"""An offer that is not one's own, as a service: who operates it, where, what crosses to it, what becomes of that."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.catalog.bom.entry import Json, filled, properties, public_address, reference
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.offer import Offer


def ref(offer: Offer) -> str:
    """The `bom-ref`."""
    return f"service:{offer.name}"


def service(offer: Offer, catalog: Catalog) -> Json:
    """The service that an offer is."""
    provider = catalog.provider_of(offer.provider)
    terms = None if offer.terms is None else catalog.terms.get(offer.terms)
    record = None if offer.record is None else catalog.models.get(offer.record)
    operator = _operator(offer, provider)
    return filled(
        {
            "bom-ref": ref(offer),
            "provider": operator,
            "group": offer.provider,
            "name": offer.name,
            "description": f"{offer.model} at {operator['name']}",
            "endpoints": [public_address(offer.base_url)] if offer.base_url else [],
            "authenticated": offer.key is not None,
            "x-trust-boundary": True,
            "trustZone": offer.side,
            "data": [_data(label, offer, operator) for label in _labels(offer)],
            "externalReferences": list(_references(provider, terms)),
            "properties": properties(_facts(offer, record, catalog)),
        }
    )


def _operator(offer: Offer, provider: ProviderRecord | None) -> Json:
    if provider is None:
        return {"name": offer.provider}
    seat = provider.seat.value or offer.jurisdiction
    return filled(
        {
            "name": provider.legal_entity.value or provider.title,
            "address": {"country": seat} if seat else None,
            "url": [provider.terms_url] if provider.terms_url else [],
        }
    )


def _labels(offer: Offer) -> list[str]:
    """What data may cross: without a label always, with one where the offer is cleared for it."""
    return ["any label"] if offer.clearance.everything else ["unlabelled", *sorted(offer.clearance.labels)]


def _data(label: str, offer: Offer, operator: Json) -> Json:
    return {
        "flow": "bi-directional",
        "classification": label,
        "name": "requests and answers",
        "description": _kept(offer),
        "governance": {"custodians": [{"organization": {"name": operator["name"]}}]},
    }


def _kept(offer: Offer) -> str:
    """What may become of it there, in a sentence or two."""
    where = f"Processed in {offer.region}." if offer.region else "Where it is processed is not known."
    if offer.retention_days is None:
        kept = "How long it is kept is not known."
    elif offer.retention_days == 0:
        kept = "It is not kept."
    else:
        kept = f"It is kept for up to {offer.retention_days} days."
    return f"{where} {kept}"


def _references(provider: ProviderRecord | None, terms: TermsRecord | None) -> Iterator[Json]:
    if terms is not None and terms.url:
        yield reference("documentation", terms.url, f"terms of {terms.id}")
    if provider is not None and provider.dpa_url:
        yield reference("documentation", provider.dpa_url, "data processing agreement")
    if provider is not None and provider.subprocessors_url:
        yield reference("documentation", provider.subprocessors_url, "subprocessors")


def _facts(offer: Offer, record: ModelRecord | None, catalog: Catalog) -> Iterator[tuple[str, object]]:
    yield "side", offer.side
    yield "dialect", offer.dialect
    yield "model", offer.model if record is None else record.id
    yield "api_model", offer.model
    yield "region", offer.region or "unknown"
    yield "jurisdiction", offer.jurisdiction or "unknown"
    yield "retention_days", "unknown" if offer.retention_days is None else offer.retention_days
    yield "training", offer.training
    yield "evidence", offer.evidence
    yield "terms", offer.terms or "unknown"
    yield "retired_on", offer.retired_on
    if record is not None:
        found = assess(record, catalog.licences)
        yield "openness:headline", "unknown" if found.headline is None else f"{found.headline} {found.title}"
