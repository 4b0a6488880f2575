"""What holds of all advice, whatever is asked."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.catalog.advice.small import TODAY, catalog, changed, contract, question

from isthmus.catalog.advice.advice import Answer, advise
from isthmus.catalog.advice.breakeven import break_even
from isthmus.catalog.advice.constraint import Case, judge
from isthmus.catalog.advice.hardware import DAYS, fleet_of, hardware
from isthmus.catalog.advice.option import Own, options_of
from isthmus.catalog.advice.question import CAPABILITIES, DATA_CLASSES, SKILLS, SUPPORT, Question
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim

CATALOG = catalog()

contracts = st.lists(
    st.builds(
        contract, st.sampled_from(["host/api", "lab/api"]), st.sampled_from(["dpa", "baa", "zero-retention", "other"])
    ),
    max_size=4,
).map(tuple)

questions = st.builds(
    question,
    seat=st.sampled_from(["DE", "US", "JP"]),
    contracts=contracts,
    skills=st.sampled_from(SKILLS),
    premises=st.booleans(),
    capability=st.sampled_from(CAPABILITIES),
    data=st.sets(st.sampled_from(DATA_CLASSES), min_size=1, max_size=3).map(tuple),
    calls_per_day=st.integers(1, 20_000_000),
    input_tokens=st.integers(1, 20_000),
    output_tokens=st.integers(1, 2_000),
    answer_within_s=st.sampled_from([5, 30, 600, 86_400]),
    outage=st.sampled_from(["a-day", "hours"]),
    examples=st.booleans(),
)

constraints = st.fixed_dictionaries(
    {},
    optional={
        "budget_usd": st.integers(0, 100_000).map(Decimal),
        "regions": st.sampled_from([("EU",), ("US",), ("FR",)]),
        "support": st.sampled_from(SUPPORT[1:]),
        "tools": st.just(True),
        "change_weights": st.just(True),
        "openness_min": st.integers(0, 4),
        "outage": st.just("minutes"),
        "refused": st.sampled_from([("maker/thirty",), ("lab/grand", "maker/eight")]),
        "input": st.just(("text", "image")),
        "quality_min": st.just(0.9),
    },
)


def answer(asked: Question, found: Catalog = CATALOG) -> Answer:
    return advise(asked, found, TODAY).answers[0]


def every_fitting(asked: Question, found: Catalog = CATALOG) -> set[str]:
    """All options that nothing speaks against, each machine and region by itself."""
    workload = asked.workloads[0]
    case = Case(catalog=found, question=asked, workload=workload, today=TODAY)
    return {option.key for option in options_of(found, asked, workload) if not judge(option, case)}


few = settings(max_examples=40, deadline=None)


@few
@given(questions, st.sampled_from(DATA_CLASSES))
def test_one_more_kind_of_data_never_adds_an_option(asked: Question, kind: Any) -> None:
    more = changed(asked, data=(*asked.workloads[0].data, kind))
    assert every_fitting(more) <= every_fitting(asked)


@few
@given(questions, constraints)
def test_one_more_constraint_never_adds_an_option(asked: Question, more: dict[str, Any]) -> None:
    assert every_fitting(changed(asked, **more)) <= every_fitting(asked)


@few
@given(questions)
def test_less_skill_never_adds_an_option(asked: Question) -> None:
    found = [every_fitting(msgspec.structs.replace(asked, skills=skills)) for skills in SKILLS]
    assert found[0] <= found[1] <= found[2]


@few
@given(questions, constraints, st.data())
def test_taking_a_fact_away_never_adds_an_option(asked: Question, more: dict[str, Any], data: st.DataObject) -> None:
    asked = changed(asked, **more)
    kind, name, field = data.draw(
        st.sampled_from(
            [
                *(("terms", terms, field) for terms in CATALOG.terms for field in ("training", "retention")),
                *(("offers", offer, "region") for offer in CATALOG.offers),
                *(("models", model, field) for model in CATALOG.models for field in ("context_tokens", "licence")),
                *(("providers", provider, "seat") for provider in CATALOG.providers),
            ]
        )
    )
    records = dict(getattr(CATALOG, kind))
    empty = Claim() if field in {"context_tokens", "licence", "seat"} else type(getattr(records[name], field))()
    records[name] = msgspec.structs.replace(records[name], **{field: empty})
    assert every_fitting(asked, msgspec.structs.replace(CATALOG, **{kind: records})) <= every_fitting(asked)


@few
@given(questions, constraints)
def test_what_is_recommended_fits_and_nothing_speaks_against_it(asked: Question, more: dict[str, Any]) -> None:
    asked = changed(asked, **more)
    found, fitting = answer(asked), every_fitting(asked)
    recommended = [option for option in (found.best, found.standby, *found.fits) if option is not None]
    assert {option.key for option in recommended} <= fitting
    assert (found.best is None) == (not fitting)
    assert not fitting & {open_one.option.key for open_one in found.would_fit}


@few
@given(questions, constraints)
def test_what_is_said_to_decide_is_what_comes_out_without_it(asked: Question, more: dict[str, Any]) -> None:
    asked = changed(asked, **more)
    for found in answer(asked).decides:
        if found.constraints == ("budget",):
            without = answer(changed(asked, budget_usd=None)).best
            assert without is not None
            assert without.key == found.best.key
        if len(found.constraints) == 1 and (kind := found.constraints[0].removeprefix("data:")) in DATA_CLASSES:
            data = tuple(other for other in asked.workloads[0].data if other != kind) or ("public",)
            without = answer(changed(asked, data=data)).best
            assert without is not None
            assert without.key == found.best.key


machines = st.sampled_from(sorted(hardware().machines))
keepings = st.sampled_from(["bought", "rented"])


@few
@given(questions, machines, keepings, st.integers(2, 9), st.sampled_from(["a-day", "minutes"]))
def test_a_multiple_of_the_calls_never_costs_more_a_call_on_ones_own_machines(
    asked: Question, machine: str, keeping: Any, times: int, outage: Any
) -> None:
    """Machines come whole, so that one call more may cost a machine; so many times the calls never do."""
    size = next(o.at.size for o in options_of(CATALOG, asked, asked.workloads[0]) if isinstance(o.at, Own))
    assert size is not None
    workload = changed(asked, outage=outage).workloads[0]
    more = msgspec.structs.replace(workload, calls_per_day=workload.calls_per_day * times)
    once, often = (fleet_of(size, hardware().machines[machine], keeping, asked) for asked in (workload, more))
    for few_calls, many in zip(once.usd_month, often.usd_month, strict=True):
        assert many <= few_calls * times
        assert many >= few_calls


@few
@given(questions)
def test_from_the_break_even_on_ones_own_machines_are_no_dearer_and_not_before(asked: Question) -> None:
    workload = asked.workloads[0]
    options = options_of(CATALOG, asked, workload)
    served = next(option for option in options if not isinstance(option.at, Own) and option.usd_month is not None)
    own = next((option for option in options if isinstance(option.at, Own) and option.at.fleet is not None), None)
    if own is None or served.usd_month is None:
        return
    found = break_even(served, own, workload, staff_usd_hour=None)
    assert found is not None
    per_call = served.usd_month.low / workload.calls_per_day / DAYS

    def dear_end(calls: int) -> Decimal:
        more = msgspec.structs.replace(workload, calls_per_day=calls)
        assert isinstance(own.at, Own)
        assert own.at.size is not None
        fitting = [o.at.fleet.machine for o in options if isinstance(o.at, Own) and o.at.fleet and o.model == own.model]
        return min(fleet_of(own.at.size, machine, own.at.keeping, more).usd_month.high for machine in fitting)

    if found.latest is not None:
        assert dear_end(found.latest) <= per_call * found.latest * DAYS * Decimal("1.000001")
        before = found.latest * 9 // 10
        if before:
            assert dear_end(before) > per_call * before * DAYS
