"""From what discovery found to offers, and the sentences that tell of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from isthmus.domain.offer import Offer
from isthmus.providers.discovery import FoundEngine, FoundKey
from isthmus.settings.offers import home_offer, service_offer
from isthmus.settings.schema import DEFAULT_WORKLOAD, NAME, RESERVED


def discovered(engines: Sequence[FoundEngine], keys: Sequence[FoundKey]) -> tuple[Mapping[str, Offer], Sequence[str]]:
    """The offers that follow from what was found, own ones first, and what to tell of them.

    The order is: engines on this machine, whose models are better than the embedded one; the embedded one, which is
    always there; then the vendors whose keys are there.
    """
    offers: dict[str, Offer] = {}
    notes: list[str] = []
    for engine in engines:
        names = []
        for model in engine.models:
            name = _free_name(model, engine.service.name, offers)
            if name is None:
                continue
            offers[name] = service_offer(name, model, engine.service, url=engine.base_url, key=None)
            names.append(name)
        told = f"with {', '.join(names)}" if names else "but it lists no chat model"
        notes.append(f"{engine.service.title} answers at {engine.base_url}, {told}.")
    home = home_offer()
    offers[home.name] = home
    notes.append(f"The embedded model {home.model} is offered as '{home.name}'.")
    for found in keys:
        service = found.service
        if service.default_model is None or not service.base_url:
            notes.append(
                f"{found.key.name} is set, but which model of {service.title} to offer must be said: write an "
                f"isthmus.toml with an offer of provider '{service.name}'."
            )
            continue
        name = _free_name(service.default_model, service.name, offers)
        if name is None:
            continue
        offers[name] = service_offer(name, service.default_model, service, url=service.base_url, key=found.key)
        notes.append(f"{found.key.name} is set, so {service.title} is offered as '{name}'.")
    return offers, notes


def _free_name(model: str, service: str, taken: Collection[str]) -> str | None:
    """The model's own name, so that clients may go on naming it; with the service before it where that is taken."""
    for name in (model, f"{service}/{model}"):
        if NAME.match(name) and name not in taken and name not in {*RESERVED, DEFAULT_WORKLOAD, "home"}:
            return name
    return None
