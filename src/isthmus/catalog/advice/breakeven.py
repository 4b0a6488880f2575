"""From how many calls a day on machines of one's own cost less than a provider."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Literal

from isthmus.catalog.advice.hardware import (
    DAYS,
    Keeping,
    Machine,
    Size,
    calls_per_day_at_most,
    fleet_usd,
    hardware,
    memory_gb,
    spares,
)
from isthmus.catalog.advice.option import Option, Own
from isthmus.catalog.advice.question import Workload

MOST_MACHINES = 400
"""Where we stop looking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The crossing of two options, if all goes well for one's own machines, and if all goes badly."""

    served: Option
    own: Option
    keeping: Keeping
    """Whether one's own machines are bought or rented."""
    earliest: int | None
    """Calls a day; None: never, however many."""
    latest: int | None


def break_even(served: Option, own: Option, workload: Workload, *, staff_usd_hour: Decimal | None) -> BreakEven | None:
    """Where they cross; None where there is nothing to compute with.

    Of one's own machines, the sort that crosses first counts.
    """
    if not isinstance(own.at, Own) or own.at.size is None or served.usd_month is None:
        return None
    found: list[int | None] = []
    ends: tuple[tuple[Literal[0, 1], Decimal], ...] = ((0, served.usd_month.high), (1, served.usd_month.low))
    for end, usd_month in ends:
        per_call = usd_month / (workload.calls_per_day * DAYS)
        needed = memory_gb(own.at.size, workload)
        crossings = [
            crossing
            for machine in hardware().machines.values()
            if machine.memory_gb >= needed
            and (crossing := _crossing(own.at.size, machine, own.at.keeping, workload, per_call, end, staff_usd_hour))
        ]
        found.append(min(crossings, default=None))
    return BreakEven(served=served, own=own, keeping=own.at.keeping, earliest=found[0], latest=found[1])


def _crossing(
    size: Size,
    machine: Machine,
    keeping: Keeping,
    workload: Workload,
    usd_per_call: Decimal,
    end: Literal[0, 1],
    staff_usd_hour: Decimal | None,
) -> int | None:
    """The fewest calls a day at which the provider's bill is no less than that of as many machines as are needed."""
    if not usd_per_call:
        return None
    first = 1 + spares(workload)
    for count in range(first, MOST_MACHINES):
        month = fleet_usd(machine, keeping, count, end, staff_usd_hour=staff_usd_hour)
        calls = (month.machines + month.staff) / (usd_per_call * DAYS)
        if calls <= calls_per_day_at_most(size, machine, workload, count, end):
            # Fewer calls than one machine less could bear: that one was cheaper already, but not cheap enough.
            below = calls_per_day_at_most(size, machine, workload, count - 1, end) if count > first else Decimal(0)
            return ceil(max(calls, below))
    return None
