"""What terms come to for one offer: the facts that labels ask for, and on what each of them rests.

Four facts: where it processes, from where it is operated, how long it keeps what it was sent, whether that trains
models. Each follows from the strictest reading of its claims; what no source says, and what rests on recollection
alone (E0), stays unknown and satisfies nothing. Hence the law that the tests hold this to: taking a claim away, or
adding what another source says, never lets an offer satisfy more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

import msgspec

from isthmus.catalog.claim import Claim
from isthmus.catalog.organisation import Contract
from isthmus.catalog.places import EEA, EU, countries
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import ModelException, TermsRecord, TrainingDefault
from isthmus.domain.offer import Evidence, Training

FactName = Literal["region", "jurisdiction", "retention_days", "training"]

OBSERVED_HOLDS = timedelta(days=30)
"""How long what was read from an account counts: settings are changed without notice."""

REGIONS: tuple[tuple[str, frozenset[str]], ...] = (("EU", EU), ("EEA", EEA), ("EEA+CH", EEA | {"CH"}))
"""Names of regions, from the narrowest: a set of places has the name of the first one that holds all of them. A single
country outside of them has its own code."""

_TRAINS: Mapping[TrainingDefault, Training] = {"never": "never", "opt-in": "never", "opt-out": "yes", "always": "yes"}
"""An opt-out that nobody is known to have used is none; without an opt-in nothing trains."""

_LOOSENESS: Mapping[Training, int] = {"yes": 0, "unknown": 0, "opt-out": 1, "never": 2}


class Observation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was read from an account at a provider."""

    offer: str
    """Name of the offer in the settings."""
    terms: str
    """Id of the terms' record that the account is under."""
    subject: str
    """What was asked about: provider, address and model. It holds for nothing else."""
    setting: str
    """As the provider calls it, such as `zero_data_retention`."""
    says: str
    """What that means, in a sentence of ours."""
    retention_days: int | None = None
    """None: the setting does not change what the terms say."""
    training: Training | None = None
    """None: likewise."""
    observed_at: datetime
    where: str
    """Address that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that a fact rests on, or why it is not known."""

    says: str
    record: str
    """Id of the record that says so; empty: the account, or a contract of the organisation."""
    sources: tuple[str, ...] = ()
    """Keys of the record's `sources`."""
    evidence: Evidence = "E0"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """The facts of one offer, as labels ask for them."""

    region: str | None = None
    """One of `REGIONS`, or a country's code. None: not known, or no place is promised."""
    jurisdiction: str | None = None
    """ISO 3166-1 alpha-2."""
    retention_days: int | None = None
    training: Training = "unknown"
    evidence: Evidence = "E0"
    """Of all four, the weakest; what is not known has E0. For own offers, of retention and training alone: where they
    stand and who operates them only the operator can say."""
    why: Mapping[FactName, tuple[Reason, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Fact:
    """A value with the evidence it is known on."""

    value: Any
    evidence: Evidence
    why: tuple[Reason, ...]


def facts_of(
    offer: OfferRecord | None,
    terms: TermsRecord,
    model: ModelRecord | None,
    provider: ProviderRecord,
    *,
    observed: Observation | None,
    contracts: Iterable[Contract],
    today: date,
) -> OfferFacts:
    """What is known of an offer.

    A contract in force on the terms makes what they say binding on paper, and an account that was read is known to be
    under them: what is known at all (E1 and better) then counts as E4, or E3.

    Args:
        offer: where it is; None: not known, and then nor is the region.
        terms: under which it is used.
        model: what it serves; None: not known, and then every exception for models counts.
        provider: who operates it.
        observed: what was read from the account; it counts for `OBSERVED_HOLDS`.
        contracts: those of the organisation.
        today: the day for which the answer is wanted.
    """
    kinds = {held.kind for held in contracts if held.covers == terms.id and (held.until is None or held.until >= today)}
    seen = observed if observed is not None and _counts(observed, terms, today) else None
    own = offer is not None and offer.side == "own"
    facts: dict[FactName, _Fact] = {
        "region": _region(offer),
        "jurisdiction": _jurisdiction(provider),
        "retention_days": _retention(terms, model, seen, contract="zero-retention" in kinds),
        "training": _training(terms, seen),
    }
    floor: Evidence = "E4" if kinds & {"dpa", "zero-retention"} else "E3" if seen is not None else "E0"
    counted = [
        fact.evidence if fact.evidence == "E0" else max(fact.evidence, floor)
        for name, fact in facts.items()
        if not (own and name in {"region", "jurisdiction"})
    ]
    return OfferFacts(
        region=facts["region"].value,
        jurisdiction=facts["jurisdiction"].value,
        retention_days=facts["retention_days"].value,
        training=facts["training"].value or "unknown",
        evidence=min(counted),
        why={name: fact.why for name, fact in facts.items()},
    )


def region_name(places: Iterable[str]) -> str | None:
    """The narrowest of `REGIONS` that holds all places, or the one country they are; None: there is none."""
    where = countries(places)
    if len(where) == 1 and not where <= EEA:
        return next(iter(where))
    return next((name for name, members in REGIONS if where and where <= members), None)


def _counts(observed: Observation, terms: TermsRecord, today: date) -> bool:
    return observed.terms == terms.id and today - observed.observed_at.date() <= OBSERVED_HOLDS


def _readings(claim: Claim[Any]) -> tuple[Any, ...]:
    """What sources say; what is only remembered does not count."""
    return () if claim.evidence == "E0" else claim.readings


def _reason(says: str, record: str, claim: Claim[Any]) -> Reason:
    keys = (*claim.sources, *(key for other in claim.alternatives for key in other.sources))
    note = f" {claim.note}" if claim.note else ""
    return Reason(says=says + note, record=record, sources=tuple(dict.fromkeys(keys)), evidence=claim.evidence)


def _unknown(says: str, record: str, claim: Claim[Any]) -> _Fact:
    return _Fact(None, "E0", (_reason(says, record, claim),))


def _region(offer: OfferRecord | None) -> _Fact:
    if offer is None:
        return _Fact(None, "E0", (Reason(says="It is not known which offer of the provider this is.", record=""),))
    processing, guarantee = offer.region.processing, offer.region.guarantee
    readings = _readings(processing)
    if not readings:
        if set(_readings(guarantee)) != {"none"}:
            return _unknown("Where it processes is not known.", offer.id, processing)
        # That no place is promised is known, and satisfies nothing; no better than a page says it, so that knowing
        # places is never worse than not knowing them.
        return _Fact(None, min(guarantee.evidence, "E1"), (_reason("No place is promised.", offer.id, guarantee),))
    names = {region_name(places) for places in readings}
    if len(names) == 1 and None not in names:
        name = names.pop()
        return _Fact(name, processing.evidence, (_reason(f"It processes in {name}.", offer.id, processing),))
    said = "Sources disagree" if len(names) > 1 else "No region holds all the places"
    return _Fact(None, processing.evidence, (_reason(f"{said} where it processes.", offer.id, processing),))


def _jurisdiction(provider: ProviderRecord) -> _Fact:
    seats = set(_readings(provider.seat))
    if not seats:
        return _unknown("The seat of the operator is not known.", provider.id, provider.seat)
    if len(seats) > 1:
        said = f"Sources name {' and '.join(sorted(seats))} as its seat."
        return _Fact(None, provider.seat.evidence, (_reason(said, provider.id, provider.seat),))
    seat = seats.pop()
    return _Fact(seat, provider.seat.evidence, (_reason(f"Its seat is {seat}.", provider.id, provider.seat),))


def _training(terms: TermsRecord, seen: Observation | None) -> _Fact:
    claim = terms.training.default
    readings = _readings(claim)
    if not readings:
        return _unknown("Whether it trains on what it is sent is not known.", terms.id, claim)
    if seen is not None and seen.training is not None and "always" not in readings:
        return _Fact(seen.training, max(claim.evidence, "E3"), (_seen(seen),))
    value = min((_TRAINS[reading] for reading in readings), key=_LOOSENESS.__getitem__)
    said = f"Training: {' or '.join(dict.fromkeys(readings))}."
    return _Fact(value, claim.evidence, (_reason(said, terms.id, claim),))


def _retention(terms: TermsRecord, model: ModelRecord | None, seen: Observation | None, *, contract: bool) -> _Fact:
    exceptions = [found for found in terms.retention.model_exceptions if model is None or model.id in found.models]
    excluded = terms.zero_retention.excluded_models
    can_be_zero = not excluded if model is None else model.id not in excluded
    if contract and can_be_zero:
        fact = _Fact(0, "E4", (Reason(says="Zero retention by contract.", record="", evidence="E4"),))
    elif seen is not None and seen.retention_days is not None and (seen.retention_days > 0 or can_be_zero):
        fact = _Fact(seen.retention_days, "E3", (_seen(seen),))
    else:
        fact = _default_retention(terms)
    for exception in exceptions:
        if exception.zero_retention and fact.value == 0 and fact.evidence >= "E3":
            continue  # it can be had for these models, and was
        fact = _longer(fact, exception, terms)
    return fact


def _default_retention(terms: TermsRecord) -> _Fact:
    claim, stored = terms.retention.default_days, terms.retention.stored
    days = _readings(claim)
    if days:
        return _Fact(max(days), claim.evidence, (_reason(f"Kept for {_days(max(days))}.", terms.id, claim),))
    if True in stored.readings:
        return _unknown("Prompts and answers may be stored, and none says for how long.", terms.id, stored)
    return _unknown("How long it keeps what it was sent is not known.", terms.id, claim)


def _longer(fact: _Fact, exception: ModelException, terms: TermsRecord) -> _Fact:
    """A fact under an exception for the model: the longer time counts, and what is not known is longer than all."""
    days = _readings(exception.days)
    why = (*fact.why, _reason(exception.says, terms.id, exception.days))
    if not days or fact.value is None:
        return _Fact(None, "E0", why)
    return _Fact(max(fact.value, *days), min(fact.evidence, exception.days.evidence), why)


def _seen(seen: Observation) -> Reason:
    return Reason(says=f"{seen.says} Read from the account on {seen.observed_at:%Y-%m-%d}.", record="", evidence="E3")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
