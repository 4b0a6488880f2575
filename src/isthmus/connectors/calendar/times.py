"""Times as models and people write them: local ones in the user's zone, whole days as dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from isthmus.domain.errors import ToolError

When: TypeAlias = date | datetime
"""A date is a whole day; a time without a zone is that time wherever one is."""

_HINT = "Write a day as 2026-11-24 and a time as 2026-11-24T09:00."
_FIRST, _LAST = 1900, 2200


def when(text: object, zone: ZoneInfo) -> When:
    """Read a day or a time.

    Raises:
        ToolError: it is neither, or no clock in the zone ever shows it.
    """
    if not isinstance(text, str):
        raise ToolError("That is no time.", hint=_HINT)
    text = text.strip()
    try:
        found: When = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise ToolError(f"{text[:40]!r} is no time.", hint=_HINT) from error
    if not _FIRST <= found.year <= _LAST:
        raise ToolError(f"The year {found.year} is too far away.")
    if isinstance(found, datetime):
        found = found.replace(second=0, microsecond=0)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
            if found.astimezone(UTC).astimezone(zone).replace(fold=0) != found.replace(fold=0):
                raise ToolError(
                    f"There is no {found:%H:%M} on {found:%Y-%m-%d} in {zone.key}: the clocks go forward then.",
                    hint="Take a time an hour later.",
                )
        else:
            found = found.astimezone(zone)
    return found


def moment(at: When, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins or a time is, in the user's zone."""
    if not isinstance(at, datetime):
        return datetime.combine(at, time(), zone)
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)


def span(start: object, end: object, zone: ZoneInfo, *, days: int, most: int) -> tuple[datetime, datetime]:
    """A stretch of time; a day at its end is part of it.

    Args:
        start: as written.
        end: as written; empty: as many `days` after the start.
        zone: the user's.
        days: see there.
        most: days it may be long.

    Raises:
        ToolError: it is none.
    """
    first = when(start, zone)
    begins = moment(first, zone)
    if end in (None, ""):
        return begins, moment(begins.date() + timedelta(days=days), zone)
    last = when(end, zone)
    ends = moment(last, zone) if isinstance(last, datetime) else moment(last + timedelta(days=1), zone)
    if ends.astimezone(UTC) <= begins.astimezone(UTC):
        raise ToolError("The end is not after the start.")
    if ends - begins > timedelta(days=most + 1):
        raise ToolError(f"That is more than {most} days.", hint="Ask for a shorter stretch.")
    return begins, ends
