"""The OSAID checklist, the licence test of the AI Act, the sum of the European index."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.unit.catalog.openness.records import (
    LICENCES,
    RAIL,
    WORDS,
    closed_model,
    disputed,
    licence,
    model,
    open_model,
    said,
)

from isthmus.catalog.claim import Claim
from isthmus.catalog.openness import ai_act, osai, osaid
from isthmus.catalog.openness.components import COMPONENTS, Given, Release
from isthmus.catalog.records.licence import (
    AnyClause,
    Attribution,
    CommercialUse,
    FieldExclusion,
    HostedService,
    Outputs,
    Redistribution,
    Registration,
    RevenueCap,
    Termination,
    TerritoryExclusion,
    UsePolicy,
    UserCap,
)

EVERYTHING = Release.listed(dict.fromkeys(COMPONENTS, "Apache-2.0"), {})


# ---- OSAID


def without(*names: str) -> Release:
    return Release.listed({name: "Apache-2.0" for name in COMPONENTS if name not in names}, {})


def test_a_release_with_all_of_it_meets_the_checklist() -> None:
    found = osaid.badge(EVERYTHING, "open", LICENCES)
    assert (found.rules, found.result, found.missing) == ("osaid-1.0-checklist", "meets the checklist", ())


@pytest.mark.parametrize("name", osaid.REQUIRED)
def test_each_required_component_is_needed(name: str) -> None:
    found = osaid.badge(without(name), "open", LICENCES)
    assert found.result == "does not meet the checklist"
    assert len(found.missing) == 1


def test_the_rest_of_the_components_is_optional() -> None:
    optional = [name for name in COMPONENTS if name not in (*osaid.REQUIRED, "data_card")]
    assert osaid.badge(without(*optional), "described", LICENCES).result == "meets the checklist"


def test_code_under_a_licence_that_is_not_approved_does_not_count_though_it_is_free() -> None:
    release = Release.listed(dict.fromkeys(COMPONENTS, "Apache-2.0") | {"training_code": "CC0-1.0"}, {})
    assert osaid.badge(release, "open", LICENCES).missing == ("training code: no licence that OSI approved (CC0-1.0)",)


@pytest.mark.parametrize(("data", "card", "informed"), [
    ("open", "no", "yes"),
    ("described", "yes", "yes"),
    ("partial", "yes", "yes"),
    ("described", "no", "missing"),
    ("described", "partial", "missing"),
    ("described", None, "unknown"),
    ("closed", "yes", "missing"),
    (None, "yes", "unknown"),
    (None, "no", "missing"),
])  # fmt: skip
def test_data_information_is_the_data_or_a_card_on_it(data: str | None, card: str | None, informed: str) -> None:
    release = Release(components={**EVERYTHING.components, "data_card": Given(present=card)})  # type: ignore[arg-type]
    found = osaid.badge(release, data, LICENCES)  # type: ignore[arg-type]  # words of the parameters
    expected = {
        "yes": ("meets the checklist", ()),
        "missing": ("does not meet the checklist", ("data information: missing",)),
        "unknown": ("unknown", ("data information: unknown",)),
    }
    assert (found.result, found.missing) == expected[informed]


# ---- AI Act


def outcome_with(*clauses: AnyClause) -> tuple[str, tuple[str, ...]]:
    record = licence("LicenseRef-x", *clauses)
    found = ai_act.badge(open_model(licence=said("LicenseRef-x")), {"LicenseRef-x": record})
    return found.result, found.missing


@pytest.mark.parametrize(("clause", "result"), [
    (CommercialUse(allowed=True, **WORDS), "passes"),
    (CommercialUse(allowed=False, **WORDS), "fails"),
    (UserCap(monthly_users=100_000_000, effect="attribution", **WORDS), "fails"),
    (RevenueCap(amount=Decimal(1), period="year", effect="need_licence", **WORDS), "fails"),
    (FieldExclusion(fields=("maas",), effect="need_licence", **WORDS), "fails"),
    (FieldExclusion(fields=("military",), effect="no_rights", **WORDS), "review"),
    (TerritoryExclusion(countries=("EU",), applies_to="seat", **WORDS), "fails"),
    (UsePolicy(mutable=False, proportionate=True, **WORDS), "passes"),
    (UsePolicy(mutable=True, proportionate=True, **WORDS), "review"),
    (UsePolicy(mutable=False, **WORDS), "review"),
    (UsePolicy(mutable=False, proportionate=False, **WORDS), "fails"),
    (Outputs(train_other_models="naming_duty", **WORDS), "passes"),
    (Outputs(train_other_models="forbidden", **WORDS), "review"),
    (Outputs(train_other_models="free", noncommercial=True, **WORDS), "fails"),
    (Redistribution(licence_copy=True, notice_file=True, naming_prefix="X", **WORDS), "passes"),
    (Redistribution(allowed=False, **WORDS), "fails"),
    (Attribution(text="Made with it", **WORDS), "passes"),
    (Registration(**WORDS), "review"),
    (HostedService(effect="need_licence", **WORDS), "fails"),
    (HostedService(effect="security_review", **WORDS), "review"),
    (Termination(on=("patent_suit",), **WORDS), "passes"),
    (Termination(on=("licensor_may_update",), **WORDS), "review"),
    (Termination(on=("revenue",), **WORDS), "fails"),
])  # fmt: skip
def test_a_clause_passes_fails_or_needs_a_review(clause: AnyClause, result: str) -> None:
    found, missing = outcome_with(clause)
    assert found == result
    assert missing == (() if result == "passes" else ("It says so (LicenseRef-x, section 1).",))


def test_a_clause_that_fails_goes_before_one_to_review() -> None:
    found, missing = outcome_with(
        Registration(**WORDS), CommercialUse(allowed=False, **{**WORDS, "says": "No business."})
    )
    assert found == "fails"
    assert missing[0].startswith("No business")


def test_a_licence_that_grants_less_than_use_change_and_distribution_fails() -> None:
    record = licence("LicenseRef-x", grants=("internal", "product"))
    found = ai_act.badge(open_model(licence=said("LicenseRef-x")), {"LicenseRef-x": record})
    assert found.missing == ("It grants no fine-tune, hosted-service, redistribute (LicenseRef-x).",)


def test_a_model_with_systemic_risk_fails_and_one_of_which_that_is_unknown_does_not_pass() -> None:
    assert ai_act.badge(open_model(), LICENCES).result == "passes"
    assert ai_act.badge(open_model(systemic_risk=said(value=True)), LICENCES).result == "fails"
    assert ai_act.badge(open_model(systemic_risk=disputed(False, True)), LICENCES).result == "fails"
    unknown = ai_act.badge(open_model(systemic_risk=model().systemic_risk), LICENCES)
    assert (unknown.result, unknown.note[:23]) == ("unknown", "But for that it passes.")


def test_a_download_that_takes_personal_data_is_for_people_to_judge() -> None:
    for collects, result in ((said(value=True), "review"), (said(value=False), "passes"), (model().weights, "review")):
        gated = open_model(weights=said("gated"), collects_personal_data=collects)
        assert ai_act.badge(gated, LICENCES).result == result


def test_closed_models_fail_and_unknown_licences_stay_unknown() -> None:
    closed = ai_act.badge(closed_model(), LICENCES)
    assert closed.result == "fails"
    assert closed.missing[0] == "The weights are not published."
    assert ai_act.badge(open_model(licence=model().licence), LICENCES).result == "unknown"
    assert ai_act.badge(open_model(licence=said("LicenseRef-nobody-knows")), LICENCES).result == "unknown"


def test_of_two_readings_of_the_licence_the_worse_one_counts() -> None:
    found = ai_act.badge(open_model(licence=disputed("Apache-2.0", RAIL.id)), LICENCES)
    assert found.result == "review"


# ---- European index


def test_the_sum_counts_open_as_one_and_partial_as_a_half() -> None:
    classes = dict.fromkeys(osai.DIMENSIONS, "open") | {"paper": "closed", "licenses": "partial", "datasheet": ""}
    assert osai.index_sum(classes) == 9.5
    assert osai.index_sum({}) == 0


def test_the_badge_shows_the_lowest_sum() -> None:
    assert osai.badge(said(11.5)).result == "11.5 of 12"
    assert osai.badge(disputed(5.0, 4.5)).result == "4.5 of 12"
    assert osai.badge(model().osai_sum).result == "unknown"


def test_the_badge_says_of_which_model_the_sum_is() -> None:
    found = Claim(value=10.0, state="declared", sources=("card",), evidence="E1", note="Of the safe version.")
    assert osai.badge(found).note == "Of the safe version. It rates families by their largest model."
