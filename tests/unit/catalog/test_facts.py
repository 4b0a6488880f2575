"""The facts of an offer follow from the strictest reading, and from nothing that nobody read."""

from __future__ import annotations

import doctest
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.catalog.claim import Alternative, Claim
from isthmus.catalog.facts import OBSERVED_HOLDS, Observation, OfferFacts, facts_of, region_name
from isthmus.catalog.organisation import Contract
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.offer import OfferRecord, Region
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import (
    ModelException,
    Retention,
    TermsRecord,
    TrainingTerms,
    ZeroRetention,
)
from isthmus.domain.offer import Evidence, Offer
from isthmus.perimeter.policy import Needs

TODAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def known(value: Any, *others: Any, evidence: Evidence = "E1") -> Claim[Any]:
    return Claim(
        value=value,
        state="conflict" if others else "verified",
        sources=("page",),
        evidence=evidence,
        alternatives=tuple(Alternative(value=other, sources=("other page",)) for other in others),
    )


def offer(
    *, processing: Claim[Any] | None = None, guarantee: Claim[Any] | None = None, side: Any = "closed"
) -> OfferRecord:
    region = Region(processing=processing or Claim(), guarantee=guarantee or Claim())
    return OfferRecord(
        id="v/api/eu", title="V", provider="v", service="openai", side=side, terms="v/api", region=region
    )


def terms(
    *,
    training: Claim[Any] | None = None,
    days: Claim[Any] | None = None,
    exceptions: Iterable[ModelException] = (),
    excluded: tuple[str, ...] = (),
) -> TermsRecord:
    return TermsRecord(
        id="v/api",
        title="V's API",
        provider="v",
        tier="api",
        url="https://v.example/terms",
        training=TrainingTerms(default=training or Claim()),
        retention=Retention(default_days=days or Claim(), model_exceptions=tuple(exceptions)),
        zero_retention=ZeroRetention(excluded_models=excluded),
    )


def provider(seat: Claim[Any] | None = None) -> ProviderRecord:
    return ProviderRecord(id="v", title="V", seat=seat or Claim())


def model(name: str = "v/good") -> ModelRecord:
    return ModelRecord(id=name, title=name, family="good", producer=Producer(name="V"))


def observation(**said: Any) -> Observation:
    given: dict[str, Any] = {
        "offer": "mine",
        "terms": "v/api",
        "subject": "openai https://v.example good",
        "setting": "zero",
        "says": "Nothing is kept.",
        "observed_at": NOON,
        "where": "https://v.example/setting",
    }
    return Observation(**(given | said))


def contract(kind: Any, *, covers: str = "v/api", until: date | None = None) -> Contract:
    return Contract(covers=covers, kind=kind, sha256="0" * 64, until=until)


def facts(
    where: OfferRecord | None,
    under: TermsRecord,
    what: ModelRecord | None,
    who: ProviderRecord,
    *,
    observed: Observation | None = None,
    contracts: Iterable[Contract] = (),
) -> OfferFacts:
    return facts_of(where, under, what, who, observed=observed, contracts=contracts, today=TODAY)


GOOD = (
    offer(processing=known(("DE", "FR"))),
    terms(training=known("never"), days=known(30)),
    model(),
    provider(known("US")),
)


def test_what_terms_say_becomes_facts() -> None:
    found = facts(*GOOD)
    assert (found.region, found.jurisdiction, found.retention_days, found.training) == ("EU", "US", 30, "never")
    assert found.evidence == "E1"


def test_every_fact_says_on_what_it_rests() -> None:
    found = facts(*GOOD)
    assert set(found.why) == {"region", "jurisdiction", "retention_days", "training"}
    reason = found.why["retention_days"][0]
    assert (reason.record, reason.sources, reason.evidence) == ("v/api", ("page",), "E1")
    assert reason.says == "Kept for 30 days."


def test_the_weakest_of_the_facts_is_the_evidence() -> None:
    where, under, what, _ = GOOD
    assert facts(where, under, what, provider(known("US", evidence="E2"))).evidence == "E1"
    strong = terms(training=known("never", evidence="E2"), days=known(30, evidence="E2"))
    assert (
        facts(
            offer(processing=known(("FR",), evidence="E2")), strong, what, provider(known("US", evidence="E2"))
        ).evidence
        == "E2"
    )


def test_what_is_not_known_has_no_evidence() -> None:
    where, under, what, who = GOOD
    for found in (
        facts(None, under, what, who),
        facts(offer(), under, what, who),
        facts(where, terms(days=known(30)), what, who),
        facts(where, terms(training=known("never")), what, who),
        facts(where, under, what, provider()),
    ):
        assert found.evidence == "E0"


def test_what_is_only_remembered_is_not_known() -> None:
    where, under, what, who = GOOD
    remembered = terms(training=known("never", evidence="E0"), days=known(0, evidence="E0"))
    found = facts(where, remembered, what, who)
    assert (found.training, found.retention_days) == ("unknown", None)
    assert facts(where, under, what, provider(known("US", evidence="E0"))).jurisdiction is None


def test_that_no_place_is_promised_is_known_and_satisfies_nothing() -> None:
    what = model()
    under = terms(training=known("never", evidence="E2"), days=known(30, evidence="E2"))
    found = facts(offer(guarantee=known("none", evidence="E2")), under, what, provider(known("US", evidence="E2")))
    assert (found.region, found.evidence) == (None, "E1")


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (("FR",), "EU"),
        (("DE", "NL"), "EU"),
        (("EU",), "EU"),
        (("DE", "NO"), "EEA"),
        (("EEA",), "EEA"),
        (("EEA", "CH"), "EEA+CH"),
        (("US",), "US"),
        (("CH",), "CH"),
        (("NO",), "EEA"),
        (("US", "DE"), None),
        ((), None),
    ],
)
def test_a_region_holds_every_place(places: tuple[str, ...], name: str | None) -> None:
    assert region_name(places) == name


def test_where_sources_disagree_the_stricter_reading_wins() -> None:
    where, _, what, who = GOOD
    found = facts(where, terms(training=known("never", "opt-out"), days=known(0, 30)), what, who)
    assert (found.training, found.retention_days) == ("yes", 30)


def test_two_readings_within_one_region_are_no_conflict() -> None:
    _, under, what, who = GOOD
    assert facts(offer(processing=known(("FR",), ("DE",))), under, what, who).region == "EU"
    assert facts(offer(processing=known(("FR",), ("NO",))), under, what, who).region is None
    assert facts(offer(), under, what, provider(known("US", "FR"))).jurisdiction is None


@pytest.mark.parametrize(
    ("default", "training"), [("never", "never"), ("opt-in", "never"), ("opt-out", "yes"), ("always", "yes")]
)
def test_an_opt_out_that_nobody_is_known_to_have_used_is_none(default: str, training: str) -> None:
    where, _, what, who = GOOD
    assert facts(where, terms(training=known(default), days=known(0)), what, who).training == training


COVERED = ModelException(models=("v/covered",), days=known(30), zero_retention=False, says="Covered: 30 days at least.")
FLAGGED = ModelException(models=("v/flagged",), days=known(30), zero_retention=True, says="Flagged traffic is kept.")


def test_an_exception_for_a_model_holds_for_that_model_alone() -> None:
    where, _, _, who = GOOD
    under = terms(training=known("never"), days=known(0), exceptions=(COVERED,))
    assert facts(where, under, model(), who).retention_days == 0
    assert facts(where, under, model("v/covered"), who).retention_days == 30
    reasons = facts(where, under, model("v/covered"), who).why["retention_days"]
    assert reasons[-1].says == "Covered: 30 days at least."


def test_a_model_that_is_not_known_may_be_any_of_the_excepted() -> None:
    where, _, _, who = GOOD
    under = terms(training=known("never"), days=known(0), exceptions=(COVERED,), excluded=("v/covered",))
    assert facts(where, under, None, who).retention_days == 30
    assert facts(where, under, None, who, contracts=[contract("zero-retention")]).retention_days == 30


def test_a_contract_on_zero_retention_counts_but_not_for_models_that_it_cannot_cover() -> None:
    where, _, _, who = GOOD
    under = terms(training=known("never"), days=known(30), exceptions=(COVERED, FLAGGED), excluded=("v/covered",))
    held = [contract("zero-retention")]
    found = facts(where, under, model(), who, contracts=held)
    assert (found.retention_days, found.evidence) == (0, "E4")
    assert facts(where, under, model("v/covered"), who, contracts=held).retention_days == 30
    assert facts(where, under, model("v/flagged"), who, contracts=held).retention_days == 0
    assert facts(where, under, model("v/flagged"), who).retention_days == 30


@pytest.mark.parametrize(
    "held",
    [
        contract("zero-retention", until=TODAY - timedelta(days=1)),
        contract("zero-retention", covers="w/api"),
        contract("baa"),
        contract("licence"),
    ],
)
def test_a_contract_that_ended_or_is_of_another_kind_or_on_others_does_not_count(held: Contract) -> None:
    found = facts(*GOOD, contracts=[held])
    assert (found.retention_days, found.evidence) == (30, "E1")


def test_a_contract_in_force_makes_what_is_known_binding() -> None:
    where, under, what, _ = GOOD
    assert facts(*GOOD, contracts=[contract("dpa", until=TODAY)]).evidence == "E4"
    assert facts(where, under, what, provider(), contracts=[contract("dpa")]).evidence == "E0"


def test_what_the_account_says_goes_before_what_the_page_says() -> None:
    found = facts(*GOOD, observed=observation(retention_days=0))
    assert (found.retention_days, found.evidence) == (0, "E3")
    assert found.why["retention_days"][0].says == "Nothing is kept. Read from the account on 2026-11-21."


def test_a_setting_that_changes_nothing_still_shows_that_the_account_is_under_these_terms() -> None:
    found = facts(*GOOD, observed=observation(setting="logging"))
    assert (found.retention_days, found.evidence) == (30, "E3")


def test_an_account_cannot_say_that_a_covered_model_is_not_kept() -> None:
    where, _, _, who = GOOD
    under = terms(training=known("never"), days=known(30), exceptions=(COVERED,), excluded=("v/covered",))
    seen = observation(retention_days=0)
    assert facts(where, under, model("v/covered"), who, observed=seen).retention_days == 30
    assert facts(where, under, model(), who, observed=seen).retention_days == 0


def test_an_account_that_opted_out_is_told_from_one_that_did_not() -> None:
    where, _, what, who = GOOD
    seen = observation(training="opt-out")
    assert facts(where, terms(training=known("opt-out"), days=known(0)), what, who, observed=seen).training == "opt-out"
    assert facts(where, terms(training=known("always"), days=known(0)), what, who, observed=seen).training == "yes"


@pytest.mark.parametrize(
    "seen",
    [
        observation(retention_days=0, observed_at=NOON - OBSERVED_HOLDS - timedelta(days=1)),
        observation(retention_days=0, terms="v/other"),
    ],
)
def test_what_was_read_long_ago_or_of_other_terms_does_not_count(seen: Observation) -> None:
    found = facts(*GOOD, observed=seen)
    assert (found.retention_days, found.evidence) == (30, "E1")


def test_where_own_offers_stand_is_for_the_operator_to_say() -> None:
    under = terms(training=known("never", evidence="E4"), days=known(0, evidence="E4"))
    assert facts(offer(side="own"), under, model(), provider()).evidence == "E4"


def test_observations_are_kept_as_json() -> None:
    seen = observation(retention_days=0, training="never")
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Observation) == seen


# ---- the law: less knowledge, or more disagreement, never satisfies more

EVIDENCE: tuple[Evidence, ...] = ("E0", "E1", "E2", "E3", "E4")
EXCEPTED = ("v/good", "v/covered")


def claims(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Claim[Any]]:
    made = st.builds(
        lambda value, others, evidence: known(value, *others, evidence=evidence),
        values,
        st.lists(values, max_size=1),
        st.sampled_from(EVIDENCE),
    )
    return st.one_of(st.just(Claim()), made)


PLACES = st.lists(st.sampled_from(["FR", "DE", "NO", "CH", "US", "EU", "EEA"]), min_size=1, max_size=3).map(tuple)
DAYS = st.integers(0, 60)
TRAINS = st.sampled_from(["never", "opt-in", "opt-out", "always"])
GUARANTEES = st.sampled_from(["contractual", "best_effort", "none"])
SEATS = st.sampled_from(["US", "FR", "CN"])
CLAIMS = st.fixed_dictionaries(
    {
        "processing": claims(PLACES),
        "guarantee": claims(GUARANTEES),
        "days": claims(DAYS),
        "training": claims(TRAINS),
        "seat": claims(SEATS),
        "excepted": claims(DAYS),
    }
)
VALUES = {
    "processing": PLACES,
    "guarantee": GUARANTEES,
    "days": DAYS,
    "training": TRAINS,
    "seat": SEATS,
    "excepted": DAYS,
}
NEEDS = (  # one at a time: what several needs ask for together is asked for by one of them
    *(Needs(region=frozenset({name})) for name in ("EU", "EEA", "EEA+CH", "US", "CH")),
    *(Needs(jurisdiction=frozenset({seat})) for seat in ("US", "FR", "CN")),
    *(Needs(retention_days_max=days) for days in range(61)),
    Needs(training="never"),
    Needs(training="opt-out"),
    *(Needs(evidence_min=evidence) for evidence in EVIDENCE),
)
CONTRACTS = st.lists(st.sampled_from([contract("dpa"), contract("zero-retention")]), max_size=2)
SEEN = st.none() | st.builds(
    lambda days, training: observation(retention_days=days, training=training),
    st.none() | DAYS,
    st.none() | st.sampled_from(["never", "opt-out"]),
)


def met(said: dict[str, Claim[Any]], seen: Observation | None, held: list[Contract], **case: bool) -> set[int]:
    """The numbers of the needs that an offer of such claims satisfies."""
    exception = ModelException(
        models=("v/good",), days=said["excepted"], zero_retention=case["can_be_zero"], says="Kept longer."
    )
    found = facts(
        offer(processing=said["processing"], guarantee=said["guarantee"]),
        terms(training=said["training"], days=said["days"], exceptions=(exception,) if case["excepts"] else ()),
        model() if case["model_known"] else None,
        provider(said["seat"]),
        observed=seen,
        contracts=held,
    )
    one = Offer(
        name="mine",
        model="good",
        provider="openai",
        dialect="openai-chat",
        base_url="https://v.example",
        side="closed",
        region=found.region,
        jurisdiction=found.jurisdiction,
        retention_days=found.retention_days,
        training=found.training,
        evidence=found.evidence,
    )
    return {number for number, needs in enumerate(NEEDS) if not list(needs.unmet(one))}


def weakened(claim: Claim[Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Claim[Any]]:
    """A claim that says less, or is disputed more."""
    if claim.value is None:
        return st.just(claim)
    disputed = values.map(
        lambda other: msgspec.structs.replace(
            claim, state="conflict", alternatives=(*claim.alternatives, Alternative(value=other, sources=("third",)))
        )
    )
    return st.one_of(st.just(Claim()), disputed)


@given(st.data(), CLAIMS, SEEN, CONTRACTS, st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=600, deadline=None)
def test_to_know_less_never_satisfies_more(
    data: st.DataObject,
    said: dict[str, Claim[Any]],
    seen: Observation | None,
    held: list[Contract],
    excepts: bool,
    model_known: bool,
    can_be_zero: bool,
) -> None:
    case = {"excepts": excepts, "model_known": model_known, "can_be_zero": can_be_zero}
    name = data.draw(st.sampled_from(sorted(name for name, claim in said.items() if claim.known) or ["days"]))
    less = said | {name: data.draw(weakened(said[name], VALUES[name]))}
    assert met(less, seen, held, **case) <= met(said, seen, held, **case)


@given(CLAIMS, SEEN, CONTRACTS, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_not_to_know_the_model_never_satisfies_more(
    said: dict[str, Claim[Any]], seen: Observation | None, held: list[Contract], excepts: bool, can_be_zero: bool
) -> None:
    case = {"excepts": excepts, "can_be_zero": can_be_zero}
    assert met(said, seen, held, model_known=False, **case) <= met(said, seen, held, model_known=True, **case)


def test_what_the_page_shows_is_so() -> None:
    page = Path(__file__).parents[3] / "docs/explanation/terms.md"
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert result.attempted >= 8
    assert result.failed == 0
