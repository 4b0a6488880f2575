from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.decision import Decision, ReasonCode
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.licensing import RequestUse, Ruling
from isthmus.domain.offer import Capabilities, Goal, Need, Offer, Support, Workload
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Price
from isthmus.routing.choose import choose
from isthmus.routing.health import FAILURES_TO_OPEN, HealthBoard
from isthmus.routing.roster import Roster

TODAY = date(2026, 11, 21)
NEEDS: tuple[Need, ...] = get_args(Need)
LABELS = tuple(map(Label, ("pii", "phi", "secret", "legal")))

labels = st.frozensets(st.sampled_from(LABELS))
uses = st.frozensets(st.sampled_from(get_args(RequestUse)), min_size=1)
rulings = st.builds(
    Ruling, outcome=st.sampled_from(["forbidden", "needs-agreement", "unknown"]), sentence=st.just("clause 2 says so.")
)
support: st.SearchStrategy[Support] = st.sampled_from(get_args(Support))
maybe_tokens = st.none() | st.integers(1, 10_000)
prices = st.none() | st.builds(
    Price, input=st.decimals(0, 100, places=3), output=st.decimals(0, 100, places=3), source=st.just("test")
)


@st.composite
def offers(draw: st.DrawFn, name: str) -> Offer:
    return Offer(
        name=name,
        model=f"{name}-model",
        provider="test",
        dialect="openai-chat",
        base_url="http://127.0.0.1:1/v1",
        side=draw(st.sampled_from(["own", "hosted", "closed"])),
        capabilities=Capabilities(
            **{need: draw(support) for need in NEEDS},
            context_tokens=draw(maybe_tokens),
            output_tokens=draw(maybe_tokens),
        ),
        clearance=Clearance(draw(labels), everything=draw(st.booleans())),
        price=draw(prices),
        quality=draw(st.none() | st.floats(0, 1)),
        barred=tuple(draw(st.dictionaries(st.sampled_from(get_args(RequestUse)), rulings, max_size=2)).items()),
        retired_on=draw(st.none() | st.dates(TODAY - timedelta(3), TODAY + timedelta(3))),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[Workload, RequestFacts, Roster, HealthBoard]:
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    roster = Roster(
        offers={name: draw(offers(name)) for name in names}, workloads={}, default_workload="w", version="v"
    )
    workload = Workload(name="w", offers=tuple(names), goal=draw(st.sampled_from(get_args(Goal))), uses=draw(uses))
    facts = RequestFacts(
        model="w",
        stream=draw(st.booleans()),
        needs=draw(st.frozensets(st.sampled_from(NEEDS), max_size=2)),
        input_tokens=draw(st.integers(0, 12_000)),
        max_output_tokens=draw(maybe_tokens),
    )
    health = HealthBoard()
    for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=2)):
        for _ in range(FAILURES_TO_OPEN):
            health.failed(name, "upstream_unreachable", 0.0)
    return workload, facts, roster, health


def decide(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard], carried: frozenset[Label] = frozenset()
) -> Decision:
    workload, facts, roster, health = situation
    labelled = tuple(Labelled(name, "header") for name in sorted(carried))
    return choose(workload, facts, labelled, roster, health, now=1.0, today=TODAY)


def route(decision: Decision) -> set[str]:
    return {candidate.offer.name for candidate in decision.route}


@given(situations(), labels, labels)
def test_more_labels_never_widen_the_choice(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard], some: frozenset[Label], more: frozenset[Label]
) -> None:
    assert route(decide(situation, some | more)) <= route(decide(situation, some))


@given(situations(), labels)
def test_whoever_may_serve_is_cleared_for_every_label(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard], carried: frozenset[Label]
) -> None:
    for candidate in decide(situation, carried).route:
        clearance = candidate.offer.clearance
        assert clearance.everything or carried <= clearance.labels


@given(situations())
def test_whoever_may_serve_may_be_used_for_all_that_the_workload_is_for(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard],
) -> None:
    for candidate in decide(situation).route:
        assert situation[0].uses.isdisjoint(use for use, _ in candidate.offer.barred)


@given(situations(), uses)
def test_more_uses_never_widen_the_choice(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard], more: frozenset[RequestUse]
) -> None:
    workload, facts, roster, health = situation
    wider = (replace(workload, uses=workload.uses | more), facts, roster, health)
    assert route(decide(wider)) <= route(decide(situation))


@given(situations(), labels)
def test_every_offer_that_is_not_first_has_a_reason_and_a_sentence(
    situation: tuple[Workload, RequestFacts, Roster, HealthBoard], carried: frozenset[Label]
) -> None:
    decision = decide(situation, carried)
    first = {decision.route[0].offer.name} if decision.route else set()
    assert {rejection.offer for rejection in decision.rejected} == set(situation[0].offers) - first
    assert len(decision.rejected) == len(situation[0].offers) - len(first)
    for rejection in decision.rejected:
        assert rejection.code in get_args(ReasonCode)
        assert rejection.offer in rejection.sentence
        assert rejection.sentence.endswith(".")


@given(situations())
def test_needs_only_narrow_the_choice(situation: tuple[Workload, RequestFacts, Roster, HealthBoard]) -> None:
    workload, facts, roster, health = situation
    plain = (workload, replace(facts, needs=frozenset(), input_tokens=0, max_output_tokens=None), roster, health)
    assert route(decide(situation)) <= route(decide(plain))


@given(situations())
def test_the_route_is_in_the_order_of_the_goal(situation: tuple[Workload, RequestFacts, Roster, HealthBoard]) -> None:
    workload = situation[0]
    chosen = decide(situation).route
    match workload.goal:
        case "order":
            positions = [workload.offers.index(c.offer.name) for c in chosen]
            assert positions == sorted(positions)
        case "cheapest":
            costs = [Decimal("Infinity") if c.expected_cost is None else c.expected_cost for c in chosen]
            assert costs == sorted(costs)
        case "best":
            qualities = [-1.0 if c.offer.quality is None else c.offer.quality for c in chosen]
            assert qualities == sorted(qualities, reverse=True)
        case "fastest":
            assert len(chosen) <= len(workload.offers)


def offer(name: str, **changes: object) -> Offer:
    base = Offer(name=name, model=name, provider="test", dialect="openai-chat", base_url="http://x/v1", side="own")
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name fields of Offer


def one(workload_goal: Goal, *offered: Offer, health: HealthBoard | None = None, **facts: object) -> Decision:
    roster = Roster(offers={o.name: o for o in offered}, workloads={}, default_workload="w", version="v")
    workload = Workload(name="w", offers=tuple(o.name for o in offered), goal=workload_goal)
    asked = replace(RequestFacts(model="w", stream=False), **facts)  # type: ignore[arg-type]
    return choose(workload, asked, (), roster, health or HealthBoard(), now=1.0, today=TODAY)


def test_the_fastest_is_the_one_whose_first_byte_comes_soonest() -> None:
    health = HealthBoard()
    health.succeeded("slow", 0.9)
    health.succeeded("quick", 0.1)
    decision = one("fastest", offer("slow"), offer("quick"), health=health)
    assert [c.offer.name for c in decision.route] == ["quick", "slow"]
    assert decision.rejected[0].sentence == "slow answers after 0.900 s on average, quick after 0.100 s."


def test_an_offer_not_measured_yet_is_tried_first_under_fastest() -> None:
    health = HealthBoard()
    health.succeeded("known", 0.1)
    assert one("fastest", offer("known"), offer("new"), health=health).route[0].offer.name == "new"


def test_the_cheapest_goes_by_the_estimated_tokens_of_this_request() -> None:
    long_prompts = offer("reads", price=Price(input=Decimal(1), output=Decimal(30), source="test"))
    long_answers = offer("writes", price=Price(input=Decimal(5), output=Decimal(5), source="test"))
    asked_long = one("cheapest", long_answers, long_prompts, input_tokens=9000, max_output_tokens=10)
    assert asked_long.route[0].offer.name == "reads"
    assert one("cheapest", long_prompts, long_answers, input_tokens=10).route[0].offer.name == "writes"


def test_what_does_not_fit_says_how_much_does() -> None:
    small = offer("small", capabilities=Capabilities(context_tokens=100, output_tokens=50))
    assert one("order", small, input_tokens=100).rejected[0].sentence == (
        "About 100 tokens of input do not fit the 100 of small."
    )
    assert one("order", small, max_output_tokens=51).rejected[0].code == "output_too_long"
