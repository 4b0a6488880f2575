"""What was measured, and the statistics over rounds: medians, spreads, ratios within a round. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import msgspec


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the load generator saw, in its own names. `_us`: microseconds; `lag`: one-way delay of an event."""

    ok: int
    err: int
    sent: int
    """Requests sent in the whole run, uncounted seconds included."""
    answered: int
    """Complete answers with status 200 in the whole run."""
    incomplete: int
    """Streams that ended without their end mark."""
    rps: float
    p50_us: float
    p99_us: float
    ttfb_p50_us: float
    chunks_per_s: float
    lag_p50_us: float
    lag_p99_us: float
    error: str
    """The first answer that was no success, shortened; empty: none."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the load against one target."""

    round: int
    load: LoadReport
    cores: float
    """CPU seconds per second, of the target's process tree."""
    pss_kb: int

    @property
    def cpu_us_per_request(self) -> float | None:
        """None: nothing was answered."""
        return self.cores / self.load.rps * 1e6 if self.load.rps else None

    @property
    def cpu_us_per_event(self) -> float | None:
        """None: not a stream, or no event arrived."""
        return self.cores / self.load.chunks_per_s * 1e6 if self.load.chunks_per_s else None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One try of the search for the number of streams a core carries."""

    streams: int
    carried: bool
    lag_p99_us: float
    cores: float


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    round: int
    streams: int
    """The most 10 ms-paced streams carried; 0: not even the fewest tried."""
    levels: Sequence[Level]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    base_kb: int
    """After a first load, nothing open."""
    open_kb: int
    """With `streams` open."""
    streams: int
    """Seen open, by the rate of their events: a target that is full holds fewer than were asked for."""

    @property
    def kb_per_stream(self) -> float:
        return (self.open_kb - self.base_kb) / self.streams if self.streams else float("nan")


class LedgerCount(msgspec.Struct, frozen=True, kw_only=True):
    """A target's own records beside what the clients counted, from its start to its end."""

    round: int
    sent: int
    answered: int
    entries: int
    priced: int
    """Entries of completed requests with usage and cost."""

    @property
    def complete(self) -> bool:
        """Every answer has an entry with its cost, and nothing is recorded that was not sent."""
        return self.answered <= self.priced and self.entries <= self.sent


class TargetResult(msgspec.Struct, kw_only=True):
    does: str
    version: str
    start_s: list[float] = []
    streams_whole: bool | None = None
    """A stream's events, usage and end mark all came through. None: not looked at."""
    measurements: dict[str, list[Measurement]] = {}
    """By scenario."""
    capacities: list[Capacity] = []
    memory: Memory | None = None
    ledger: list[LedgerCount] = []
    failures: list[str] = []


class Results(msgspec.Struct, kw_only=True):
    machine: dict[str, str]
    began: str
    """UTC, ISO 8601."""
    rounds: int
    seconds: float
    """Counted seconds of each load."""
    targets: dict[str, TargetResult] = {}
    skipped: dict[str, str] = {}
    """Targets that could not be had, with the reason."""
    took_s: float = 0.0


class Spread(NamedTuple):
    median: float
    low: float
    high: float


Figure = Callable[[Measurement], float | None]
ByRound = Mapping[int, float]


def spread(values: Sequence[float]) -> Spread | None:
    """None: no values."""
    return Spread(median(values), min(values), max(values)) if values else None


def by_round(results: Results, target: str, scenario: str, figure: Figure) -> ByRound:
    """A figure of a target in a scenario, by round. Rounds without it are left out."""
    result = results.targets.get(target)
    if result is None:
        return {}
    told = ((m.round, figure(m)) for m in result.measurements.get(scenario, ()))
    return {number: value for number, value in told if value is not None}


def capacity_by_round(results: Results, target: str) -> ByRound:
    result = results.targets.get(target)
    return {c.round: float(c.streams) for c in result.capacities} if result else {}


def ratio(above: ByRound, below: ByRound) -> Spread | None:
    """Median of the ratios within rounds: a noisy hour that slows both leaves it alone."""
    common = [number for number in above if below.get(number)]
    return spread([above[number] / below[number] for number in common])


def excess(value: ByRound, over: ByRound) -> Spread | None:
    """Median of the differences within rounds."""
    return spread([value[number] - over[number] for number in value if number in over])
