"""A whole assessment: laws over all records, and a few models one would recognise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.catalog.openness import records
from tests.unit.catalog.openness.records import (
    LICENCES,
    closed_model,
    disputed,
    model,
    models,
    nearly_open_models,
    open_model,
    said,
)

from isthmus.catalog.claim import Claim
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.openness import Assessment
from isthmus.catalog.records.model import ModelRecord, Training

_MOF = {"unknown": 0, "unclassified": 0, "class III": 1, "class II": 2, "class I": 3}
_ORDER: dict[str, dict[str, int]] = {
    "mof-1.0-tool": _MOF,
    "mof-1.0-paper": _MOF,
    "osaid-1.0-checklist": {"unknown": 0, "does not meet the checklist": 0, "meets the checklist": 1},
    "ai-act-53-2": {"unknown": 0, "fails": 0, "review": 1, "passes": 2},
}


def levels(found: Assessment) -> dict[str, float]:
    """Headline and badges as numbers, more for more open."""
    told: dict[str, float] = {"headline": -1 if found.headline is None else found.headline}
    for badge in found.badges:
        if badge.rules == "osai-index":
            told[badge.rules] = -1 if badge.result == "unknown" else float(badge.result.partition(" ")[0])
        else:
            told[badge.rules] = _ORDER[badge.rules][badge.result]
    return told


def replaced(record: ModelRecord, change: Callable[[Claim[Any]], Claim[Any] | None]) -> Iterator[ModelRecord]:
    """The record with one claim changed, for every claim that `change` gives another for."""
    for name in ("weights", "licence", "osai_sum", "systemic_risk", "collects_personal_data"):
        if (claim := change(getattr(record, name))) is not None:
            yield msgspec.structs.replace(record, **{name: claim})
    for name in ("data", "code", "checkpoints"):
        if (claim := change(getattr(record.training, name))) is not None:
            training = msgspec.structs.replace(record.training, **{name: claim})
            yield msgspec.structs.replace(record, training=training)
    for component, known in record.components.items():
        if (claim := change(known.present)) is not None:
            changed = {**record.components, component: msgspec.structs.replace(known, present=claim)}
            yield msgspec.structs.replace(record, components=changed)


@settings(max_examples=150, deadline=None)
@given(st.one_of(models, nearly_open_models))
def test_replacing_any_claim_by_unknown_never_raises_the_headline_or_a_badge(record: ModelRecord) -> None:
    before = levels(assess(record, LICENCES))
    for less_known in replaced(record, lambda claim: Claim() if claim.known else None):
        after = levels(assess(less_known, LICENCES))
        assert all(after[name] <= level for name, level in before.items())


@settings(max_examples=150, deadline=None)
@given(st.one_of(models, nearly_open_models), st.integers(0, 2))
def test_a_conflict_is_never_worth_more_than_any_of_its_readings(record: ModelRecord, number: int) -> None:
    def settled(claim: Claim[Any]) -> Claim[Any] | None:
        return said(claim.readings[number]) if claim.state == "conflict" and number < len(claim.readings) else None

    whole = levels(assess(record, LICENCES))
    for one in replaced(record, settled):
        alone = levels(assess(one, LICENCES))
        assert all(level <= alone[name] for name, level in whole.items())


@settings(max_examples=150, deadline=None)
@given(st.one_of(models, nearly_open_models))
def test_a_conflict_is_worth_as_much_as_the_lowest_of_its_readings(record: ModelRecord) -> None:
    whole = levels(assess(record, LICENCES))
    for name, rules in (("weights", "headline"), ("licence", "headline"), ("osai_sum", "osai-index")):
        claim: Claim[Any] = getattr(record, name)
        if claim.state == "conflict":
            singly = (msgspec.structs.replace(record, **{name: said(reading)}) for reading in claim.readings)
            assert whole[rules] == min(levels(assess(one, LICENCES))[rules] for one in singly)


@settings(max_examples=50, deadline=None)
@given(models)
def test_a_fact_that_might_raise_the_headline_is_named_exactly_where_one_is_unknown(record: ModelRecord) -> None:
    found = assess(record, LICENCES)
    if found.headline in {0, 4}:
        assert found.unknown == ()
    if found.headline is None:
        assert "weights" in found.unknown


def test_the_strategies_reach_every_level() -> None:
    assert [assess(record, LICENCES).headline for record in _ladder()] == [None, 0, 1, 2, 3, 4]


def _ladder() -> Iterator[ModelRecord]:
    yield model()
    yield closed_model()
    yield open_model(licence=said("LicenseRef-capped"))
    yield open_model(training=Training(data=said("described"), code=said("closed")))
    yield open_model(training=Training(data=said("partial"), code=said("closed")))
    yield open_model()


def test_a_model_of_which_all_is_given_has_the_best_of_everything() -> None:
    found = assess(open_model(), LICENCES)
    assert found.title == "fully open"
    assert [badge.result for badge in found.badges] == [
        "class I",
        "class I",
        "meets the checklist",
        "passes",
        "11.5 of 12",
    ]
    assert all(not badge.missing for badge in found.badges)
    assert found.unknown == ()
    assert found.axes.docs == "card and report"


def test_a_closed_model_is_closed_and_its_weights_are_missing_though_nobody_listed_its_components() -> None:
    found = assess(closed_model(), LICENCES)
    assert (found.headline, found.title) == (0, "closed")
    assert found.badges[0].result == "unclassified"
    assert "model parameters (final): missing" in found.badges[0].missing
    assert "model card: unknown" in found.badges[0].missing


def test_open_data_and_code_do_not_lift_weights_under_a_licence_of_ones_own() -> None:
    found = assess(open_model(licence=said("LicenseRef-research")), LICENCES)
    assert found.headline == 1
    assert (found.axes.licence, found.axes.data, found.axes.train_code) == ("noncommercial", "open", "open")


@pytest.mark.parametrize(("under", "level"), [("Apache-2.0", 4), ("unlicensed", 3), ("CC-BY-NC-4.0", 3), ("", 3)])
def test_full_openness_needs_training_code_under_a_licence_that_is_known_and_open(under: str, level: int) -> None:
    record = open_model(components={"training_code": records.given(licence=under)}, global_licences={})
    assert assess(record, LICENCES).headline == level


def test_a_model_whose_licence_nobody_knows_is_restricted_and_says_what_is_unknown() -> None:
    found = assess(open_model(licence=model().licence), LICENCES)
    assert (found.headline, found.unknown) == (1, ("licence",))
    assert "model parameters (final): licence unknown" in found.badges[0].missing


def test_the_licence_of_the_model_is_that_of_its_final_parameters_whatever_holds_for_the_rest() -> None:
    found = assess(open_model(licence=disputed("Apache-2.0", "LicenseRef-research")), LICENCES)
    assert found.badges[0].result == "unclassified"
    assert found.badges[0].missing == ("model parameters (final): no open licence (Apache-2.0, LicenseRef-research)",)


@pytest.mark.parametrize(("known", "docs"), [
    ({}, None),
    ({"model_card": "yes"}, "card"),
    ({"model_card": "no"}, None),
    ({"technical_report": "yes"}, "report"),
    ({"model_card": "yes", "research_paper": "partial"}, "card and report"),
    ({"model_card": "no", "technical_report": "no", "research_paper": "no"}, "none"),
])  # fmt: skip
def test_documents_are_told_apart(known: dict[str, str], docs: str | None) -> None:
    components = {name: records.given(present) for name, present in known.items()}
    assert assess(model(components=components), LICENCES).axes.docs == docs
