"""What is advised, of a catalog whose answers can be worked out by hand."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.unit.catalog.advice import small
from tests.unit.catalog.advice.small import LISTINGS, TODAY, catalog, contract, listing, question, said

from isthmus.catalog.advice.advice import Answer, advise
from isthmus.catalog.advice.hardware import DAYS
from isthmus.catalog.advice.option import Own, Served
from isthmus.catalog.advice.question import Question
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.records.licence import UserCap
from isthmus.catalog.records.terms import ModelException


def answer(asked: Question, found: Catalog | None = None, today: date = TODAY) -> Answer:
    return advise(asked, found or catalog(), today).answers[0]


def fitting(found: Answer) -> set[str]:
    return {option.key for option in found.fits}


def asks(found: Answer, key: str) -> list[str]:
    return next([j.ask for j in one.against] for one in found.would_fit if one.option.key == key)


def why_out(found: Answer, constraint: str) -> str:
    return next(row.examples[0].says for row in found.ruled_out if row.constraint == constraint)


def test_the_cheapest_that_fits_is_the_answer_and_its_price_is_list_price_times_volume() -> None:
    found = answer(question(capability="extraction", skills="none"))
    assert found.best is not None
    assert found.best.key == "host/api/fr maker/eight"
    assert found.side == "hosted"
    per_call = (1000 * Decimal("0.05") + 200 * Decimal("0.10")) / 1_000_000
    assert found.best.usd_month == (per_call * 1000 * DAYS,) * 2


def test_a_surcharge_of_the_region_and_a_cached_part_of_the_input_are_reckoned_with() -> None:
    dear = msgspec.structs.replace(small.offer("lab/api/eu", side="closed", place="EU"), surcharge_percent=said(10.0))
    half = msgspec.structs.replace(
        LISTINGS[4],
        price=said(msgspec.structs.replace(LISTINGS[4].price.value, cached=Decimal("0.2"))),  # type: ignore[type-var]
    )
    found = answer(question(cached_share=0.5), catalog(listings=(half,), offers=dear))
    costs = {option.key: option.usd_month for option in found.fits if option.side == "closed"}
    per_call = (500 * Decimal(2) + 500 * Decimal("0.2") + 200 * Decimal(8)) / 1_000_000
    assert costs["lab/api/us lab/grand"] == (per_call * 1000 * DAYS,) * 2
    eu = answer(question(cached_share=0.5, regions=("EU",)), catalog(listings=(half,), offers=dear))
    assert {o.key: o.usd_month for o in eu.fits}["lab/api/eu lab/grand"] == (
        per_call * 1000 * DAYS * Decimal("1.1"),
    ) * 2


def test_patient_data_without_contracts_stays_on_a_machine_that_was_bought() -> None:
    found = answer(question(data=("patient",), capability="summary", skills="some", outage="a-day"))
    assert found.best is not None
    assert found.side == "own"
    assert all(isinstance(option.at, Own) and option.at.keeping == "bought" for option in found.fits)


def test_what_decides_is_found_by_leaving_it_out() -> None:
    asked = question(data=("patient",), capability="summary", skills="some", outage="a-day")
    first = answer(asked).decides[0]
    assert first.constraints == ("data:patient",)
    assert first.changes_side
    without = answer(small.changed(asked, data=("public",)))
    assert without.best is not None
    assert first.best.key == without.best.key


def test_a_contract_for_patient_data_lets_it_go_where_nothing_is_kept() -> None:
    asked = question(data=("patient",), capability="summary", skills="none")
    before = answer(asked)
    assert before.side == "none"
    assert asks(before, "host/api/fr maker/thirty") == ["sign an agreement on data processing with Host"]
    after = answer(
        question(data=("patient",), capability="summary", skills="none", contracts=(contract("host/api", "dpa"),))
    )
    assert after.best is not None
    assert after.best.key == "host/api/fr maker/thirty"


def test_an_american_needs_an_agreement_for_health_data_where_a_german_needs_one_on_processing() -> None:
    held = (contract("lab/api", "zero-retention"), contract("lab/api", "baa"))
    found = answer(question(seat="US", data=("patient",), skills="none", contracts=held))
    assert "lab/api/us lab/grand" in fitting(found)
    assert answer(question(seat="DE", data=("patient",), skills="none", contracts=held)).side == "none"


def test_patient_data_is_not_processed_outside_the_european_economic_area() -> None:
    held = (contract("lab/api", "zero-retention"), contract("lab/api", "dpa"))
    found = answer(question(data=("patient",), skills="none", contracts=held))
    assert "lab/unpaid/us processes in US" in why_out(found, "data:patient")
    assert not any("lab/api/us" in one.option.key for one in found.would_fit)
    assert asks(found, "lab/api/eu lab/grand") == ["have your lawyers clear that Lab, with its seat in US, may see it"]


def test_a_model_that_keeps_what_it_is_sent_is_out_whatever_the_contract_says_of_others() -> None:
    strict = small.terms("lab/api", training="never", days=0, zero="approval")
    rule = ModelException(models=("lab/grand",), days=said(30), says="It is kept for 30 days.")
    strict = msgspec.structs.replace(
        strict, retention=msgspec.structs.replace(strict.retention, model_exceptions=(rule,))
    )
    held = (contract("lab/api", "zero-retention"), contract("lab/api", "baa"))
    found = answer(question(seat="US", data=("patient",), skills="none", contracts=held), catalog(terms=strict))
    assert not any("lab/grand" in key for key in fitting(found))


def test_secrets_are_never_sent_to_a_provider() -> None:
    held = tuple(contract("host/api", kind) for kind in ("dpa", "zero-retention", "baa", "other"))
    found = answer(question(data=("secret",), contracts=held))
    assert {option.side for option in found.fits} == {"own"}


@pytest.mark.parametrize("training", ["opt-out", "always"])
def test_internal_data_does_not_train_models(training: str) -> None:
    loose = small.terms("host/api", training=training, days=0, zero="default")  # type: ignore[arg-type]
    found = answer(question(data=("internal",), skills="none"), catalog(terms=loose))
    assert not any(key.startswith("host/") for key in fitting(found))


def test_what_is_only_remembered_is_not_enough_for_other_peoples_data() -> None:
    vague = small.terms("host/api", training="never", days=0, zero="default")
    vague = msgspec.structs.replace(
        vague, training=msgspec.structs.replace(vague.training, default=said("never", evidence="E0"))
    )
    found = answer(question(data=("personal",), skills="none"), catalog(terms=vague))
    assert asks(found, "host/api/fr maker/thirty") == ["get it in writing that Host does not train on your data"]


def test_a_licence_that_leaves_the_seat_out_rules_the_model_out_with_its_clause() -> None:
    german, american = answer(question(seat="DE")), answer(question(seat="US"))
    assert not any("fenced" in key for key in fitting(german))
    assert "European Union" in why_out(german, "licence")
    assert any("fenced" in key for key in fitting(american))


def test_what_a_licence_asks_of_the_organisation_is_to_be_said() -> None:
    cap = UserCap(
        says="Who has many users asks.", place="section 2", sources=("page",), monthly_users=9, effect="no_rights"
    )
    found = answer(question(skills="none"), catalog(licences=small.licence("open", cap)))
    assert asks(found, "host/api/fr maker/thirty") == ["say monthly_users in the question's file"]


def test_nobody_who_looks_after_machines_means_no_machines() -> None:
    found = answer(question(skills="none"))
    assert not any(option.side == "own" for option in found.fits)


def test_no_room_means_no_machines_that_are_bought() -> None:
    found = answer(question(premises=False))
    kept = {option.at.keeping for option in found.fits if isinstance(option.at, Own)}
    assert kept == {"rented"}


def test_who_works_in_office_hours_is_not_on_call() -> None:
    found = answer(question(skills="some", outage="minutes"))
    assert not any(option.side == "own" for option in found.fits)


def test_where_it_may_hardly_stand_still_another_operator_stands_by() -> None:
    found = answer(question(outage="minutes", capability="classification"))
    assert found.best is not None
    assert found.standby is not None
    assert found.standby.operator != found.best.operator
    assert found.side == "mix"  # an open model at a host, and a vendor's behind it


def test_one_spare_machine_is_paid_for_where_it_may_hardly_stand_still() -> None:
    once, always = answer(question()), answer(question(outage="minutes"))
    of = {option.key: option for option in always.fits}
    for option in once.fits:
        if isinstance(option.at, Own) and option.at.fleet is not None and option.key in of:
            other = of[option.key].at
            assert isinstance(other, Own)
            assert other.fleet is not None
            assert other.fleet.count == tuple(count + 1 for count in option.at.fleet.count)


def test_a_budget_below_the_least_it_may_cost_rules_out_and_one_in_between_leaves_open() -> None:
    own = next(option for option in answer(question()).fits if option.side == "own")
    assert own.usd_month is not None
    below = answer(question(budget_usd=own.usd_month.low - 1))
    between = answer(question(budget_usd=own.usd_month.low + 1))
    above = answer(question(budget_usd=own.usd_month.high))
    assert own.key not in fitting(below) | fitting(between)
    assert own.key in {found.option.key for found in between.would_fit}
    assert own.key not in {found.option.key for found in below.would_fit}
    assert own.key in fitting(above)


def test_what_retires_within_90_days_is_not_recommended() -> None:
    def ending(days: int) -> Answer:
        last = said(TODAY + timedelta(days=days))
        return answer(question(), catalog(listings=(listing("host", "maker/thirty", "0.2", "0.6", retires_on=last),)))

    assert not any(key.startswith("host/") for key in fitting(ending(90)))
    assert any(key.startswith("host/") for key in fitting(ending(91)))


def test_a_tier_for_trying_things_out_serves_no_workload() -> None:
    assert not any("unpaid" in key for key in fitting(answer(question())))


def test_a_promise_of_availability_is_recommended_only_where_it_is_held() -> None:
    assert answer(question(support="sla", skills="none")).side == "none"
    held = answer(question(support="sla", skills="none", contracts=(contract("lab/api", "other"),)))
    assert {option.operator for option in held.fits} == {"lab"}


def test_weights_that_must_change_are_not_a_vendors() -> None:
    found = answer(question(change_weights=True))
    assert {option.side for option in found.fits} == {"own"}


def test_how_open_a_model_must_be_is_held_against_what_it_counts_as() -> None:
    weights, training = answer(question(openness_min=2)), answer(question(openness_min=3))
    assert {option.side for option in weights.fits} == {"own", "hosted"}
    assert training.best is None
    assert any("find out of thirty" in ask for ask in asks(training, "host/api/fr maker/thirty"))


def test_a_model_too_large_for_every_machine_is_ruled_out_by_that() -> None:
    assert "maker/giant" in why_out(answer(question()), "machine")


def test_small_models_fit_where_there_are_examples_to_train_them_with_on_ones_own_machines_alone() -> None:
    plain, trained = (answer(question(capability="classification", examples=examples)) for examples in (False, True))
    assert not any("mini" in key for key in fitting(plain))
    assert {option.side for option in trained.fits if option.model.id == "maker/mini"} == {"own"}


def test_having_to_train_makes_no_small_model_fit_without_examples() -> None:
    found = answer(question(capability="classification", change_weights=True))
    assert "maker/mini" not in {option.model.id for option in found.fits}


def test_of_the_names_for_one_model_the_priced_one_that_stays_longest_counts() -> None:
    rows = (
        msgspec.structs.replace(LISTINGS[2], api_id="a", price=Claim()),
        msgspec.structs.replace(LISTINGS[2], api_id="b", retires_on=said(TODAY + timedelta(days=100))),
        msgspec.structs.replace(LISTINGS[2], api_id="dated-name", retires_on=said(TODAY + timedelta(days=300))),
    )
    best = answer(question(skills="none"), catalog(listings=rows)).best
    assert best is not None
    assert isinstance(best.at, Served)
    assert best.at.listing is not None
    assert best.at.listing.api_id == "dated-name"


def test_the_same_model_stands_by_where_another_operator_has_it() -> None:
    both = (*LISTINGS, listing("lab", "maker/thirty", "1", "3"))
    found = answer(question(skills="none", outage="minutes", refused=("nano",)), catalog(listings=both))
    assert found.best is not None
    assert found.standby is not None
    assert (found.best.model.id, found.standby.model.id) == ("maker/thirty", "maker/thirty")
    assert found.standby.operator != found.best.operator


def test_what_was_tried_goes_before_the_rule_of_thumb_in_both_directions() -> None:
    found = answer(question(capability="coding", accepted=("maker/mini",), refused=("thirty",)))
    names = {option.model.id for option in found.fits}
    assert "maker/mini" in names
    assert "maker/thirty" not in names


def test_a_quality_that_is_asked_for_must_have_been_measured() -> None:
    found = answer(question(quality_min=0.8, quality={"maker/eight": 0.9, "maker/thirty": 0.7}))
    assert {option.model.id for option in found.fits} == {"maker/eight"}
    assert any("measure lab/grand" in ask for ask in asks(found, "lab/api/eu lab/grand"))


def test_a_vendors_small_model_is_to_be_tried_before_it_writes_programmes() -> None:
    found = answer(question(capability="coding"))
    assert "lab/api/eu lab/nano" not in fitting(found)
    assert "lab/api/eu lab/grand" in fitting(found)


def test_a_price_that_nobody_lists_has_to_be_asked_for() -> None:
    bare = msgspec.structs.replace(LISTINGS[2], price=Claim())
    found = answer(question(skills="none"), catalog(listings=(bare,)))
    assert asks(found, "host/api/fr maker/thirty") == ["ask Host its price"]


def test_of_what_costs_about_the_same_the_larger_model_is_taken() -> None:
    near = (listing("host", "maker/thirty", "0.054", "0.10"), listing("host", "maker/eight", "0.05", "0.10"))
    found = answer(question(capability="extraction", skills="none"), catalog(listings=near))
    assert found.best is not None
    assert found.best.model.id == "maker/thirty"


def test_of_two_alike_the_nearer_one_is_taken() -> None:
    german, american = (
        answer(question(seat=seat, capability="agentic", skills="none"), catalog(listings=LISTINGS[4:]))
        for seat in ("DE", "US")
    )
    assert german.best is not None
    assert german.best.key.startswith("lab/api/eu")
    assert american.best is not None
    assert american.best.key.startswith("lab/api/us")


def test_a_row_that_another_feed_should_have_and_has_not_is_to_be_checked() -> None:
    second = Source(url="https://example.test/2", kind="feed", observed_on=TODAY, title="the other feed, its file")
    both = tuple(
        msgspec.structs.replace(row, price=msgspec.structs.replace(row.price, sources=("feed", "second")))
        for row in LISTINGS[1:3]
    )
    old = msgspec.structs.replace(small.MODELS[0], released=said(date(2025, 1, 1)))
    known = tuple(msgspec.structs.replace(found, released=said(date(2025, 1, 1))) for found in small.MODELS[1:3])
    found = catalog(listings=(LISTINGS[0], *both), models=old)
    found = msgspec.structs.replace(
        found,
        models={**found.models, **{one.id: one for one in known}},
        snapshot=msgspec.structs.replace(found.snapshot, sources={"feed": small.FEED, "second": second}),
    )
    told = answer(question(capability="classification", skills="none", accepted=("maker/mini",)), found)
    assert asks(told, "host/api/fr maker/mini") == ["check that Host serves mini"]
    assert "host/api/fr maker/eight" in fitting(told)


def test_facts_that_nobody_looked_at_for_long_are_named() -> None:
    asked = question(data=("internal",), skills="none", capability="extraction")
    assert answer(asked).stale == ()
    assert "what host/api says" in answer(asked, today=TODAY + timedelta(days=400)).stale
    assert answer(asked, today=TODAY + timedelta(days=8)).stale == ("the price of eight",)


def test_the_break_even_is_where_the_bills_are_alike() -> None:
    found = answer(question(capability="extraction", calls_per_day=200_000)).break_even
    assert found is not None
    assert isinstance(found.served.at, Served)
    assert found.earliest is None or found.latest is None or found.earliest <= found.latest
