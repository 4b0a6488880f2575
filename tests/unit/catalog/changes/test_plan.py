"""What an update changes, what of it loosens, and what comes out when only some of it is applied."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from tests.unit.catalog.changes.small import SOURCES, claim, contents, everything, listing, records, written

from isthmus.catalog.catalog import catalog_of
from isthmus.catalog.changes.plan import Plan
from isthmus.domain.errors import ConfigError

TERMS = "terms/openai/api.yaml"
OFFER = "offers/openai/api/eu.yaml"
TINY = "models/meta/tiny.yaml"
CAPPED = "licences/LicenseRef-capped.yaml"

Edit = Callable[[dict[str, dict[str, Any]]], object]


def planned(edit: Edit) -> Plan:
    """An update that differs by one edit of the records."""
    new = records()
    edit(new)
    return Plan(before=contents(), update=contents(new))


def the_change(edit: Edit) -> Any:
    (change,) = planned(edit).changes
    return change


def test_an_update_that_is_the_same_changes_nothing() -> None:
    assert Plan(before=contents(), update=contents()).changes == ()


def test_reading_the_same_again_on_a_later_day_is_no_change() -> None:
    new = records()
    for record in new.values():
        record["sources"] = {key: {**source, "observed_on": date(2026, 12, 1)} for key, source in SOURCES.items()}
    assert Plan(before=contents(), update=contents(new, observed=date(2026, 12, 1))).changes == ()


LOOSENING: list[tuple[str, Edit]] = [
    ("shorter retention", lambda r: r[TERMS]["retention"].update(default_days=claim(0))),
    ("a class of data kept no longer", lambda r: r[TERMS]["retention"].update(classes=[])),
    ("an exception that is gone", lambda r: r[TERMS]["retention"].update(model_exceptions=[])),
    ("less training", lambda r: r[TERMS]["training"].update(default=claim("never"))),
    ("zero retention for the asking", lambda r: r[TERMS]["zero_retention"].update(how=claim("self"))),
    ("a feature excluded no longer", lambda r: r[TERMS]["zero_retention"].update(excluded_features=[])),
    ("zero retention not to be withdrawn", lambda r: r[TERMS]["zero_retention"].update(withdrawable=False)),
    ("a prohibition that is gone", lambda r: r[TERMS].update(uses=[])),
    ("evidence that rises", lambda r: r[TERMS]["retention"].update(default_days=claim(30, evidence="E3"))),
    ("evidence of a stricter value", lambda r: r[TERMS]["retention"].update(default_days=claim(60, evidence="E2"))),
    ("an agreement to be had", lambda r: r[TERMS].update(baa=claim(True))),
    ("a region promised", lambda r: r[OFFER]["region"].update(processing=claim(["EU"]))),
    ("a region guaranteed", lambda r: r[OFFER]["region"].update(guarantee=claim("contractual"))),
    ("one more host", lambda r: r[OFFER]["hosts"].append("api.openai.com")),
    ("another side", lambda r: r[OFFER].update(side="own")),
    ("another seat", lambda r: r["providers/openai.yaml"].update(seat=claim("IE"))),
    ("one more service", lambda r: r["providers/openai.yaml"]["services"].append("deepseek")),
    ("another licence", lambda r: r[TINY].update(licence=claim("Apache-2.0"))),
    ("weights for everybody", lambda r: r[TINY].update(weights=claim("public"))),
    ("open training data", lambda r: r[TINY]["training"].update(data=claim("open"))),
    ("a component that is there", lambda r: r[TINY]["components"].update(training_code={"present": claim("yes")})),
    ("one more component", lambda r: r[TINY]["components"].update(datasets={"present": claim("yes")})),
    ("another licence of a part", lambda r: r[TINY].update(global_licences={"code": "MIT"})),
    ("one more name", lambda r: r[TINY].update(aliases=["llama-4-scout"])),
    ("another text of the licence", lambda r: r[TINY].update(licence_revisions=["0" * 64])),
    ("a higher cap", lambda r: r[CAPPED]["clauses"][0].update(monthly_users=2_000_000)),
    ("a milder effect", lambda r: r[CAPPED]["clauses"][0].update(effect="attribution")),
    ("a clause that is gone", lambda r: r[CAPPED]["clauses"].pop()),
    ("outputs set free", lambda r: r[CAPPED]["clauses"][1].update(train_other_models="free")),
    ("one more use granted", lambda r: r[CAPPED]["grants"].append("hosted-service")),
    ("an approval", lambda r: r[CAPPED].update(osi_approved=True)),
]  # fmt: skip


@pytest.mark.parametrize(("edit"), [edit for _, edit in LOOSENING], ids=[name for name, _ in LOOSENING])
def test_a_loosening_waits_for_its_own_word_and_then_is_taken(edit: Edit) -> None:
    plan = planned(edit)
    assert plan.loosening
    assert plan.free == ()
    assert catalog_of(plan.result(plan.held(()))) == catalog_of(plan.before)
    assert plan.result(plan.held(everything(plan))) == plan.update


TIGHTENING: list[tuple[str, Edit]] = [
    ("longer retention", lambda r: r[TERMS]["retention"].update(default_days=claim(60))),
    ("retention known no longer", lambda r: r[TERMS]["retention"].update(default_days={})),
    ("more kept besides", lambda r: r[TERMS]["retention"]["classes"].append({"what": "batches"})),
    (
        "one more exception",
        lambda r: r[TERMS]["retention"]["model_exceptions"].append(
            {"models": ["meta/tiny"], "days": claim(90), "says": "Kept longer."}
        ),
    ),
    ("more training", lambda r: r[TERMS]["training"].update(default=claim("opt-out"))),
    ("one more feature excluded", lambda r: r[TERMS]["zero_retention"].update(excluded_features=["files", "batch"])),
    ("processing in more places", lambda r: r[OFFER]["region"].update(processing=claim(["EU", "US", "IN"]))),
    ("a lower cap", lambda r: r[CAPPED]["clauses"][0].update(monthly_users=500_000)),
    (
        "one more cap",
        lambda r: r[CAPPED]["clauses"].append(
            {
                "clause": "revenue_cap",
                "says": "Who earns more needs another licence.",
                "place": "section 4",
                "sources": ["text"],
                "amount": "20000000",
                "period": "month",
                "effect": "no_rights",
            }
        ),
    ),
    ("weights for nobody", lambda r: r[TINY].update(weights=claim("none"))),
    ("a licence known no longer", lambda r: r[TINY].update(licence={})),
    ("a title", lambda r: r[TINY].update(title="Tiny, the model")),
    ("a longer context", lambda r: r[TINY].update(context_tokens=claim(128_000))),
]


@pytest.mark.parametrize(("edit"), [edit for _, edit in TIGHTENING], ids=[name for name, _ in TIGHTENING])
def test_what_tightens_or_leaves_things_as_they_are_needs_no_word_of_its_own(edit: Edit) -> None:
    plan = planned(edit)
    assert plan.free
    assert plan.loosening == ()
    assert plan.result(plan.held(())) == plan.update


def test_a_shorter_exception_than_the_days_of_all_loosens() -> None:
    exception = {"models": ["meta/tiny"], "days": claim(0), "says": "Not kept."}
    assert the_change(lambda r: r[TERMS]["retention"]["model_exceptions"].append(exception)).loosens


def test_what_tightens_is_taken_from_a_record_that_loosens_elsewhere() -> None:
    new = records()
    new[TERMS]["retention"]["default_days"] = claim(0)
    new[TERMS]["training"]["default"] = claim("opt-out")
    plan = Plan(before=contents(), update=contents(new))
    out = catalog_of(plan.result(plan.held(()))).terms["openai/api"]
    assert out.retention.default_days.value == 30
    assert out.training.default.value == "opt-out"


def test_what_is_put_back_keeps_the_source_it_was_read_in() -> None:
    new = records()
    new[TERMS]["sources"] = {**SOURCES, "page": {**SOURCES["page"], "url": "https://elsewhere.example.test/"}}
    new[TERMS]["retention"]["default_days"] = claim(0)
    new[TERMS]["training"]["default"] = claim("opt-out")
    plan = Plan(before=contents(), update=contents(new))
    out = catalog_of(plan.result(plan.held(()))).terms["openai/api"]
    (kept,) = out.retention.default_days.sources
    (taken,) = out.training.default.sources
    assert out.sources[kept].url == "https://docs.example.test/data"
    assert out.sources[taken].url == "https://elsewhere.example.test/"


def test_a_new_record_waits_and_so_does_what_names_it() -> None:
    new = records()
    new["models/meta/new.yaml"] = {**new[TINY], "id": "meta/new", "title": "New"}
    new[OFFER]["models"] = ["meta/new"]
    plan = Plan(before=contents(), update=contents(new))
    assert {change.id for change in plan.held(())} == {"models:meta/new:(new)", "offers:openai/api/eu:models"}
    assert catalog_of(plan.result(plan.held(()))) == catalog_of(plan.before)
    assert plan.held(plan.accepted(["models:meta/*"])) == ()


def test_what_we_verified_gives_no_way_to_a_feed() -> None:
    plan = planned(lambda r: r[TINY].update(weights=claim("none", state="declared", source="list")))
    (change,) = plan.contested
    assert change.says == "weights of meta/tiny: gated → none; the first was verified and stays"
    assert catalog_of(plan.result(plan.held(everything(plan)))) == catalog_of(plan.before)


def test_a_file_that_an_update_lacks_stays() -> None:
    update = {path: text for path, text in contents().items() if path != TINY}
    assert Plan(before=contents(), update=update).changes == ()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda r: r[TERMS]["retention"].update(default_days=claim(0)),
            "retention of openai/api: 30 days → 0 days",
        ),
        (lambda r: r[TINY].update(licence=claim("Apache-2.0")), "licence of meta/tiny: LicenseRef-capped → Apache-2.0"),
        (
            lambda r: r[TINY].update(licence_revisions=["ab" * 32]),
            "licence text of meta/tiny changed: none → abababababab",
        ),
        (
            lambda r: r[OFFER]["region"].update(processing=claim(["EU"])),
            "where it processes of openai/api/eu: EU, US → EU",
        ),
        (
            lambda r: r[TERMS]["retention"].update(default_days=claim(30, evidence="E2")),
            "retention of openai/api: 30 days, evidence E1 → E2",
        ),
    ],
)
def test_changes_are_told_in_words(edit: Edit, says: str) -> None:
    assert the_change(edit).says == says


def relisted(*, before: Any = None, after: Any = None) -> Any:
    old = () if before is None else (before,)
    new = () if after is None else (after,)
    (change,) = Plan(before=contents(listings=old), update=contents(listings=new)).changes
    return change


def test_prices_are_told_as_dollars_per_million() -> None:
    change = relisted(before=listing(), after=listing(price=("0.6", "4.5")))
    assert change.says == "gpt-5.4-mini at openai: input $0.75 → $0.60 per million"
    assert (change.group, change.loosens) == ("prices", "")


def test_a_price_that_falls_to_nothing_is_asked_about() -> None:
    assert relisted(before=listing(), after=listing(price=("0.01", "4.5"))).loosens
    assert not relisted(before=listing(), after=listing(price=("0.1", "4.5"))).loosens


def test_a_retirement_is_told_with_what_comes_after() -> None:
    change = relisted(before=listing(), after=listing(retires=date(2026, 12, 11)))
    assert change.says == "gpt-5.4-mini at openai: retires 2026-12-11, replaced by gpt-6-luna"
    assert (change.group, change.loosens) == ("retirements", "")


def test_a_retirement_that_moves_away_loosens() -> None:
    first, later = date(2026, 12, 11), date(2027, 1, 15)
    assert relisted(before=listing(retires=first), after=listing(retires=later)).loosens
    assert relisted(before=listing(retires=first), after=listing()).loosens
    assert relisted(before=listing(retires=first)).loosens
    assert not relisted(before=listing(retires=later), after=listing(retires=first)).loosens


def test_a_held_retirement_stays_with_its_source_while_the_price_is_taken() -> None:
    old = contents(listings=(listing(retires=date(2026, 12, 11)),))
    new = contents(listings=(listing(price=("0.6", "4.5")),), observed=date(2026, 12, 1))
    plan = Plan(before=old, update=new)
    snapshot = catalog_of(plan.result(plan.held(()))).snapshot
    (kept,) = snapshot.listings
    assert str(kept.price.value.input if kept.price.value else None) == "0.6"
    assert kept.retires_on.value == date(2026, 12, 11)
    assert snapshot.sources[kept.retires_on.sources[0]].observed_on == date(2026, 11, 21)
    assert snapshot.sources[kept.price.sources[0]].observed_on == date(2026, 12, 1)


def test_which_model_a_name_means_is_never_an_updates_to_say() -> None:
    forged = contents(listings=(listing(model="meta/tiny"),))
    plan = Plan(before=contents(), update=forged)
    (out,) = catalog_of(plan.result(plan.held(everything(plan)))).snapshot.listings
    assert out.model == "openai/gpt-5.4-mini"


def test_a_listing_that_differs_from_what_was_verified_says_so() -> None:
    change = relisted(before=listing(), after=listing(context=500_000))
    assert change.says.endswith("400,000 tokens → 500,000 tokens; 400,000 was verified of the model and stays")


def test_an_update_with_a_broken_record_is_refused_whole() -> None:
    with pytest.raises(ConfigError, match=r"terms/openai/api.yaml"):
        _ = Plan(before=contents(), update={**contents(), TERMS: b"id: [1"}).changes


def test_a_second_file_of_one_record_cannot_take_its_place() -> None:
    open_weights = {**records()[TINY], "weights": claim("public")}
    update = {**contents(), "models/elsewhere/meta/tiny.yaml": written(open_weights)}
    with pytest.raises(ConfigError, match="not named after their records") as found:
        _ = Plan(before=contents(), update=update).changes
    assert found.value.problems == ("models/elsewhere/meta/tiny.yaml",)


def test_a_word_that_names_no_change_is_refused() -> None:
    plan = planned(lambda r: r[TERMS]["retention"].update(default_days=claim(0)))
    assert plan.accepted(["terms:*"]) == {"terms:openai/api:retention.default_days"}
    with pytest.raises(ConfigError, match="terms:openai/apl"):
        plan.accepted(["terms:openai/apl:retention.default_days"])
