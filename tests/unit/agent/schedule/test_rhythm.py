"""When an expression is due, held against going through every minute of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isthmus.agent.schedule.job import Rhythm
from isthmus.agent.schedule.rhythm import all_due, checked, next_due
from isthmus.domain.errors import ToolError

MINUTE = timedelta(minutes=1)

# Set by an hour, by half an hour, at midnight, on the other side of the world, never, and a day left out (1 Jan 2012).
ZONES = ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]

SETTINGS = {
    "Europe/Berlin": [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)],
    "Africa/Cairo": [datetime(2026, 4, 23, 22, tzinfo=UTC), datetime(2026, 10, 29, 21, tzinfo=UTC)],
    "America/New_York": [datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)],
    "Asia/Kathmandu": [datetime(2026, 6, 1, tzinfo=UTC)],
    "Pacific/Apia": [datetime(2011, 12, 30, 10, tzinfo=UTC)],
}


def matches(expression: str, shown: datetime) -> bool:
    """Whether a calendar and a clock on the wall show what an expression says: written down anew, minute by minute."""
    minute, hour, day, month, weekday = expression.split()
    if shown.minute not in numbers(minute, 0, 59) or shown.hour not in numbers(hour, 0, 23):
        return False
    if shown.month not in numbers(month, 1, 12):
        return False
    of_month = shown.day in numbers(day, 1, 31)
    of_week = shown.isoweekday() % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    if day.startswith("*") or weekday.startswith("*"):
        return of_month and of_week
    return of_month or of_week


def numbers(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for term in field.split(","):
        body, _, step = term.partition("/")
        first, dash, last = body.partition("-")
        if body == "*":
            span = range(least, most + 1)
        elif dash:
            span = range(int(first), int(last) + 1)
        else:
            span = range(int(first), (most if step else int(first)) + 1)
        found |= set(span[:: int(step or 1)])
    return found


def by_every_minute(rhythm: Rhythm, after: datetime, until: datetime) -> list[datetime]:
    """What cron(8) says, by going through every minute that passes."""
    zone = ZoneInfo(rhythm.zone)
    minute, hour, *_ = rhythm.expression.split()
    instant = after.replace(second=0, microsecond=0) - timedelta(days=2)
    found: set[datetime] = set()
    seen: set[datetime] = set()
    before: datetime | None = None
    while instant <= until:
        shown = instant.astimezone(zone).replace(tzinfo=None, fold=0)
        if minute.startswith("*") or hour.startswith("*"):
            if matches(rhythm.expression, shown):
                found.add(instant)
        else:
            # All that the wall would have shown since the minute before, were it not set forward, is due now.
            left_out = shown if before is None else min(shown, before + MINUTE)
            while left_out <= shown:
                if left_out not in seen and matches(rhythm.expression, left_out):
                    found.add(instant)
                seen.add(left_out)
                left_out += MINUTE
            before = shown
        instant += MINUTE
    return sorted(one for one in found if after < one <= until)


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    return st.one_of(
        st.just("*"),
        st.builds("*/{}".format, st.integers(2, 20)),
        number.map(str),
        st.lists(number, min_size=2, max_size=3).map(lambda some: ",".join(map(str, some))),
        st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}"),
    )


expressions = st.builds(
    "{} {} {} * {}".format,
    field(0, 59),
    field(0, 5) | field(0, 23),
    st.just("*") | field(1, 28),
    st.just("*") | field(0, 7),
)


@st.composite
def moments(draw: st.DrawFn) -> tuple[Rhythm, datetime]:
    zone = draw(st.sampled_from(ZONES))
    near = draw(st.sampled_from(SETTINGS[zone]))
    after = near + timedelta(seconds=draw(st.integers(-9 * 3600, 5 * 3600)))
    return Rhythm(draw(expressions), zone), after


@settings(max_examples=120, deadline=None)
@given(moments())
@example((Rhythm("30 2 * * *", "Europe/Berlin"), datetime(2026, 3, 29, 0, tzinfo=UTC)))
@example((Rhythm("45 2 * * *", "Europe/Berlin"), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)))
@example((Rhythm("*/10 2 * * *", "Australia/Lord_Howe"), datetime(2026, 4, 4, 14, 50, tzinfo=UTC)))
@example((Rhythm("0 * * * *", "Africa/Cairo"), datetime(2026, 4, 23, 21, 30, tzinfo=UTC)))
@example((Rhythm("0 8 * * *", "Pacific/Apia"), datetime(2011, 12, 30, 9, tzinfo=UTC)))
def test_an_expression_is_due_as_the_clock_on_the_wall_says(moment: tuple[Rhythm, datetime]) -> None:
    rhythm, after = moment
    until = after + timedelta(hours=30)
    assert list(all_due(rhythm, after, until)) == by_every_minute(rhythm, after, until)


@given(expressions, st.sampled_from(ZONES), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
@settings(max_examples=60, deadline=None)
def test_what_is_due_next_is_later_and_nothing_is_due_before(expression: str, zone: str, at: datetime) -> None:
    rhythm, after = Rhythm(expression, zone), at.replace(tzinfo=UTC)
    found = next_due(rhythm, after)
    assert found is not None
    assert found > after
    assert next_due(rhythm, found - timedelta(microseconds=1)) == found
    assert next_due(rhythm, after + (found - after) / 2) == found


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 8 * *", "UTC"),
        ("0 0 8 * * *", "UTC"),
        ("61 8 * * *", "UTC"),
        ("0 8 31 2 *", "UTC"),
        ("0 8 * * MON-", "UTC"),
        ("0 8 * * *", "Mars/Olympus"),
        ("0 8 * * *", "../etc/passwd"),
        ("0 8 * * *", ""),
    ],
)
def test_what_is_no_rhythm_is_refused_with_what_would_help(expression: str, zone: str) -> None:
    with pytest.raises(ToolError) as raised:
        checked(Rhythm(expression, zone), datetime(2026, 11, 21, tzinfo=UTC))
    assert raised.value.hint
