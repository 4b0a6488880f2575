"""What licence and terms come to for an organisation and an offer, use by use, with the duties."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import get_args

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.organisation import Organisation
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Offer

USES: tuple[RequestUse, ...] = get_args(RequestUse)


def outcomes(
    offer: Offer, catalog: Catalog, organisation: Organisation | None, today: date
) -> Iterator[tuple[str, object]]:
    """Properties: `offer:NAME:USE`, and one more for each duty."""
    if organisation is None:
        yield f"offer:{offer.name}:uses", "not checked: the settings say nothing of the organisation"
        return
    model = None if offer.record is None else catalog.models.get(offer.record)
    terms = None if offer.terms is None else catalog.terms.get(offer.terms)
    if model is None:
        yield f"offer:{offer.name}:uses", "unknown: the catalog does not know the model"
        return
    if terms is None and offer.side != "own":
        yield f"offer:{offer.name}:uses", "unknown: under which terms it is used is not said"
        return
    for use in USES:
        found = licence_check(model, organisation, use, catalog=catalog, terms=terms, today=today)
        yield f"offer:{offer.name}:{use}", f"{found.outcome}: {found.ruling.sentence}"
        for duty in found.duties:
            text = f" “{duty.text}”" if duty.text else ""
            yield f"offer:{offer.name}:{use}:duty", f"{duty.kind}: {duty.says}{text}"
