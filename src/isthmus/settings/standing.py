"""How offers stand by the catalog: which model and terms they are, what follows, what they may not be used for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import get_args

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim
from isthmus.catalog.facts import Observation, OfferFacts, facts_of
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.matching import offer_record
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.licensing import Ruling, Use
from isthmus.domain.offer import Offer
from isthmus.settings.problems import Problems, did_you_mean, shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """What offers are held against."""

    catalog: Catalog
    organisation: Organisation | None
    """None: nothing is held against licences and terms."""
    refuse_unknown: bool
    observed: Mapping[str, Observation]
    """What was read from accounts, by offer."""
    today: date


def standing(offer: Offer, point: Standpoint, problems: Problems) -> Offer:
    """An offer with what the catalog says of it; what the settings say goes before that.

    Args:
        offer: as the settings say.
        point: the catalog, the organisation, the day.
        problems: takes records and terms that are not there.
    """
    catalog = point.catalog
    model = _model(offer, catalog, problems)
    terms = _terms(offer, catalog, problems)
    if terms is not None:
        offer = _with_facts(offer, facts_by(offer, terms, model, point))
    if offer.retired_on is None:
        offer = dataclasses.replace(offer, retired_on=retires_on(offer, catalog))
    return dataclasses.replace(
        offer, record=None if model is None else model.id, barred=_barred(offer, model, terms, point)
    )


def facts_by(offer: Offer, terms: TermsRecord, model: ModelRecord | None, point: Standpoint) -> OfferFacts:
    """What terms say of an offer, with contracts and what was read from the account."""
    catalog = point.catalog
    return facts_of(
        offer_record(offer, catalog),
        terms,
        model,
        catalog.providers[terms.provider],
        observed=point.observed.get(offer.name),
        contracts=() if point.organisation is None else point.organisation.contracts,
        today=point.today,
    )


def retires_on(offer: Offer, catalog: Catalog) -> date | None:
    """The day on which a model ends at its provider, where the feeds agree on one."""
    provider = catalog.provider_of(offer.provider)
    listing = None if provider is None or offer.side == "own" else catalog.listed(provider.id, offer.model)
    # Where they disagree nothing is refused: a date that is too early would be an outage of our making.
    return None if listing is None or listing.retires_on.state == "conflict" else listing.retires_on.value


def _model(offer: Offer, catalog: Catalog, problems: Problems) -> ModelRecord | None:
    if offer.record is None:
        found = catalog.model(offer.model)
    else:
        found = catalog.models.get(offer.record)
        if found is None:
            problems.add(
                ("offers", offer.name, "record"),
                f"{shown(offer.record)} is not in the catalog. {did_you_mean(offer.record, catalog.models)}",
            )
    if offer.licence is None:
        return found
    licence = catalog.licence(offer.licence)
    if licence is None:
        problems.add(
            ("offers", offer.name, "licence"),
            f"{shown(offer.licence)} is not in the catalog. {did_you_mean(offer.licence, catalog.licences)}",
        )
        return found
    if found is not None:
        problems.add(
            ("offers", offer.name, "licence"),
            f"is for models that the catalog has not, and this one is {found.id}. Take it out, or record the contract "
            "that replaces its licence in [organisation.contracts.NAME]",
        )
        return found
    return ModelRecord(
        id=offer.model,
        title=offer.model,
        family=offer.model,
        producer=Producer(name="the operator of this isthmus"),
        licence=Claim(value=licence.id, state="declared", evidence="E0", note="said in the settings"),
        weights=Claim(value="public", state="declared", evidence="E0", note="said in the settings"),
    )


def _terms(offer: Offer, catalog: Catalog, problems: Problems) -> TermsRecord | None:
    if offer.terms is None:
        return None
    found = catalog.terms.get(offer.terms)
    if found is None:
        problems.add(
            ("offers", offer.name, "terms"),
            f"{shown(offer.terms)} is not in the catalog. {did_you_mean(offer.terms, catalog.terms)}",
        )
    return found


def _with_facts(offer: Offer, facts: OfferFacts) -> Offer:
    """Facts of the terms where the settings say none. What is said without evidence weakens the evidence of all."""
    if offer.side == "own":
        return offer
    silent = (offer.region, offer.jurisdiction, offer.retention_days) == (
        None,
        None,
        None,
    ) and offer.training == "unknown"
    return dataclasses.replace(
        offer,
        region=offer.region or facts.region,
        jurisdiction=offer.jurisdiction or facts.jurisdiction,
        retention_days=facts.retention_days if offer.retention_days is None else offer.retention_days,
        training=facts.training if offer.training == "unknown" else offer.training,
        evidence=facts.evidence if silent and offer.evidence == "E0" else offer.evidence,
    )


def _barred(
    offer: Offer, model: ModelRecord | None, terms: TermsRecord | None, point: Standpoint
) -> tuple[tuple[Use, Ruling], ...]:
    """The uses that are not allowed, each with the reason."""
    if point.organisation is None:
        return ()
    rulings = ((use, ruling_on(offer, model, terms, use, point)) for use in get_args(Use))
    return tuple(
        (use, ruling)
        for use, ruling in rulings
        if not ruling.serves and (ruling.outcome != "unknown" or point.refuse_unknown)
    )


def ruling_on(
    offer: Offer, model: ModelRecord | None, terms: TermsRecord | None, use: Use, point: Standpoint
) -> Ruling:
    """Whether an offer may be used so, in short."""
    if model is None:
        return Ruling(
            outcome="unknown",
            sentence=f"the catalog does not know the model {offer.model}. Say `record`, or `licence`, of the offer.",
        )
    if terms is None and offer.side != "own":
        return Ruling(outcome="unknown", sentence="under which terms it is used is not said. Say `terms` of the offer.")
    assert point.organisation is not None
    found = licence_check(model, point.organisation, use, catalog=point.catalog, terms=terms, today=point.today)
    return found.ruling
