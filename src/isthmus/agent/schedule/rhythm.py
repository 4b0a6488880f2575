"""When a cron expression is due, on clocks that are set forward and back.

The rules are those of Debian's cron (cron(8)). An expression that names minute and hour is due by the clock on the
wall: once a day, however the clock is set. What would fall into an hour that is left out is due when that hour would
have been over; what falls into an hour that comes twice is due the first time. An expression whose minute or hour
begins with a star counts time that passes: it is due whenever the clock shows such a time, so twice in an hour that
comes twice, and never at a time that is left out.

cronsim finds the days and times of the calendar that an expression matches. What clocks do to them is worked out here:
it is wrong in cronsim 2.8 where the clock is set by half an hour, and it looks back in the hour that comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from isthmus.agent.schedule.job import Rhythm
from isthmus.domain.errors import ToolError

_FIELDS = 5
_DAY = timedelta(days=1)
_HINT = 'Minute, hour, day, month, weekday: "0 8 * * 1-5" is 8:00 on weekdays.'


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        ToolError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # an unknown name; one with a null; one that leads to a folder
        raise ToolError("There is no such time zone.", hint='Write it as in "Europe/Berlin".') from error


def checked(rhythm: Rhythm, now: datetime) -> Rhythm:
    """The rhythm, if it is one.

    Raises:
        ToolError: it is none, or never due.
    """
    zone_of(rhythm.zone)
    if len(rhythm.expression.split()) != _FIELDS:
        raise ToolError("A cron expression has five parts.", hint=_HINT)
    try:
        if next_due(rhythm, now) is None:
            raise ToolError("That is never due.", hint=_HINT)
    except CronSimError as error:
        raise ToolError("That is no cron expression.", hint=_HINT) from error
    return rhythm


def next_due(rhythm: Rhythm, after: datetime) -> datetime | None:
    """The first instant, in UTC, later than another one at which a rhythm is due. None: there is none in 50 years.

    Raises:
        CronSimError: it is no cron expression.
    """
    zone = zone_of(rhythm.zone)
    minute, hour, *_ = rhythm.expression.split()
    by_the_wall = not minute.startswith("*") and not hour.startswith("*")
    return (_by_the_wall if by_the_wall else _as_time_passes)(rhythm.expression, after.astimezone(UTC), zone)


def all_due(rhythm: Rhythm, after: datetime, until: datetime) -> Iterator[datetime]:
    """The instants later than `after` and not later than `until`, in their order."""
    found = next_due(rhythm, after)
    while found is not None and found <= until:
        yield found
        found = next_due(rhythm, found)


def _by_the_wall(expression: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    wall = after.astimezone(zone).replace(tzinfo=None, fold=0)
    for shown in CronSim(expression, wall):
        instant = shown.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) != shown:  # no clock ever shows it
            instant = _first_change(instant - _DAY, instant, zone) or instant
        # In the hour that comes twice, what is due by the wall may have been due an hour ago.
        if instant > after:
            return instant
    return None


def _as_time_passes(expression: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Between two settings of the clock, it runs as any clock does: so the calendar is asked stretch by stretch."""
    began, later_than = after, after
    while True:
        offset = _offset(began, zone)
        shown = next(CronSim(expression, (later_than + offset).replace(tzinfo=None)), None)
        if shown is None:
            return None
        instant = shown.replace(tzinfo=UTC) - offset
        change = _first_change(began, instant, zone)
        if change is None:
            return instant
        # What the clock shows in the moment it is set counts; all earlier is over.
        began, later_than = change, change - timedelta(microseconds=1)


def _first_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """When a clock is first set, later than one instant and not later than another. None: it is not."""
    offset = _offset(after, zone)
    early = after
    while early < until:
        late = min(early + _DAY, until)
        if _offset(late, zone) != offset:
            while late - early > timedelta(seconds=1):
                middle = early + (late - early) / 2
                early, late = (middle, late) if _offset(middle, zone) == offset else (early, middle)
            return late.replace(microsecond=0)
        early = late
    return None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
