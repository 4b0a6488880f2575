"""Machines of one's own: what fits on them, how much they get done, what they cost. All of it estimate.

The figures are in `hardware.toml`, each with its source; here they are put together. Every result is a range, because
what decides (engine, precision, lengths, how evenly the work comes) differs threefold between published measurements
of the same model on the same GPU.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Literal, NamedTuple

import msgspec

from isthmus.catalog.advice.question import Workload
from isthmus.catalog.advice.span import Span
from isthmus.catalog.open_models import open_models
from isthmus.catalog.records.model import ModelRecord

DAYS = Decimal("30.4")
"""Of a month."""
HOURS = DAYS * 24

Keeping = Literal["bought", "rented"]
"""bought: it stands in a room of one's own; rented: at somebody who lets machines by the hour, on whom one's own
engine runs."""


class EstimateSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    read: date
    kind: str
    says: str


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One machine, with all its cards."""

    name: str = ""
    title: str
    memory_gb: float
    """That weights and caches can lie in; 10⁹ bytes."""
    tflops: float
    """Dense, at 16 bits, of all cards together."""
    gb_s: float
    """That all cards together read from their memory in a second."""
    watts: float
    rent_usd_hour: tuple[Decimal, Decimal]
    buy_usd: tuple[Decimal, Decimal]
    sources: tuple[str, ...]


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes with a machine. Pairs: what makes it cheap, what makes it dear."""

    rent_overhead: tuple[Decimal, Decimal]
    months_of_use: tuple[Decimal, Decimal]
    upkeep_per_year: tuple[Decimal, Decimal]
    usd_kwh: tuple[Decimal, Decimal]
    power_overhead: tuple[Decimal, Decimal]
    staff_hours: tuple[Decimal, Decimal]
    staff_hours_per_further_machine: tuple[Decimal, Decimal]
    staff_usd_hour: tuple[Decimal, Decimal]
    busy_at_most: float


class Throughput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fast: float
    slow: float
    handling_s: float


class Narrow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models whose weights are published with fewer bits."""

    models: tuple[str, ...]
    bits: float
    source: str


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody measured and published."""

    model: str
    active: float
    parameters: float
    machine: str
    runs: tuple[tuple[int, int, float], ...]
    """Tokens in, tokens out, tokens per second of both together."""
    source: str


class Hardware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    sources: Mapping[str, EstimateSource]
    costs: Costs
    throughput: Throughput
    narrow: tuple[Narrow, ...]
    machines: Mapping[str, Machine]
    measured: tuple[Measured, ...]


@cache
def hardware() -> Hardware:
    """What `hardware.toml` says."""
    with files(__package__).joinpath("hardware.toml").open("rb") as file:
        rows = tomllib.load(file)
    rows["machines"] = {name: {"name": name, **row} for name, row in rows["machines"].items()}
    return msgspec.convert(rows, Hardware)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What of a model a machine has to do with."""

    parameters: float
    active: float
    """That one token is computed with."""
    bits: float
    """Of one parameter, as it lies in memory."""
    cache_bytes: float
    """Of one token."""

    @property
    def weights(self) -> float:
        """Bytes."""
        return self.parameters * self.bits / 8

    @property
    def work(self) -> float:
        """Parameters of a dense model that would keep a machine as busy.

        A mixture of experts wins less than its active parameters promise, because the calls that are computed
        together need different experts. The exponent is fitted to the measurements of the file.
        """
        return self.active * float((self.parameters / self.active) ** 0.35)


def size_of(model: ModelRecord) -> Size | None:
    """How large a model is; None where nobody says."""
    parameters = max(model.parameters.readings, default=None)
    if parameters is None:
        return None
    active = max(model.active_parameters.readings, default=parameters)
    narrow = (row.bits for row in hardware().narrow if any(fnmatchcase(model.id, name) for name in row.models))
    return Size(
        parameters=parameters,
        active=active,
        bits=next(narrow, _BITS),
        cache_bytes=_cache_bytes(model, parameters),
    )


_BITS = 8.0
_CACHE_BYTES_AT_MOST = 330_000.0
"""Of one token of a model of 70 billion parameters; larger ones share keys and values among more heads."""


def _cache_bytes(model: ModelRecord, parameters: float) -> float:
    last = model.id.rpartition("/")[2]
    known = (row.cache_bytes for row in open_models() if row.name in {last, f"{last}-instruct"} and row.cache_bytes)
    return next(known, None) or min(parameters * 1.6e-5, _CACHE_BYTES_AT_MOST)


_AT_ONCE = 16
"""Calls for whose keys and values there is to be room."""
_SPARE = 1.1
"""Times the weights: buffers, and what the engine itself takes."""


def memory_gb(size: Size, workload: Workload) -> float:
    """What a model needs, in 10⁹ bytes, with room for sixteen calls at once."""
    tokens = workload.input_tokens + workload.output_tokens
    return (size.weights * _SPARE + size.cache_bytes * tokens * _AT_ONCE) / 1e9


def seconds_per_call(size: Size, machine: Machine, input_tokens: float, output_tokens: float) -> Span:
    """Seconds of a whole machine that one call takes when many calls share it.

    Source:
        See `[throughput]` in `hardware.toml`. A test holds the range against all measurements there.
    """
    computed = 2 * size.work / (0.5 * machine.tflops * 1e12)
    read = 0.05 * size.work / (machine.gb_s * 1e9)
    pace = hardware().throughput
    base = pace.handling_s + input_tokens * computed + output_tokens * max(computed, read)
    return Span(Decimal(base * pace.fast), Decimal(base * pace.slow))


def seconds_to_answer(size: Size, machine: Machine, workload: Workload) -> Span:
    """Seconds until one answer is whole: alone on the machine, and among as many others as it can bear.

    A token that is generated alone waits until all active weights were read once; among others up to four times as
    long (published measurements under full load: 40 to 90 ms for 32 billion parameters on an H100).
    """
    pace = hardware().throughput
    prompt = workload.input_tokens * 2 * size.work / (0.5 * machine.tflops * 1e12)
    weights = size.active * size.bits / 8
    token = max(weights / (0.6 * machine.gb_s * 1e9), 2 * size.active / (0.5 * machine.tflops * 1e12))
    return Span(
        Decimal(prompt * pace.fast + workload.output_tokens * token),
        Decimal(prompt * pace.slow + workload.output_tokens * token * 4),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Machines of one kind that together do what a workload asks."""

    machine: Machine
    keeping: Keeping
    count: tuple[int, int]
    """If all goes as fast as the best measurements, and as slow as the worst."""
    spare: int
    """Machines above that, so that one may fail; part of `count`."""
    busy: Span
    """Share of the day that the machines compute, on average."""
    machines_usd: Span
    """A month."""
    staff_usd: Span
    """A month."""

    @property
    def usd_month(self) -> Span:
        return self.machines_usd.plus(self.staff_usd)


def fleet_of(
    size: Size,
    machine: Machine,
    keeping: Keeping,
    workload: Workload,
    *,
    staff_usd_hour: Decimal | None = None,
) -> Fleet:
    """How many machines a workload asks for, and what they cost with the people who look after them.

    count = ⌈calls per second in the busiest hour · seconds per call / 0.7⌉, plus one where it may hardly stand still
    """
    costs = hardware().costs
    seconds = _seconds(size, machine, workload)
    mean = Decimal(workload.calls_per_day) / 86_400
    spare = spares(workload)
    busiest = seconds.times(mean * Decimal(peak(workload)))
    low, high = (ceil(end / Decimal(str(costs.busy_at_most))) + spare for end in busiest)
    cheap = fleet_usd(machine, keeping, low, 0, staff_usd_hour=staff_usd_hour)
    dear = fleet_usd(machine, keeping, high, 1, staff_usd_hour=staff_usd_hour)
    return Fleet(
        machine=machine,
        keeping=keeping,
        count=(low, high),
        spare=spare,
        busy=Span(seconds.low * mean / low, seconds.high * mean / high),
        machines_usd=Span(cheap.machines, dear.machines),
        staff_usd=Span(cheap.staff, dear.staff),
    )


def spares(workload: Workload) -> int:
    """Machines that stand by, so that one may fail."""
    return 1 if workload.outage == "minutes" else 0


def calls_per_day_at_most(size: Size, machine: Machine, workload: Workload, count: int, end: Literal[0, 1]) -> Decimal:
    """Calls of a workload's kind that so many machines bear in a day. end: 0 for the fast pace, 1 for the slow."""
    seconds = _seconds(size, machine, workload)[end]
    working = count - spares(workload)
    return working * Decimal(str(hardware().costs.busy_at_most)) * 86_400 / (seconds * Decimal(peak(workload)))


class MonthUsd(NamedTuple):
    """Dollars a month."""

    machines: Decimal
    staff: Decimal


def fleet_usd(
    machine: Machine, keeping: Keeping, count: int, end: Literal[0, 1], *, staff_usd_hour: Decimal | None = None
) -> MonthUsd:
    """What so many machines cost a month. end: 0 for what makes it cheap, 1 for what makes it dear."""
    costs = hardware().costs
    hours = costs.staff_hours[end] + costs.staff_hours_per_further_machine[end] * (count - 1)
    rate = costs.staff_usd_hour[end] if staff_usd_hour is None else staff_usd_hour
    return MonthUsd(_month_usd(machine, keeping, end) * count, hours * rate)


def _seconds(size: Size, machine: Machine, workload: Workload) -> Span:
    """Seconds of a machine per call; what is the same in call after call is computed once and kept."""
    fresh = workload.input_tokens * (1 - workload.cached_share)
    return seconds_per_call(size, machine, fresh, workload.output_tokens)


def peak(workload: Workload) -> float:
    """How many times as many calls come in the busiest hour as on average.

    All calls come within the active hours, and where somebody waits, half as many again at the busiest time.
    """
    hours = workload.active_hours or (12.0 if workload.waits else 24.0)
    return 24 / hours * (1.5 if workload.waits else 1.0)


def _month_usd(machine: Machine, keeping: Keeping, end: Literal[0, 1]) -> Decimal:
    """Dollars a month for one machine, without people."""
    costs = hardware().costs
    if keeping == "rented":
        return machine.rent_usd_hour[end] * HOURS * costs.rent_overhead[end]
    price = machine.buy_usd[end]
    power = Decimal(str(machine.watts)) / 1000 * HOURS * costs.usd_kwh[end] * costs.power_overhead[end]
    return price / costs.months_of_use[end] + price * costs.upkeep_per_year[end] / 12 + power
