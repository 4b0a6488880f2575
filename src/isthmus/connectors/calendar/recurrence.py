"""Rules of recurrence (RFC 5545, section 3.3.10): which are taken from whom, and how they are said in words.

A rule may come from anybody who sends an invitation, and some rules take for ever to be followed: every second since
1970, or the thirtieth of February. So a rule is followed only if it is such as people's calendars have; another is
said, but not followed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from icalendar import vRecur

from isthmus.connectors.calendar.times import When
from isthmus.domain.errors import ToolError

_UNITS = {
    "DAILY": ("daily", "days"),
    "WEEKLY": ("weekly", "weeks"),
    "MONTHLY": ("monthly", "months"),
    "YEARLY": ("yearly", "years"),
}
_DAYS = {
    "MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
    "SU": "Sunday",
}  # fmt: skip
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last", -2: "second to last"}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z")
_RULE = re.compile(r"\s*(?:RRULE:)?FREQ=[A-Z0-9=;,+-]+\s*\Z", re.IGNORECASE)
_PARTS = frozenset(
    {
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "BYDAY",
        "BYMONTHDAY",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
        "BYYEARDAY",
        "BYWEEKNO",
    }
)
_OURS = _PARTS - {"BYYEARDAY", "BYWEEKNO", "WKST"}
_MOST_STEPS = 60_000
"""Periods from the first time to the last that is looked at: some 160 years of days."""
_DAYS_OF = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30, "YEARLY": 365}
_MOST_OF_A_PART = 31


def followed(rule: Mapping[str, object], first: When, until: int) -> bool:
    """Whether a rule can be followed from its first time to the end of a year in next to no time."""
    frequency = _one(rule, "FREQ")
    if frequency not in _UNITS or not set(map(str.upper, rule)) <= _PARTS:
        return False
    if any(len(_all(rule, part)) > _MOST_OF_A_PART for part in rule):
        return False
    if frequency != "YEARLY" and (_all(rule, "BYYEARDAY") or _all(rule, "BYWEEKNO")):
        return False
    if frequency in {"DAILY", "WEEKLY"} and (_all(rule, "BYMONTHDAY") or _all(rule, "BYSETPOS")):
        return False
    if _all(rule, "INTERVAL") and _number(rule, "INTERVAL") < 1:
        return False  # the library would never come to an end
    steps = (until - first.year + 1) * 365 // (_DAYS_OF[frequency] * max(_number(rule, "INTERVAL"), 1))
    return steps <= _MOST_STEPS


def rule_of(text: object, start: When) -> vRecur:
    """The rule that a tool was given: `FREQ=WEEKLY;BYDAY=TU;COUNT=10`.

    Raises:
        ToolError: it is none, or one that cannot be followed.
    """
    hint = "Write it as FREQ=WEEKLY;BYDAY=TU or FREQ=MONTHLY;COUNT=6."
    if not isinstance(text, str) or len(text) > 200 or _RULE.match(text) is None:
        raise ToolError("That is no rule of recurrence.", hint=hint)
    try:
        rule: vRecur = vRecur.from_ical(text.strip().upper().removeprefix("RRULE:"))
        rule.to_ical()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError) as error:
        raise ToolError("That is no rule of recurrence.", hint=hint) from error
    if not set(map(str.upper, rule)) <= _OURS or not followed(rule, start, start.year + 50):
        raise ToolError("That rule of recurrence cannot be used.", hint=hint)
    for day in _all(rule, "BYDAY"):
        if _DAY.match(str(day)) is None:
            raise ToolError(f"{str(day)[:10]!r} is no day of the week.", hint=hint)
    for until in _all(rule, "UNTIL")[:1]:
        rule["UNTIL"] = [_until(until, start)]
    return rule


def _until(until: object, start: When) -> When:
    """The end of a rule in the form that it has to have: a day for days, else a moment (RFC 5545, section 3.3.10)."""
    if not isinstance(until, date):
        raise ToolError("That rule of recurrence cannot be used.", hint="Write its end as UNTIL=20261231.")
    if not isinstance(start, datetime):
        return date(until.year, until.month, until.day)
    if not isinstance(until, datetime):  # that day is meant as a whole
        until = datetime(until.year, until.month, until.day, 23, 59, 59)  # gets its zone below
    return (until if until.tzinfo else until.replace(tzinfo=start.tzinfo)).astimezone(UTC)


def bound_to_days(rule: Mapping[str, object]) -> bool:
    """Whether it names days, so that it does not move to another day along with the event."""
    return any(part.upper().startswith("BY") for part in rule)


def said(rules: Sequence[Mapping[str, object]], *, more: bool = False) -> str:
    """Rules in words. Empty: there are none.

    Args:
        rules: of one event.
        more: whether there are further times, one by one.
    """
    told = [_said(rule) for rule in rules]
    if more:
        told.append("on further days")
    return " and ".join(told)


def _said(rule: Mapping[str, object]) -> str:
    frequency = _one(rule, "FREQ")
    if frequency not in _UNITS:
        return "by a rule that is not followed here"
    adverb, unit = _UNITS[frequency]
    interval = _number(rule, "INTERVAL")
    text = adverb if interval <= 1 else f"every {interval} {unit}"
    if days := _all(rule, "BYDAY"):
        text += f" on {_listed([_day(str(day), _all(rule, 'BYSETPOS')) for day in days[:7]])}"
    if days := _all(rule, "BYMONTHDAY"):
        text += f" on day {_listed([str(day) for day in days[:31]])}"
    if months := _all(rule, "BYMONTH"):
        text += f" in {_listed([_month(month) for month in months[:12]])}"
    if count := _number(rule, "COUNT"):
        text += f", {count} times"
    for until in _all(rule, "UNTIL")[:1]:
        if isinstance(until, date):
            text += f", until {until:%Y-%m-%d}"
    return text


def _day(text: str, positions: Sequence[object]) -> str:
    match = _DAY.match(text.upper())
    if match is None:
        return "some day"
    number = int(match[1]) if match[1] else None
    if number is None and len(positions) == 1 and isinstance(positions[0], int):
        number = positions[0]
    name = _DAYS[match[2]]
    if number is None:
        return name
    return f"the {_ORDINALS.get(number, f'{number}.')} {name}"


def _month(month: object) -> str:
    try:
        return _MONTHS[int(str(month)) - 1]
    except (ValueError, IndexError):
        return "some month"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _all(rule: Mapping[str, object], part: str) -> list[object]:
    found = rule.get(part)
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _one(rule: Mapping[str, object], part: str) -> str:
    found = _all(rule, part)
    return str(found[0]).upper() if found else ""


def _number(rule: Mapping[str, object], part: str) -> int:
    try:
        return int(str(_one(rule, part) or 0))
    except ValueError:
        return 0
