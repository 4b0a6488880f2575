"""Machines of one's own: the estimates hold against what was measured, and every figure has its source."""

import pytest
from tests.unit.catalog.advice.small import MODELS, model, question

from isthmus.catalog.advice.capability import rule
from isthmus.catalog.advice.hardware import (
    Measured,
    Size,
    fleet_of,
    hardware,
    peak,
    seconds_per_call,
    seconds_to_answer,
    size_of,
)
from isthmus.catalog.advice.question import CAPABILITIES


@pytest.mark.parametrize("measured", hardware().measured, ids=lambda measured: measured.model)
def test_published_measurements_lie_within_the_estimate(measured: Measured) -> None:
    size = Size(parameters=measured.parameters, active=measured.active, bits=8, cache_bytes=0)
    for tokens_in, tokens_out, tokens_per_second in measured.runs:
        took = (tokens_in + tokens_out) / tokens_per_second
        low, high = seconds_per_call(size, hardware().machines[measured.machine], tokens_in, tokens_out)
        assert low <= took <= high


def test_the_estimate_is_no_wider_than_what_was_measured() -> None:
    """Each end of the range is reached by some measurement, or nearly: it is not wide for safety's sake."""
    shares = []
    for measured in hardware().measured:
        size = Size(parameters=measured.parameters, active=measured.active, bits=8, cache_bytes=0)
        for tokens_in, tokens_out, rate in measured.runs:
            low, high = seconds_per_call(size, hardware().machines[measured.machine], tokens_in, tokens_out)
            shares.append((((tokens_in + tokens_out) / rate) - float(low)) / float(high - low))
    assert min(shares) < 0.05
    assert max(shares) > 0.5


def test_every_figure_has_a_source_that_is_listed() -> None:
    found = hardware()
    named = {name for machine in found.machines.values() for name in machine.sources}
    named |= {row.source for row in found.narrow} | {row.source for row in found.measured}
    assert named <= found.sources.keys()
    assert found.sources.keys() - named <= {"eurostat"}  # named beside the figure
    assert all(source.says for source in found.sources.values())
    assert all(source.url.startswith("https://") for source in found.sources.values() if source.kind != "recollection")


def test_ranges_begin_with_what_makes_it_cheap() -> None:
    costs, machines = hardware().costs, hardware().machines.values()
    assert all(machine.rent_usd_hour[0] <= machine.rent_usd_hour[1] for machine in machines)
    assert all(machine.buy_usd[0] <= machine.buy_usd[1] for machine in machines)
    assert costs.months_of_use[0] >= costs.months_of_use[1]
    for pair in (costs.rent_overhead, costs.upkeep_per_year, costs.usd_kwh, costs.power_overhead, costs.staff_hours):
        assert pair[0] <= pair[1]


def test_training_a_model_never_asks_for_a_larger_one() -> None:
    assert all(rule().of(capability).tuned <= rule().of(capability).least for capability in CAPABILITIES)


def test_a_mixture_of_experts_works_harder_than_its_active_parameters() -> None:
    dense = Size(parameters=4e9, active=4e9, bits=8, cache_bytes=0)
    sparse = Size(parameters=100e9, active=4e9, bits=8, cache_bytes=0)
    assert dense.active == dense.work < sparse.work < sparse.parameters


def test_a_model_whose_size_nobody_tells_has_none() -> None:
    assert size_of(model("lab/unsaid", None)) is None


def test_weights_that_are_published_narrow_take_less_memory() -> None:
    narrow, wide = size_of(model("openai/gpt-oss-20b", 20)), size_of(model("maker/twenty", 20))
    assert narrow is not None
    assert wide is not None
    assert narrow.weights < 0.6 * wide.weights


def test_all_calls_come_within_the_active_hours_and_bunch_where_somebody_waits() -> None:
    assert peak(question(answer_within_s=3600).workloads[0]) == 1
    assert peak(question(answer_within_s=10).workloads[0]) == 3
    assert peak(question(answer_within_s=3600, active_hours=8.0).workloads[0]) == 3


def test_what_stays_the_same_from_call_to_call_is_computed_once() -> None:
    size = size_of(MODELS[2])
    assert size is not None
    machine = hardware().machines["h100"]
    asked = [question(calls_per_day=5_000_000, cached_share=share).workloads[0] for share in (0.0, 0.9)]
    fresh, cached = (fleet_of(size, machine, "rented", workload) for workload in asked)
    assert cached.count[1] < fresh.count[1]


def test_an_answer_among_many_takes_longer_than_one_alone() -> None:
    size = size_of(MODELS[2])
    assert size is not None
    low, high = seconds_to_answer(size, hardware().machines["h100"], question().workloads[0])
    assert 0 < low < high
