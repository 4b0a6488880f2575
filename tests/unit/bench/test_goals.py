"""Which goals a run met."""

from __future__ import annotations

import pytest
from bench.goals import GOALS, Verdict, judge
from bench.results import Capacity, LedgerCount, Memory, Results
from tests.unit.bench.runs import load, results, runs, target


def verdict(of: Results, title: str, unit: str) -> Verdict:
    found = [v for v in judge(of) if v.goal.title.startswith(title) and v.goal.unit == unit]
    assert len(found) == 1, f"{title} in {unit} names {len(found)} goals"
    return found[0]


def test_a_run_without_anything_meets_no_goal_and_misses_none() -> None:
    assert [v.met for v in judge(results())] == [None] * len(GOALS)


@pytest.mark.parametrize(("cores", "met"), [(0.0379, True), (0.0381, False)])
def test_cpu_per_request_is_held_against_nginx_of_the_same_run(cores: float, met: bool) -> None:
    run = results(nginx=target(ns16=runs([0.01, 0.01], load())), isthmus=target(ns16=runs([cores, cores], load())))
    assert verdict(run, "CPU per request, 16", "x nginx").met is met


@pytest.mark.parametrize(("theirs", "met"), [(2.41, True), (2.39, False)])
def test_litellm_must_cost_at_least_120_times_as_much(theirs: float, met: bool) -> None:
    run = results(litellm=target(ns16=runs([theirs], load())), isthmus=target(ns16=runs([0.02], load())))
    assert verdict(run, "CPU per request of LiteLLM", "x ours").met is met


def test_translated_events_are_those_of_the_translating_target() -> None:
    events = load(events=10_000)
    run = results(
        nginx=target(st100paced=runs([0.1], events)),
        isthmus=target(st100paced=runs([0.12], events)),
        isthmus_translated=target(st100paced=runs([0.2], events)),
    )
    assert verdict(run, "CPU per event passed through", "x nginx").met is True
    assert verdict(run, "CPU per event translated", "x nginx").met is False


def test_latency_added_is_over_the_direct_way() -> None:
    run = results(direct=target(ns1=runs([0.1], load(p50_us=15))), isthmus=target(ns1=runs([0.1], load(p50_us=214))))
    found = verdict(run, "latency added", "ms")
    assert found.measured == pytest.approx(0.199)
    assert found.met is True


def test_a_stream_of_which_no_event_arrived_has_no_delay_to_praise() -> None:
    run = results(isthmus=target(st100paced=runs([0.1], load(events=0, lag_us=0))))
    assert verdict(run, "delay of an event", "ms").met is None


def test_streams_carried_are_a_share_of_those_nginx_carries() -> None:
    ours, theirs = target(), target()
    ours.capacities.append(Capacity(round=0, streams=690, levels=[]))
    theirs.capacities.append(Capacity(round=0, streams=1000, levels=[]))
    assert verdict(results(isthmus=ours, nginx=theirs), "10 ms-paced streams", "x nginx").met is False


@pytest.mark.parametrize(("open_mb", "met"), [(79, True), (80, False)])
def test_every_open_stream_may_take_20_kb_beyond_the_60_mb(open_mb: int, met: bool) -> None:
    ours = target()
    ours.memory = Memory(base_kb=50 * 1024, open_kb=open_mb * 1024, streams=1000)
    assert verdict(results(isthmus=ours), "memory with 1,000 streams", "MB").met is met


def test_an_answer_without_its_entry_misses_the_goal() -> None:
    ours = target()
    ours.ledger.append(LedgerCount(round=0, sent=100, answered=100, entries=100, priced=99))
    assert verdict(results(isthmus=ours), "answers without", "of all").met is False


def test_one_failed_request_misses_the_goal() -> None:
    run = results(isthmus=target(ns16=runs([0.1], load(err=1, error="503"))))
    assert verdict(run, "failed requests", "of all").met is False
