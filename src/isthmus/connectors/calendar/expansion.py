"""At which times events take place: rules followed, exceptions left out, changed times in the place of former ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import recurring_ical_events  # type: ignore[import-untyped]
from icalendar import Calendar, Component, Event

from isthmus.connectors.calendar.appointment import Appointment, appointment, time_in
from isthmus.connectors.calendar.ics import events
from isthmus.connectors.calendar.recurrence import followed, said
from isthmus.connectors.calendar.times import When, moment

MOST_TIMES = 1_000
"""Of one event in one stretch of time."""

_LONGEST = timedelta(days=400)
"""Of one time of an event that recurs."""


@dataclass(frozen=True, slots=True)
class Taking:
    """The times at which an event takes place in a stretch of time."""

    times: tuple[Appointment, ...]
    complete: bool = True
    """Whether these are all: a rule that cannot be followed gives its first time alone."""


def taking_place(calendar: Calendar, start: datetime, end: datetime, zone: ZoneInfo) -> Taking:
    """When the event of one calendar file takes place.

    Args:
        calendar: as `ics.parsed` gives it; it is left as it was.
        start: of the stretch, in the user's zone: times without a zone are in that zone too.
        end: of the stretch, which is not part of it.
        zone: the user's.
    """
    parts = events(calendar)
    words = recurs_in_words(parts)
    many = bool(words) or any("RECURRENCE-ID" in one for one in parts)
    within, complete = _followable(calendar, end)
    try:
        found = recurring_ical_events.of(within, skip_bad_series=True).between(start, end)
    except Exception:  # whatever a library makes of foreign dates
        return Taking((), complete=False)
    times = [
        one
        for component in found[:MOST_TIMES]
        if (one := appointment(component, recurs=words, one_of_many=many)) is not None
        and _within(one, start, end, zone)
    ]
    times.sort(key=lambda one: (moment(one.start, zone).astimezone(UTC), one.title))
    return Taking(tuple(times), complete=complete and len(found) <= MOST_TIMES)


def whole(calendar: Calendar) -> Appointment | None:
    """The event itself, at the first of its times. None: it says no time."""
    parts = events(calendar)
    words = recurs_in_words(parts)
    first = next((one for one in parts if "RECURRENCE-ID" not in one), parts[0])
    return appointment(with_end(first), recurs=words, one_of_many=False)


def one_time(calendar: Calendar, key: str, zone: ZoneInfo) -> Appointment | None:
    """One time of an event that recurs. None: the rule does not put it there, or it was taken out."""
    at = time_of(key, zone)
    # A changed time may have been moved far from where the rule puts it.
    for one in events(calendar):
        found = appointment(with_end(one), recurs=recurs_in_words(events(calendar)), one_of_many=True)
        if "RECURRENCE-ID" in one and found is not None and found.time == key:
            return found
    taking = taking_place(calendar, at - timedelta(days=1), at + timedelta(days=2), zone)
    return next((one for one in taking.times if one.time == key), None)


def time_of(key: str, zone: ZoneInfo) -> datetime:
    """About when a time is that is known by a key."""
    if key.endswith("Z"):
        return datetime.strptime(key, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(zone)
    return datetime.strptime(key[:8], "%Y%m%d").replace(tzinfo=zone)


def recurs_in_words(parts: list[Event]) -> str:
    """The rule of an event, in words. Empty: it takes place once."""
    first = next((one for one in parts if "RECURRENCE-ID" not in one), None)
    return "" if first is None else said(rules(first), more="RDATE" in first)


def rules(event: Event) -> list[Mapping[str, object]]:
    """The rules of an event that can be read."""
    found = event.get("RRULE")
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]


def bounds(event: Event) -> tuple[When, When] | None:
    """When an event begins and is over, however it says it. None: it does not say it."""
    try:
        start, end = event.start, event.end
    except Exception:  # whatever a library makes of foreign dates
        return None
    if isinstance(start, datetime) != isinstance(end, datetime):
        return None
    try:
        return start, max(start, end)
    except TypeError:  # one is in a zone, the other in none
        return None


def with_end(event: Event) -> Component:
    """An event with its end said."""
    if (found := bounds(event)) is None:
        return event
    ended = event.copy()
    for name in ("DTEND", "DURATION"):
        ended.pop(name, None)
    ended.add("DTEND", found[1])
    return ended


def _followable(calendar: Calendar, end: datetime) -> tuple[Calendar, bool]:
    """The calendar without rules that would take too long to follow, and whether it had none of those."""
    result = Calendar({"PRODID": "-", "VERSION": "2.0"})
    complete = True
    for event in events(calendar):
        taken = event
        start = time_in(event, "DTSTART")
        given = event.get("RRULE")
        if given is not None:
            known = rules(event)
            count = len(given) if isinstance(given, list) else 1
            if (
                start is None
                or len(known) != count
                or not _short(event)
                or not all(followed(rule, start, end.year) for rule in known)
            ):
                taken = event.copy()
                taken.pop("RRULE")
                complete = False
        result.add_component(taken)
    return result, complete


def _short(event: Event) -> bool:
    """Whether it takes so little time that the times before a stretch that reach into it are few."""
    found = bounds(event)
    return found is not None and found[1] - found[0] <= _LONGEST


def _within(one: Appointment, start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    """Whether it takes place in a stretch of time; what takes no time at all does where it begins."""
    begins, ends = (moment(at, zone).astimezone(UTC) for at in (one.start, one.end))
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    return begins < last and (ends > first or begins >= first)
