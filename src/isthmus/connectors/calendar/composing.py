"""Writing events and changing them: what is not changed stays as whoever wrote it wrote it.

A change of one time of an event that recurs makes a part of its own for that time (RFC 5545, section 3.8.4.4). A change
of all its times moves the rule, its exceptions and the changed times along, by the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vRecur, vText

from isthmus.connectors.calendar.appointment import DELETED, Person, address_of, key, time_in
from isthmus.connectors.calendar.expansion import bounds, rules
from isthmus.connectors.calendar.ics import events
from isthmus.connectors.calendar.recurrence import bound_to_days
from isthmus.connectors.calendar.times import When, moment
from isthmus.domain.errors import ToolError

CALL = "X-ISTHMUS-CALL"
"""What the call left that changed it last."""
TELLING = "X-ISTHMUS-TELLING"
"""There while others are told by mail: if it stays, nobody knows whether they were."""

_OURS = (CALL, TELLING, DELETED)
_OF_ALL_TIMES = ("RRULE", "RDATE", "EXDATE", "EXRULE", DELETED)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an event is to say. None: what it says now."""

    title: str | None = None
    start: When | None = None
    """In the user's zone."""
    end: When | None = None
    """The last day, of days; else when it is over."""
    place: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        for name, text, most in (("title", self.title, 200), ("place", self.place, 500), ("notes", self.notes, 20_000)):
            if text is not None and len(text) > most:
                raise ToolError(f"The {name} has more than {most} characters.", hint="Shorten it.")

    @property
    def nothing(self) -> bool:
        return all(one is None for one in (self.title, self.start, self.end, self.place, self.notes))


def composed(uid: str, wanted: Wanted, *, rule: vRecur | None, tentative: bool, call: str, now: datetime) -> Calendar:
    """A new event.

    Raises:
        ToolError: its end is not after its start.
    """
    if wanted.start is None or not (wanted.title or "").strip():
        raise ToolError("An event needs a title and a start.")
    calendar = Calendar()
    calendar.add("prodid", "-//isthmus//calendar//EN")
    calendar.add("version", "2.0")
    event = Event()
    event.add("uid", uid)
    event.add("created", now.astimezone(UTC))
    event.add("sequence", 0)
    event.add("status", "TENTATIVE" if tentative else "CONFIRMED")
    _take_place(event, wanted.start, _ended(wanted.start, wanted.end))
    if rule is not None:
        event.add("rrule", rule)
    _say(event, wanted)
    _stamp(event, call, now)
    calendar.add_component(event)
    return calendar


def changed(
    calendar: Calendar, time: str | None, wanted: Wanted, *, zone: ZoneInfo, seen: When, call: str, now: datetime
) -> None:
    """Change an event in place, or one time of it.

    Args:
        calendar: holds it.
        time: by which that one time is known. None: all of it.
        wanted: what it is to say.
        zone: the user's.
        seen: the start that the user saw: of all of it, how far `wanted.start` is from here tells how far all move.
        call: left in it.
        now: when it is changed.

    Raises:
        ToolError: it cannot be changed so.
    """
    if time is not None:
        _change_one(part(calendar, time), wanted, zone)
        _stamp(part(calendar, time), call, now)
        return
    first = main(calendar)
    if wanted.start is not None or wanted.end is not None:
        if rules(first) or "RDATE" in first:
            _move_all(calendar, first, wanted, zone, seen)
        else:
            _change_one(first, Wanted(start=wanted.start, end=wanted.end), zone)
    for event in events(calendar):
        said_alike = {name: str(event.get(name, "")) == str(first.get(name, "")) for name in _SAID.values()}
        if event is not first:
            _say(event, wanted, only={name for name, alike in said_alike.items() if alike})
    _say(first, wanted)
    for event in events(calendar):
        _stamp(event, call, now)


def called_off(event: Event, *, call: str, now: datetime) -> None:
    """Say that it does not take place."""
    event.pop("STATUS", None)
    event.add("status", "CANCELLED")
    _stamp(event, call, now)


def put_away(event: Event, *, call: str, now: datetime) -> None:
    """Delete one time so that it can be fetched back."""
    event[DELETED] = vText(str(event.get("STATUS", "CONFIRMED")))
    called_off(event, call=call, now=now)


def fetched_back(event: Event, *, call: str, now: datetime) -> None:
    """Undo that it was put away."""
    status = str(event.pop(DELETED, "CONFIRMED"))
    event.pop("STATUS", None)
    event.add("status", status if status in {"CONFIRMED", "TENTATIVE"} else "CONFIRMED")
    _stamp(event, call, now)


def invited(event: Event, organiser: Person, people: Sequence[str], *, by_client: bool) -> None:
    """Add people; the user organises it from now on.

    Args:
        event: to which.
        organiser: the user.
        people: their addresses, in normal form.
        by_client: whether the server, which could tell them, shall not.
    """
    agent = {"SCHEDULE-AGENT": "CLIENT"} if by_client else {}
    if "ORGANIZER" not in event:
        event.add("organizer", _user(organiser, {}))
    known = {address_of(one) for one in attendees(event)}
    if organiser.address not in known:
        _add(event, _user(organiser, {"PARTSTAT": "ACCEPTED", "ROLE": "REQ-PARTICIPANT", **agent}))
    for address in people:
        if address not in known:
            parameters = {"PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE", "ROLE": "REQ-PARTICIPANT", **agent}
            _add(event, _user(Person(address), parameters))


def answered(event: Event, own: frozenset[str], fallback: Person, answer: str, *, by_client: bool) -> vCalAddress:
    """Say what the user answers.

    Args:
        event: the one that is answered.
        own: the user's addresses.
        fallback: as whom the user answers, where none of them is invited by name (a mailing list was).
        answer: `ACCEPTED`, …
        by_client: whether the server, which could tell the organiser, shall not.

    Returns:
        The user, with the answer.
    """
    me = next((one for one in attendees(event) if address_of(one) in own), None)
    if me is None:
        me = _user(fallback, {})
        _add(event, me)
    me.params["PARTSTAT"] = answer
    me.params.pop("RSVP", None)
    if by_client and isinstance(organiser := event.get("ORGANIZER"), vCalAddress):
        organiser.params["SCHEDULE-AGENT"] = "CLIENT"
    return me


def attendees(event: Event) -> list[vCalAddress]:
    """Who takes part, as the event says."""
    found = event.get("ATTENDEE")
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, vCalAddress)]


def main(calendar: Calendar) -> Event:
    """The part that says what holds of all its times."""
    return next((one for one in events(calendar) if "RECURRENCE-ID" not in one), events(calendar)[0])


def part(calendar: Calendar, time: str) -> Event:
    """The part for one time of an event that recurs; it is made where there is none."""
    for one in events(calendar):
        if (at := time_in(one, "RECURRENCE-ID")) is not None and key(at) == time:
            return one
    first = main(calendar)
    if "RECURRENCE-ID" in first:
        raise ToolError("That event has no such time.", hint="Look for it with cal_list.")
    start, end = _bounds(first)
    at = _at(time, start)
    made = Event()
    for name, value in first.property_items(recursive=False, sorted=False):
        if name not in {"BEGIN", "END", *_OF_ALL_TIMES, "DTSTART", "DTEND", "DURATION"}:
            made.add(name, value, encode=False)
    made.add("recurrence-id", at)
    _take_place(made, at, _after(at, start, end))
    for alarm in first.subcomponents:
        made.add_component(alarm)
    calendar.add_component(made)
    return made


def traces(calendar: Calendar, name: str) -> set[str]:
    """What calls left in an event."""
    return {str(event[name]) for event in events(calendar) if name in event}


def told(calendar: Calendar) -> None:
    """Say that others were told."""
    for event in events(calendar):
        event.pop(TELLING, None)


def telling(calendar: Calendar, call: str) -> None:
    """Say that others are being told."""
    for event in events(calendar):
        if str(event.get(CALL, "")) == call:
            event[TELLING] = vText(call)


def without_ours(calendar: Calendar) -> Calendar:
    """The event as others get it."""
    copy = Calendar.from_ical(calendar.to_ical())
    assert isinstance(copy, Calendar)
    for event in events(copy):
        for name in _OURS:
            event.pop(name, None)
    return copy


# -- times ------------------------------------------------------------------------------------------------------


def _bounds(event: Event) -> tuple[When, When]:
    found = bounds(event)
    if found is None:
        raise ToolError("That event says no time; it cannot be changed.")
    return found


def _ended(start: When, end: When | None) -> When:
    """The end as it is stored: of days, the day after the last."""
    if not isinstance(start, datetime):
        last = end.date() if isinstance(end, datetime) else (end or start)
        if last < start:
            raise ToolError("The end is not after the start.")
        return last + _DAY
    if end is None:
        return _later(start, _HOUR)
    if not isinstance(end, datetime):
        raise ToolError("An event that starts at a time ends at a time.", hint="Write the end as 2026-11-24T10:00.")
    if end.astimezone(UTC) <= start.astimezone(UTC):
        raise ToolError("The end is not after the start.")
    return end


def _later(start: datetime, by: timedelta) -> datetime:
    """So much later by the clock that runs, in the same zone."""
    return start + by if start.tzinfo is None else (start.astimezone(UTC) + by).astimezone(start.tzinfo)


def _after(at: When, start: When, end: When) -> When:
    """The end of what starts at a time and takes as long as something else."""
    if isinstance(at, datetime) and isinstance(start, datetime) and isinstance(end, datetime):
        return _later(at, end - start if start.tzinfo is None else end.astimezone(UTC) - start.astimezone(UTC))
    return at + (_wall(end) - _wall(start))


def _change_one(event: Event, wanted: Wanted, zone: ZoneInfo) -> None:
    start, end = _bounds(event)
    if wanted.start is not None or wanted.end is not None:
        begins = start if wanted.start is None else _as(wanted.start, start, zone)
        if wanted.end is not None:
            ends = _ended(begins, _as(wanted.end, begins, zone) if isinstance(wanted.end, datetime) else wanted.end)
        elif isinstance(begins, datetime) == isinstance(start, datetime):
            ends = _after(begins, start, end)
        else:
            ends = _ended(begins, None)
        _take_place(event, begins, ends)
    _say(event, wanted)


def _move_all(calendar: Calendar, first: Event, wanted: Wanted, zone: ZoneInfo, seen: When) -> None:
    """Move all times by the clock on the wall, by as much as the one that was seen moves."""
    start, _ = _bounds(first)
    target = seen if wanted.start is None else wanted.start
    if isinstance(target, datetime) != isinstance(start, datetime):
        raise ToolError("Between days and times, only one of its times can be changed.", hint="Leave series out.")
    old, new = _wall(_as(seen, start, zone)), _wall(_as(target, start, zone))
    by = new - old
    if new.date() != old.date() and any(map(bound_to_days, rules(first))):
        raise ToolError(
            "Its rule names days, so all its times cannot move to another day.",
            hint="Change one of its times, or enter a new event.",
        )
    length: timedelta | None = None
    if wanted.end is not None:
        ends = _ended(target, wanted.end)
        length = moment(ends, zone).astimezone(UTC) - moment(target, zone).astimezone(UTC)
        length = ends - target if not isinstance(ends, datetime) else length
    for event in events(calendar):
        begins, over = _bounds(event)
        moved = _shifted(begins, by, start)
        if length is None:
            ends = _after(moved, begins, over)
        else:
            ends = _later(moved, length) if isinstance(moved, datetime) else moved + length
        _take_place(event, moved, ends)
        for name in ("EXDATE", "RDATE", "RECURRENCE-ID"):
            if name in event:
                _shift_all(event, name, by, start)
    for rule in rules(first):
        if "UNTIL" in rule:
            until = rule["UNTIL"]
            values = until if isinstance(until, list) else [until]
            rule["UNTIL"] = [_shifted_until(value, by, start) for value in values]  # type: ignore[index]  # a vRecur


def _shift_all(event: Event, name: str, by: timedelta, start: When) -> None:
    found = event.pop(name)
    values = [one.dt for entry in (found if isinstance(found, list) else [found]) for one in _single(entry)]
    if any(not isinstance(value, date) for value in values):
        raise ToolError("Some of its times are stretches of time; it cannot be moved as a whole.")
    moved = [_shifted(value, by, start) for value in values]
    if name == "RECURRENCE-ID":
        event.add(name, moved[0])
    else:
        event.add(name, moved)


def _single(entry: Any) -> Iterator[Any]:
    yield from getattr(entry, "dts", [entry])


def _shifted(value: When, by: timedelta, like: When) -> When:
    if not isinstance(value, datetime):
        return value + timedelta(days=by.days)
    if value.tzinfo is not None and isinstance(like, datetime) and like.tzinfo is not None:
        value = value.astimezone(like.tzinfo)
    return (value.replace(tzinfo=None) + by).replace(tzinfo=value.tzinfo)


def _shifted_until(value: Any, by: timedelta, like: When) -> When:
    if not isinstance(value, date):
        raise ToolError("Its rule cannot be read; it cannot be moved as a whole.")
    moved = _shifted(value, by, like)
    return moved.astimezone(UTC) if isinstance(moved, datetime) and moved.tzinfo is not None else moved


def _as(at: When, like: When, zone: ZoneInfo) -> When:
    """A time in the zone in which the event has its own."""
    if not isinstance(at, datetime) or not isinstance(like, datetime):
        return at
    local = at.replace(tzinfo=zone) if at.tzinfo is None else at
    return local.astimezone(zone).replace(tzinfo=None) if like.tzinfo is None else local.astimezone(like.tzinfo)


def _wall(at: When) -> datetime:
    """What the clock on the wall shows."""
    return at.replace(tzinfo=None) if isinstance(at, datetime) else datetime(at.year, at.month, at.day)


def _at(time: str, start: When) -> When:
    """The time that is known by a key, in the form in which the event has its own."""
    if not isinstance(start, datetime):
        return datetime.strptime(time[:8], "%Y%m%d").date()
    if not time.endswith("Z"):
        return datetime.strptime(time, "%Y%m%dT%H%M%S")  # a time wherever one is
    return datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(start.tzinfo)


# -- parts of an event ------------------------------------------------------------------------------------------

_SAID: Mapping[str, str] = {"title": "SUMMARY", "place": "LOCATION", "notes": "DESCRIPTION"}


def _take_place(event: Event, start: When, end: When) -> None:
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    event.add("dtstart", start)
    event.add("dtend", end)


def _say(event: Event, wanted: Wanted, only: set[str] | None = None) -> None:
    for field, name in _SAID.items():
        text = getattr(wanted, field)
        if text is None or (only is not None and name not in only):
            continue
        event.pop(name, None)
        if text:
            event.add(name, text)


def _stamp(event: Event, call: str, now: datetime) -> None:
    sequence = event.get("SEQUENCE", 0)
    known = "DTSTAMP" in event
    for name in ("SEQUENCE", "DTSTAMP", "LAST-MODIFIED", CALL):
        event.pop(name, None)
    event.add("sequence", int(sequence) + 1 if known and isinstance(sequence, int) else 0)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("last-modified", now.astimezone(UTC))
    event[CALL] = vText(call)


def _user(person: Person, parameters: Mapping[str, str]) -> vCalAddress:
    user = vCalAddress(f"mailto:{person.address}")
    for name, value in parameters.items():
        user.params[name] = value
    if person.name:
        user.params["CN"] = person.name
    return user


def _add(event: Event, user: vCalAddress) -> None:
    event.add("attendee", user, encode=False)
