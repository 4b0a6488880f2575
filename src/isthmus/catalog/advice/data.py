"""What kinds of data ask of whoever gets to see them, held against terms, regions and contracts.

The requirements of all kinds present are joined with *and*, so one more kind never widens the choice. They are a
careful practice and no legal opinion: where a law is named, it is named so that somebody can be asked about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from isthmus.catalog.advice.judgement import FITS, Judgement, opens, rules_out
from isthmus.catalog.advice.option import Option, Served
from isthmus.catalog.advice.question import DataClass
from isthmus.catalog.claim import Claim
from isthmus.catalog.facts import OfferFacts, facts_of
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.places import EEA, countries
from isthmus.catalog.records.terms import ModelException

RETENTION_PERSONAL_DAYS = 30
"""What we take for the longest that a processor needs to look after abuse."""


def practice(kind: DataClass, organisation: Organisation) -> str:
    """What this module asks for one kind of data, in a sentence."""
    where = ", processes in the EEA" if in_eea(organisation) else ""
    return {
        "public": "Public data may go anywhere.",
        "internal": "Internal data goes to nobody who trains models on it.",
        "personal": (
            f"Personal data goes to nobody who trains models on it or keeps it for more than {RETENTION_PERSONAL_DAYS} "
            f"days{', and leaves the EEA on a lawful way only' if in_eea(organisation) else ''}."
        ),
        "patient": (
            f"Patient data goes only to who keeps nothing, trains on nothing{where} and has signed for it; a contract "
            "counts once it stands in the question's file."
        ),
        "privileged": (
            f"Privileged data goes only to who keeps nothing, trains on nothing, lets nobody read it{where} and has "
            "signed for it; a contract counts once it stands in the question's file."
        ),
        "secret": "Keys and passwords go to nobody.",
    }[kind]


def in_eea(organisation: Organisation) -> bool:
    """Whether data protection law of the EU binds it by its seat."""
    return organisation.seat is not None and bool(countries((organisation.seat,)) & EEA)


def judge_data(option: Option, kind: DataClass, organisation: Organisation, today: date) -> Iterator[Judgement]:
    """What one kind of data says of one option; nothing where it fits."""
    key = f"data:{kind}"
    found: Iterator[Judgement]
    if kind == "public":
        return
    if isinstance(option.at, Served):
        found = _served(option, option.at, kind, key, organisation, today)
    else:
        found = _rented(kind, key) if option.at.keeping == "rented" else iter(())
    yield from (judgement for judgement in found if judgement.outcome != "fits")


def _rented(kind: DataClass, key: str) -> Iterator[Judgement]:
    """On a machine that stands at somebody else's."""
    match kind:
        case "patient" | "privileged":
            yield opens(
                key,
                "A rented machine stands at somebody else's, who is not bound to secrecy yet.",
                "find a landlord of machines in your region who signs for data processing and professional secrecy",
            )
        case "secret":
            yield opens(
                key, "A rented machine stands at somebody else's.", "take what is secret out before it is sent there"
            )


def _served(
    option: Option, at: Served, kind: DataClass, key: str, organisation: Organisation, today: date
) -> Iterator[Judgement]:
    if kind == "secret":
        yield rules_out(key, "Keys and passwords are never sent to a provider.")
        return
    facts = facts_of(
        at.offer,
        at.terms,
        option.model,
        at.provider,
        observed=None,
        contracts=organisation.contracts,
        today=today,
    )
    if at.terms.downstream:
        yield opens(
            key,
            f"Behind {at.who} another operator answers, whose terms hold as well.",
            f"pin the operator behind {at.who} and check its terms",
            at.terms.id,
        )
    yield _training(at, facts, key)
    if kind == "internal":
        return
    days = RETENTION_PERSONAL_DAYS if kind == "personal" else 0
    yield _retention(option, at, facts, key, days)
    if kind == "privileged":
        yield _review(at, key)
        yield _contract(at, key, "dpa", organisation, today)
    if in_eea(organisation):
        # Privileged text is held to where patients' data is.
        yield _region(at, facts, key, transfer=kind == "personal")
    cleared = organisation.contract(at.terms.id, "other", today) is not None
    if kind in {"patient", "privileged"} and in_eea(organisation) and facts.jurisdiction not in EEA and not cleared:
        seat = facts.jurisdiction or "a place that nobody names"
        yield opens(
            key,
            f"The seat of {at.who} is {seat}, outside the EEA.",
            f"have your lawyers clear that {at.who}, with its seat in {seat}, may see it",
            at.provider.id,
        )
    if kind == "patient":
        american = organisation.seat == "US"
        if american and at.terms.baa.readings and not all(at.terms.baa.readings):
            yield rules_out(key, f"{at.who} signs no agreement for health data (BAA) here.", at.terms.id)
        else:
            yield _contract(at, key, "baa" if american else "dpa", organisation, today)


def _training(at: Served, facts: OfferFacts, key: str) -> Judgement:
    if facts.training in {"never", "opt-out"}:
        return FITS
    who, readings = at.who, at.terms.training.default.readings
    if "always" in readings:
        return rules_out(key, f"{who} may train models on what it is sent ({at.terms.id}).", at.terms.id)
    if "opt-out" in readings:
        return opens(
            key,
            f"{who} may train models on what it is sent unless one objects ({at.terms.id}).",
            f"object to training at {who} and keep the proof",
            at.terms.id,
        )
    return opens(
        key,
        f"Whether {who} trains models on what it is sent is not known well enough ({at.terms.id}).",
        f"get it in writing that {who} does not train on your data",
        at.terms.id,
    )


def _retention(option: Option, at: Served, facts: OfferFacts, key: str, days: int) -> Judgement:
    if facts.retention_days is not None and facts.retention_days <= days:
        return FITS
    who, terms = at.who, at.terms
    exception = _exception(option, at)
    if exception is not None and not exception.zero_retention:
        kept = max(exception.days.readings, default=None)
        if kept is None or kept > days:
            return rules_out(key, f"{option.model.id}: {exception.says}", terms.id)
    kept = facts.retention_days
    told = f"How long {who} keeps what it is sent is unsure" if kept is None else f"{who} keeps it for {kept} days"
    zero = terms.zero_retention
    if kept is not None and (option.model.id in zero.excluded_models or "none" in zero.how.readings):
        return rules_out(key, f"{told}, and does not offer to keep nothing ({terms.id}).", terms.id)
    wanted = "keeps nothing" if days == 0 else f"keeps nothing longer than {days} days"
    return opens(key, f"{told} ({terms.id}).", f"get it in writing that {who} {wanted}", terms.id)


def _exception(option: Option, at: Served) -> ModelException | None:
    rules = at.terms.retention.model_exceptions
    return next((rule for rule in rules if option.model.id in rule.models), None)


def _review(at: Served, key: str) -> Judgement:
    if any(at.terms.training.human_review.readings):
        return rules_out(key, f"People at {at.who} may read what it is sent ({at.terms.id}).", at.terms.id)
    return FITS


def _region(at: Served, facts: OfferFacts, key: str, *, transfer: bool) -> Judgement:
    """Inside the European Economic Area; with `transfer`, also where a lawful way there is known."""
    who, offer, processing = at.who, at.offer, at.offer.region.processing
    if facts.region in {"EU", "EEA"} or facts.region in EEA:
        return FITS
    if transfer and _known(offer.transfer) and "none" not in offer.transfer.readings:
        return FITS
    outside = sorted({code for codes in processing.readings for code in codes if not countries((code,)) <= EEA})
    if outside and (not transfer or "none" in offer.transfer.readings):
        return rules_out(key, f"{offer.id} processes in {', '.join(outside)}, not in the EEA alone.", offer.id)
    if outside:
        return opens(
            key,
            f"{offer.id} processes in {', '.join(outside)}.",
            f"find out by what law data may go to {who} there",
            offer.id,
        )
    return opens(
        key,
        f"Where {offer.id} processes is not known well enough.",
        f"get it in writing that {who} processes in the EEA",
        offer.id,
    )


_PAPERS = {"dpa": "an agreement on data processing", "baa": "an agreement for health data (BAA)"}


def _contract(at: Served, key: str, kind: str, organisation: Organisation, today: date) -> Judgement:
    if organisation.contract(at.terms.id, kind, today) is not None:
        return FITS
    who = at.who
    return opens(
        key,
        f"You hold no {_PAPERS[kind].removeprefix('an ')} with {who}.",
        f"sign {_PAPERS[kind]} with {who}",
        at.terms.id,
    )


def _known(claim: Claim[Any]) -> bool:
    """Whether somebody says so; what is only remembered is not enough for other people's data."""
    return claim.known and claim.evidence != "E0"
