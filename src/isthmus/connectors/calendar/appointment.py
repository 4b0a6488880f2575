"""What an event says, as values: read from data that anybody may have written, so every part of it may be missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from icalendar import Component, vBroken

from isthmus.connectors.calendar.times import When
from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.mail.words import one_line

Answered = Literal["accepted", "declined", "tentative", "no answer"]
"""What somebody said to an invitation."""

Status = Literal["confirmed", "tentative", "cancelled"]

DELETED = "X-ISTHMUS-DELETED"
"""On one time of an event that was deleted; its value is the status it had."""

_ANSWERS: dict[str, Answered] = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative"}
_MAX_LINE = 500
_MAX_NAME = 100
_MAX_NOTES = 100_000
_MAX_PEOPLE = 200
_FIRST, _LAST = 1000, 9000
"""Years. Beyond them, a time in one zone can be none in another."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who takes part."""

    address: str
    """In normal form."""
    name: str = ""
    answer: Answered = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An event, or one time of it."""

    uid: str
    title: str
    start: When
    """In the zone it was written in; without one where it says none; a date where it is a matter of days."""
    end: When
    """When it is over: of days, the day after the last."""
    place: str
    notes: str
    link: str
    organiser: Person | None
    attendees: tuple[Person, ...]
    strangers: bool
    """Whether somebody takes part whose address cannot be read, or more people than are read here."""
    status: Status
    free: bool
    """Whether the time counts as free all the same, as on a birthday."""
    recurs: str
    """The rule in words. Empty: it takes place once."""
    deleted: bool
    """Whether it is one time of an event that the agent deleted."""
    time: str | None
    """By which one time of an event that recurs is known. None: it takes place once."""

    @property
    def people(self) -> frozenset[str]:
        """The addresses of all who take part."""
        found = {one.address for one in self.attendees}
        return frozenset(found | {self.organiser.address} if self.organiser else found)

    def answer_of(self, own: frozenset[str]) -> Answered | None:
        """What the user said to the invitation. None: the user was not invited."""
        return next((one.answer for one in self.attendees if one.address in own), None)


def appointment(component: Component, *, recurs: str, one_of_many: bool) -> Appointment | None:
    """What an event says. None: it says no time.

    Args:
        component: its start and end are said.
        recurs: its rule in words.
        one_of_many: whether it is one time of an event that recurs.
    """
    start, end = time_in(component, "DTSTART"), time_in(component, "DTEND")
    if start is None or end is None or isinstance(start, datetime) != isinstance(end, datetime):
        return None
    organiser, _ = _people(component, "ORGANIZER")
    attendees, unread = _people(component, "ATTENDEE")
    original = time_in(component, "RECURRENCE-ID") or start
    status = _text(component, "STATUS").lower()
    return Appointment(
        uid=_text(component, "UID"),
        title=_line(component, "SUMMARY"),
        start=start,
        end=end,
        place=_line(component, "LOCATION"),
        notes=_CONTROL.sub(" ", _text(component, "DESCRIPTION")[:_MAX_NOTES]).strip(),
        link=_line(component, "URL"),
        organiser=organiser[0] if organiser else None,
        attendees=attendees,
        strangers=unread or (component.get("ORGANIZER") is not None and not organiser),
        status=status if status in get_args(Status) else "confirmed",  # type: ignore[arg-type]  # one of them
        free=_text(component, "TRANSP").upper() == "TRANSPARENT",
        recurs=recurs,
        deleted=DELETED in component,
        time=key(original) if one_of_many else None,
    )


def key(at: When) -> str:
    """By which one time of an event is known: the moment at which the rule puts it."""
    if not isinstance(at, datetime):
        return f"{at:%Y%m%d}"
    return f"{at:%Y%m%dT%H%M%S}" if at.tzinfo is None else f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def zone_of(at: When) -> str | None:
    """The name of the zone that a time was written in. None: it was in none."""
    if not isinstance(at, datetime) or at.tzinfo is None:
        return None
    return at.tzinfo.key if isinstance(at.tzinfo, ZoneInfo) else at.tzname()


def address_of(value: object) -> str | None:
    """The address that a calendar user is written as (RFC 5545, section 3.3.3), in normal form."""
    text = str(value).strip()
    if text[:7].lower() == "mailto:":
        text = text[7:]
    try:
        return normal(text)
    except ValueError:
        return None


def _people(component: Component, name: str) -> tuple[tuple[Person, ...], bool]:
    """Those that can be read, and whether there are others."""
    found: dict[str, Person] = {}
    values = _all(component, name)
    unread = len(values) > _MAX_PEOPLE
    for value in values[:_MAX_PEOPLE]:
        parameters = getattr(value, "params", {})
        email = parameters.get("EMAIL")
        address = address_of(value) or (address_of(email) if isinstance(email, str) else None)
        if address is None:
            unread = True
            continue
        called = parameters.get("CN")
        answer = parameters.get("PARTSTAT")
        person = Person(
            address=address,
            name=one_line(called)[:_MAX_NAME].strip() if isinstance(called, str) else "",
            answer=_ANSWERS.get(answer.upper(), "no answer") if isinstance(answer, str) else "no answer",
        )
        found.setdefault(address, person)
    return tuple(found.values()), unread


def _all(component: Component, name: str) -> list[object]:
    found = component.get(name)
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def _text(component: Component, name: str) -> str:
    return next((str(value) for value in _all(component, name)), "")


def _line(component: Component, name: str) -> str:
    return one_line(_text(component, name)[:_MAX_LINE]).strip()


def time_in(component: Component, name: str) -> When | None:
    """The day or time that a part of an event says. None: it says none."""
    for value in _all(component, name):
        if isinstance(value, vBroken):
            continue
        found = getattr(value, "dt", None)
        if isinstance(found, date) and _FIRST <= found.year <= _LAST:
            return found
    return None
