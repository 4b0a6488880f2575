"""At which times nothing takes place: pure, over stretches of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from isthmus.domain.errors import ToolError


class Stretch(NamedTuple):
    """A stretch of time; its end is not part of it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a day's work is, by the clock on the wall."""

    start: time = time(9)
    end: time = time(17)
    days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    """0 is Monday."""


def hours_of(text: str) -> tuple[time, time]:
    """Read `09:00-17:00`.

    Raises:
        ValueError: it is none.
    """
    first, dash, last = text.partition("-")
    start = time.fromisoformat(first.strip())
    end = time(23, 59, 59) if last.strip() in {"24:00", "00:00"} else time.fromisoformat(last.strip())
    if not dash or start.tzinfo or end.tzinfo or end <= start:
        raise ValueError(f"{text!r} are no hours of a day")
    return start, end


def working(within: Stretch, hours: Hours, zone: ZoneInfo) -> Iterator[Stretch]:
    """The working hours in a stretch of time, on each day by the clock on the wall."""
    day = within.start.astimezone(zone).date()
    while (opens := datetime.combine(day, hours.start, zone)).astimezone(UTC) < within.end.astimezone(UTC):
        closes = datetime.combine(day, hours.end, zone)
        if hours.end.second:  # to the end of the day
            closes = datetime.combine(day + timedelta(days=1), time(), zone)
        if day.weekday() in hours.days:
            first, last = _utc(Stretch(opens, closes))
            start, end = max(first, within.start.astimezone(UTC)), min(last, within.end.astimezone(UTC))
            if start < end:
                yield Stretch(start, end)
        day += timedelta(days=1)


def free(within: Iterable[Stretch], busy: Iterable[Stretch], duration: timedelta) -> list[Stretch]:
    """The stretches in which nothing is, for at least so long.

    Args:
        within: where to look: in order, none in another.
        busy: in any order, over one another as they like.
        duration: positive.
    """
    if duration <= timedelta(0):
        raise ToolError("A meeting takes some time.")
    taken = sorted(_utc(one) for one in busy)
    found: list[Stretch] = []
    for stretch in map(_utc, within):
        at = stretch.start
        for one in taken:
            if one.end <= at or one.end == one.start:
                continue
            if one.start >= stretch.end:
                break
            if one.start - at >= duration:
                found.append(Stretch(at, one.start))
            at = max(at, one.end)
        if stretch.end - at >= duration:
            found.append(Stretch(at, stretch.end))
    return found


def _utc(stretch: Stretch) -> Stretch:
    return Stretch(stretch.start.astimezone(UTC), stretch.end.astimezone(UTC))
