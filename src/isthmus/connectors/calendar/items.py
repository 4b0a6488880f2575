"""Events and calendars as the agent sees them: items whose fields bear marks."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from isthmus.agent.marks import UNKNOWN, Mark
from isthmus.agent.tool import Field, Item, Kind, Value
from isthmus.connectors.calendar.appointment import Appointment, zone_of
from isthmus.connectors.calendar.free import Stretch
from isthmus.connectors.calendar.identity import EventId, fingerprint
from isthmus.connectors.calendar.marking import Marking
from isthmus.connectors.calendar.server import Calendar
from isthmus.connectors.calendar.times import moment

SNIPPET = 160
_SHOWN_PEOPLE = 20
_SPACE = re.compile(r"\s+")


def event_item(
    event_id: EventId,
    event: Appointment,
    marking: Marking,
    zone: ZoneInfo,
    *,
    in_own_calendar: bool,
    notes: str | None = None,
) -> Item:
    """An event, or one time of it.

    Args:
        event_id: of it.
        event: what it says.
        marking: gives its marks.
        zone: the user's.
        in_own_calendar: whether it lies in a calendar of the user's own.
        notes: (a stretch of) its notes. None: their beginning.
    """
    mark = marking.written(event, in_own_calendar=in_own_calendar)
    asserted = marking.asserted(event)
    fields: dict[str, Field] = {}

    def put(name: str, value: Value, kind: Kind, mark: Mark = mark) -> None:
        if value not in (None, ""):
            fields[name] = Field(value=value, kind=kind, mark=mark)

    put("title", event.title, "text")
    if isinstance(event.start, datetime):
        put("start", moment(event.start, zone), "time")
        put("end", moment(event.end, zone), "time")
        if (there := zone_of(event.start)) != zone.key:
            put("zone", there or "wherever one is", "text")
    else:
        put("start", event.start, "time")
        put("end", max(event.start, event.end - timedelta(days=1)), "time")
    put("repeats", event.recurs, "text")
    put("place", event.place, "text")
    put("link", event.link, "url")
    if event.organiser is not None:
        fields["organizer"] = _address(event.organiser.address, mark, marking)
        put("organizer_name", event.organiser.name, "person")
    for number, one in enumerate(event.attendees[:_SHOWN_PEOPLE], start=1):
        fields["attendees" if number == 1 else f"attendees_{number}"] = _address(one.address, mark, marking)
    if len(event.attendees) > _SHOWN_PEOPLE:
        put("attendees_more", len(event.attendees) - _SHOWN_PEOPLE, "number")
    if event.organiser is not None and event.organiser.address in marking.own:
        answers = [f"{one.address} {one.answer}" for one in event.attendees[:_SHOWN_PEOPLE]]
        put("answers", ", ".join(answers), "text")
    put("answer", event.answer_of(marking.own), "choice")
    put("status", event.status, "choice")
    if event.free:
        put("counts_as_free", True, "flag")
    put("notes", _beginning(event.notes) if notes is None else notes, "text")
    put("calendar", event_id.calendar, "calendar", asserted)
    return Item(kind="event", id=str(event_id), fields=fields, content_sha256=fingerprint(event.uid))


def calendar_item(calendar: Calendar, marking: Marking) -> Item:
    """A calendar. Who shares one names it, and where it lies."""
    named = marking.private() if calendar.own else marking.private(origins=frozenset({UNKNOWN}))
    fields = {
        "name": Field(value=calendar.name, kind="text", mark=named),
        "own": Field(value=calendar.own, kind="flag", mark=marking.private()),
    }
    return Item(kind="calendar", id=calendar.id, fields=fields)


def free_item(number: int, stretch: Stretch, mark: Mark, zone: ZoneInfo) -> Item:
    """A stretch of time in which all are free."""
    minutes = int((stretch.end - stretch.start).total_seconds() // 60)
    return Item(
        kind="time",
        id=f"free-{number}",
        fields={
            "start": Field(value=stretch.start.astimezone(zone), kind="time", mark=mark),
            "end": Field(value=stretch.end.astimezone(zone), kind="time", mark=mark),
            "minutes": Field(value=minutes, kind="duration", mark=mark),
        },
    )


def _address(address: str, mark: Mark, marking: Marking) -> Field:
    return Field(value=address, kind="email", mark=mark, party=marking.party(address))


def _beginning(notes: str) -> str:
    line = _SPACE.sub(" ", notes).strip()
    return line if len(line) <= SNIPPET else f"{line[:SNIPPET]}…"
