"""Calendar data (RFC 5545), read from bytes that anybody may have written.

Names of time zones are brought into the one form that the machine knows (`Europe/Berlin`), whatever a programme calls
them; a zone that only the data itself describes gets a name made of its description. So no description ever stands for
a zone of another event: the library keeps what it has once read under a name for all that follows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from zoneinfo import available_timezones

from icalendar import Calendar, Event
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

MAX_CHARACTERS = 512 * 1024
MAX_EVENTS = 500
"""Changed times of one event that recurs. More than that no person made."""
_MAX_ZONES = 20

_FOLD = re.compile(r"\r?\n[ \t]")
_END = re.compile(r"\r\n|\r|\n")
_IN_ZONE = re.compile(
    r"((?:DTSTART|DTEND|RECURRENCE-ID|RDATE|EXDATE)(?:;[A-Z-]+=(?:\"[^\"]*\"|[^;:\"]*))*?;TZID=)(\"[^\"]*\"|[^;:\"]*)",
    re.IGNORECASE,
)
_OWN = "isthmus-zone-"


class Unreadable(Exception):
    """It is no calendar data, or not such as can be read."""


def parsed(text: str) -> Calendar:
    """Read calendar data with at least one event.

    Raises:
        Unreadable: it cannot be read.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("it is longer than an event is")
    lines = [line for line in _END.split(_FOLD.sub("", text.lstrip("\ufeff").replace("\0", ""))) if line.strip()]
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise Unreadable("it does not begin as calendar data does")
    lines = list(_in_known_zones(lines))
    try:
        # With line ends in it, always: a text without any is taken for the name of a file.
        calendar = Calendar.from_ical("\r\n".join(lines) + "\r\n")
    except Exception as error:  # whatever a parser of foreign text may raise
        raise Unreadable("it is damaged") from error
    if not isinstance(calendar, Calendar):
        raise Unreadable("it is no calendar")
    found = events(calendar)
    if not found:
        raise Unreadable("no event is in it")
    if len(found) > MAX_EVENTS:
        raise Unreadable("more is in it than one event")
    return calendar


def events(calendar: Calendar) -> list[Event]:
    """The event, and its times that were changed."""
    return [one for one in calendar.subcomponents if isinstance(one, Event)]


def written(calendar: Calendar) -> str:
    """Calendar data as it is stored, with a description of each zone that it names."""
    calendar.add_missing_timezones()
    data: bytes = calendar.to_ical()
    return data.decode("utf-8")


def _in_known_zones(lines: list[str]) -> Iterator[str]:
    names = dict(_described(lines))
    within_zone = False
    for line in lines:
        head = line.strip().upper()
        if head == "BEGIN:VTIMEZONE":
            within_zone = True
        elif head == "END:VTIMEZONE":
            within_zone = False
        if within_zone and head.startswith("TZID"):
            _, _, value = line.partition(":")
            yield f"TZID:{_zone(value.strip(), names)}"
            continue
        match = _IN_ZONE.match(line)
        if match is None:
            yield line
        else:
            name = match[2].strip('"')
            yield f"{match[1]}{_zone(name, names)}{line[match.end() :]}"


def _described(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The zones that the data describes: their names there, and the names they get."""
    block: list[str] = []
    name = ""
    count = 0
    for line in lines:
        head = line.strip().upper()
        if head == "BEGIN:VTIMEZONE":
            block, name, count = [head], "", count + 1
            if count > _MAX_ZONES:
                raise Unreadable("it describes too many time zones")
        elif block and head == "END:VTIMEZONE":
            yield name, _OWN + hashlib.sha256("\n".join(block).encode()).hexdigest()[:16]
            block = []
        elif block and head.startswith("TZID"):
            name = line.partition(":")[2].strip()
        elif block:
            block.append(head)


def _zone(name: str, described: dict[str, str]) -> str:
    return known_zone(name) or described.get(name, name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def known_zone(name: str) -> str | None:
    """The machine's own name of a time zone. None: it knows none by that name.

    Some programmes write the names of Windows, some put a path before the name (RFC 5545, section 3.8.3.1).
    """
    clean = name.strip().strip("/")
    if clean in WINDOWS_TO_OLSON:
        return WINDOWS_TO_OLSON[clean]
    parts = clean.split("/")
    for start in range(len(parts)) if name.startswith("/") else (0,):
        if (candidate := "/".join(parts[start:])) in _zones():
            return candidate
    return None
