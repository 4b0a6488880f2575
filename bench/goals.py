"""The goals isthmus is held to, and whether a run met them. Pure functions over results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.results import ByRound, Figure, Measurement, Results, by_round, capacity_by_round, excess, ratio, spread

OURS = "isthmus"
TRANSLATING = "isthmus-translated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    title: str
    bound: Literal["at most", "at least"]
    limit: float
    unit: str
    measure: Callable[[Results], float | None]
    """None: not measured in this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    goal: Goal
    measured: float | None

    @property
    def met(self) -> bool | None:
        """None: not measured."""
        if self.measured is None:
            return None
        return self.measured <= self.goal.limit if self.goal.bound == "at most" else self.measured >= self.goal.limit


def judge(results: Results) -> list[Verdict]:
    return [Verdict(goal=goal, measured=goal.measure(results)) for goal in GOALS]


def _cpu_per_request(measurement: Measurement) -> float | None:
    return measurement.cpu_us_per_request


def _cpu_per_event(measurement: Measurement) -> float | None:
    return measurement.cpu_us_per_event


def _median_of(values: ByRound) -> float | None:
    found = spread(list(values.values()))
    return found.median if found else None


def _times(target: str, other: str, scenario: str, figure: Figure) -> Callable[[Results], float | None]:
    def measure(results: Results) -> float | None:
        found = ratio(by_round(results, target, scenario, figure), by_round(results, other, scenario, figure))
        return found.median if found else None

    return measure


def _added_latency_ms(results: Results) -> float | None:
    ours, bare = (by_round(results, target, "ns1", lambda m: m.load.p50_us) for target in (OURS, "direct"))
    found = excess(ours, bare)
    return found.median / 1000 if found else None


def _event_delay_ms(results: Results) -> float | None:
    delay = _median_of(by_round(results, OURS, "st100paced", lambda m: m.load.lag_p50_us or None))
    return None if delay is None else delay / 1000


def _carried_share(results: Results) -> float | None:
    found = ratio(capacity_by_round(results, OURS), capacity_by_round(results, "nginx"))
    return found.median if found else None


def _base_mb(results: Results) -> float | None:
    memory = results.targets[OURS].memory if OURS in results.targets else None
    return memory.base_kb / 1024 if memory else None


def _mb_beyond_streams(results: Results) -> float | None:
    """What is left of the memory with streams open, after the 20 kB that each may take."""
    memory = results.targets[OURS].memory if OURS in results.targets else None
    return (memory.open_kb - 20 * memory.streams) / 1024 if memory and memory.streams else None


def _failed_answers(results: Results) -> float | None:
    loads = [
        measurement.load
        for name in (OURS, TRANSLATING)
        if name in results.targets
        for runs in results.targets[name].measurements.values()
        for measurement in runs
    ]
    return float(sum(load.err + load.incomplete for load in loads)) if loads else None


def _unrecorded(results: Results) -> float | None:
    """Answers without a complete entry, and entries without a request, in all rounds."""
    counts = [
        count for name in (OURS, TRANSLATING) if name in results.targets for count in results.targets[name].ledger
    ]
    if not counts:
        return None
    return float(sum(max(0, c.answered - c.priced) + max(0, c.entries - c.sent) for c in counts))


GOALS = (
    Goal(
        title="CPU per request, 16 connections",
        bound="at most",
        limit=3.8,
        unit="x nginx",
        measure=_times(OURS, "nginx", "ns16", _cpu_per_request),
    ),
    Goal(
        title="CPU per request, 16 connections",
        bound="at most",
        limit=0.55,
        unit="x TensorZero",
        measure=_times(OURS, "tensorzero", "ns16", _cpu_per_request),
    ),
    Goal(
        title="CPU per request of LiteLLM, 16 connections",
        bound="at least",
        limit=120,
        unit="x ours",
        measure=_times("litellm", OURS, "ns16", _cpu_per_request),
    ),
    Goal(
        title="CPU per event passed through, 100 paced streams",
        bound="at most",
        limit=1.5,
        unit="x nginx",
        measure=_times(OURS, "nginx", "st100paced", _cpu_per_event),
    ),
    Goal(
        title="CPU per event translated, 100 paced streams",
        bound="at most",
        limit=1.9,
        unit="x nginx",
        measure=_times(TRANSLATING, "nginx", "st100paced", _cpu_per_event),
    ),
    Goal(
        title="CPU per request with a prompt of 64 kB",
        bound="at most",
        limit=3.5,
        unit="x nginx",
        measure=_times(OURS, "nginx", "ns16big", _cpu_per_request),
    ),
    Goal(
        title="latency added, p50 at one connection",
        bound="at most",
        limit=0.2,
        unit="ms",
        measure=_added_latency_ms,
    ),
    Goal(
        title="delay of an event, p50 at 100 streams",
        bound="at most",
        limit=0.2,
        unit="ms",
        measure=_event_delay_ms,
    ),
    Goal(
        title="10 ms-paced streams on one core",
        bound="at least",
        limit=0.7,
        unit="x nginx",
        measure=_carried_share,
    ),
    Goal(
        title="memory with nothing open",
        bound="at most",
        limit=60,
        unit="MB",
        measure=_base_mb,
    ),
    Goal(
        title="memory with 1,000 streams open, less 20 kB for each",
        bound="at most",
        limit=60,
        unit="MB",
        measure=_mb_beyond_streams,
    ),
    Goal(
        title="answers without their complete entry in the ledger",
        bound="at most",
        limit=0,
        unit="of all",
        measure=_unrecorded,
    ),
    Goal(
        title="failed requests and broken streams",
        bound="at most",
        limit=0,
        unit="of all",
        measure=_failed_answers,
    ),
)
