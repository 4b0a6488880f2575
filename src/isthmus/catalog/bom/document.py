"""The whole bill of materials, as CycloneDX 1.6.

Models whose weights one runs, or whose weights are published and run by somebody else, are components. Whatever is
called over the network and is not one's own is a service, with what data may cross to it. The Python packages of
isthmus are not listed, and the document says that it is incomplete in this.

Source:
    https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from isthmus.catalog.bom.entry import Json, filled, properties, public_address
from isthmus.catalog.bom.model import Model, component
from isthmus.catalog.bom.outcome import outcomes
from isthmus.catalog.bom.service import ref, service
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.organisation import Organisation
from isthmus.domain.offer import Offer

ITSELF = "isthmus"
"""The `bom-ref` of what the bill is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a document has that does not follow from what it is about."""

    serial: UUID
    made_at: datetime
    """Aware."""
    isthmus: str
    """Version of the package."""


def bom_of(offers: Iterable[Offer], catalog: Catalog, *, stamp: Stamp, organisation: Organisation | None) -> Json:
    """The bill of materials of an installation, ready to be written as JSON.

    Args:
        offers: all that it may send requests to.
        catalog: what is known of their models, licences, providers and terms.
        stamp: serial number, time, version.
        organisation: whom licences and terms are held against; None: nothing is said of what they allow.
    """
    listed = list(offers)
    today = stamp.made_at.astimezone(UTC).date()
    models = {offer.name: _model_of(offer, catalog) for offer in listed}
    components: dict[str, Json] = {}
    for offer in listed:
        model = models[offer.name]
        if model is not None:
            entry = components.setdefault(model.ref, component(model, catalog.licences))
            if offer.side == "own":
                _add(entry, _own(offer))
                _add(entry, outcomes(offer, catalog, organisation, today))
    services: list[Json] = []
    for offer in listed:
        if offer.side != "own":
            entry = service(offer, catalog)
            _add(entry, outcomes(offer, catalog, organisation, today))
            services.append(entry)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{stamp.serial}",
        "version": 1,
        "metadata": _metadata(stamp, catalog),
        "components": list(components.values()),
        "services": services,
        "dependencies": list(_dependencies(listed, models)),
        "compositions": [{"aggregate": "incomplete_first_party_only", "assemblies": [ITSELF]}],
    }


def _model_of(offer: Offer, catalog: Catalog) -> Model | None:
    """The model as a component; None: it is closed, and a part of the service only."""
    record = None if offer.record is None else catalog.models.get(offer.record)
    if offer.side == "closed" and (record is None or record.weights.value in {None, "none"}):
        return None
    return Model(
        name=offer.model if record is None else record.id,
        record=record,
        weights=None if offer.engine is None else offer.engine.weights,
        licence=offer.licence,
    )


def _metadata(stamp: Stamp, catalog: Catalog) -> Json:
    return {
        "timestamp": stamp.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycles": [{"phase": "operations"}],
        "component": {
            "type": "application",
            "bom-ref": ITSELF,
            "name": "isthmus",
            "version": stamp.isthmus,
            "description": "Gateway between closed and open language models.",
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "purl": f"pkg:pypi/isthmus@{stamp.isthmus}",
        },
        "properties": properties([("catalog", catalog.version), ("catalog:snapshot", catalog.snapshot.made_on)]),
    }


def _own(offer: Offer) -> Iterator[tuple[str, object]]:
    """How one serves the model oneself."""
    yield "offer", offer.name
    yield f"offer:{offer.name}:engine", offer.provider
    if offer.base_url:
        yield f"offer:{offer.name}:address", public_address(offer.base_url)


def _add(entry: Json, facts: Iterable[tuple[str, object]]) -> None:
    there = entry.get("properties")
    entry["properties"] = [*(there if isinstance(there, list) else []), *properties(facts)]


def _dependencies(offers: list[Offer], models: Mapping[str, Model | None]) -> Iterator[Json]:
    """What is needed: by isthmus its own models and the services, by a service its model, where that is listed."""
    direct: dict[str, None] = {}
    below: dict[str, list[str]] = {}
    for offer in offers:
        model = models[offer.name]
        if offer.side == "own":
            assert model is not None, "only a closed offer has no model in the bill"
            direct[model.ref] = None
        else:
            direct[ref(offer)] = None
            below[ref(offer)] = [] if model is None else [model.ref]
        if model is not None:
            below.setdefault(model.ref, [])
    yield filled({"ref": ITSELF, "dependsOn": list(direct)})
    for name, needed in below.items():
        yield filled({"ref": name, "dependsOn": needed})
