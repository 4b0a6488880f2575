"""When events take place: against an oracle that counts days, and with rules that nobody should follow."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.connectors.calendar.conftest import ics, vevent

from isthmus.connectors.calendar.appointment import Appointment
from isthmus.connectors.calendar.expansion import one_time, taking_place, whole
from isthmus.connectors.calendar.ics import Unreadable, parsed
from isthmus.connectors.calendar.times import When, moment

BERLIN = ZoneInfo("Europe/Berlin")
_ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]
)
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def times(text: str, start: datetime, end: datetime, zone: ZoneInfo = BERLIN) -> list[Appointment]:
    return list(taking_place(parsed(text), start, end, zone).times)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]  # year, month, day and on


@settings(deadline=None, max_examples=60)
@given(
    zone=_ZONES,
    first=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    hour=st.integers(4, 23),
    every=st.integers(1, 5),
    days=st.sets(st.integers(0, 6), max_size=3),
    left_out=st.sets(st.integers(0, 20), max_size=4),
    count=st.integers(1, 30),
    look=st.integers(-40, 200),
    length=st.integers(1, 90),
)
def test_a_rule_is_followed_as_one_would_count_it_out_by_the_clock_on_the_wall(
    zone: str,
    first: date,
    hour: int,
    every: int,
    days: set[int],
    left_out: set[int],
    count: int,
    look: int,
    length: int,
) -> None:
    there = ZoneInfo(zone)
    weekly = bool(days)
    if weekly:
        days = days | {first.weekday()}
        by = f"FREQ=WEEKLY;INTERVAL={every};BYDAY={','.join(_CODES[day] for day in sorted(days))}"
    else:
        by = f"FREQ=DAILY;INTERVAL={every}"
    on: list[date] = []
    day = first
    while len(on) < count:
        weeks = ((day - timedelta(day.weekday())) - (first - timedelta(first.weekday()))).days // 7
        if (weekly and day.weekday() in days and weeks % every == 0) or (
            not weekly and (day - first).days % every == 0
        ):
            on.append(day)
        day += timedelta(1)
    gone = {on[n] for n in left_out if n < len(on)}
    without = [f"EXDATE;TZID={zone}:{one:%Y%m%d}T{hour:02}0000" for one in sorted(gone)]
    text = ics(
        vevent("x", f";TZID={zone}:{first:%Y%m%d}T{hour:02}0000", f";TZID={zone}:{first:%Y%m%d}T{hour:02}4500",
               "x", f"RRULE:{by};COUNT={count}", *without)
    )  # fmt: skip
    start = datetime.combine(first + timedelta(look), datetime.min.time(), BERLIN)
    end = datetime.combine(first + timedelta(look + length), datetime.min.time(), BERLIN)
    hoped = [datetime(one.year, one.month, one.day, hour, tzinfo=there) for one in on if one not in gone]
    hoped = [one for one in hoped if one.astimezone(UTC) < end.astimezone(UTC)
             and one.astimezone(UTC) + timedelta(minutes=45) > start.astimezone(UTC)]  # fmt: skip
    found = times(text, start, end)
    assert [one.start for one in found] == hoped
    for one in found:
        assert moment(one.end, BERLIN).astimezone(UTC) - moment(one.start, BERLIN).astimezone(UTC) == timedelta(
            minutes=45
        )
        assert one.start.astimezone(there).hour == hour  # type: ignore[union-attr]  # none is a day
        assert one.time is not None
        assert one_time(parsed(text), one.time, BERLIN) == one


def test_a_changed_time_takes_the_place_of_the_one_it_changes() -> None:
    text = ics(
        vevent("x", ";TZID=Europe/Berlin:20261019T090000", ";TZID=Europe/Berlin:20261019T100000", "x",
               "RRULE:FREQ=WEEKLY;COUNT=3")
        + "\n"
        + vevent("x", ";TZID=Europe/Berlin:20261028T150000", ";TZID=Europe/Berlin:20261028T160000", "moved",
                 "RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000")
    )  # fmt: skip
    found = times(text, at(2026, 10, 1), at(2026, 11, 30))
    assert [(one.title, one.start) for one in found] == [
        ("x", at(2026, 10, 19, 9)), ("moved", at(2026, 10, 28, 15)), ("x", at(2026, 11, 2, 9)),
    ]  # fmt: skip
    assert found[1].time == "20261026T080000Z"


def test_a_time_without_a_zone_is_at_that_time_wherever_one_is() -> None:
    text = ics(vevent("x", ":20261124T090000", ":20261124T100000", "x"))
    for zone in (BERLIN, ZoneInfo("America/New_York")):
        start = datetime(2026, 11, 24, 8, 30, tzinfo=zone)
        (found,) = times(text, start, start + timedelta(hours=1), zone)
        assert moment(found.start, zone) == datetime(2026, 11, 24, 9, tzinfo=zone)
        assert times(text, start - timedelta(hours=2), start, zone) == []


def test_days_are_days_in_the_users_zone() -> None:
    text = ics(vevent("x", ";VALUE=DATE:20261224", ";VALUE=DATE:20261226", "x"))
    assert len(times(text, at(2026, 12, 25, 23), at(2026, 12, 25, 23, 30))) == 1
    assert times(text, at(2026, 12, 26), at(2026, 12, 27)) == []
    assert times(text, at(2026, 12, 23), at(2026, 12, 24)) == []


@pytest.mark.parametrize(
    ("name", "hour"),
    [("W. Europe Standard Time", 8), ("/freeassociation.sourceforge.net/Europe/Berlin", 8), ('"Europe/Berlin"', 8)],
)
def test_zones_are_known_by_the_names_that_programmes_give_them(name: str, hour: int) -> None:
    event = whole(parsed(ics(vevent("x", f";TZID={name}:20261124T090000", f";TZID={name}:20261124T100000", "x"))))
    assert event is not None
    assert moment(event.start, BERLIN).astimezone(UTC).hour == hour


def _own_zone(offset: str) -> str:
    return (
        f"BEGIN:VTIMEZONE\nTZID:Custom\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\n"
        f"TZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
    )


def test_a_zone_that_one_event_describes_is_not_anothers_of_the_same_name() -> None:
    event = vevent("x", ";TZID=Custom:20261124T090000", ";TZID=Custom:20261124T100000", "x")
    for offset, hour in (("+0300", 6), ("-0500", 14)):
        found = whole(parsed(ics(event, head=_own_zone(offset))))
        assert found is not None
        assert moment(found.start, BERLIN).astimezone(UTC).hour == hour


def test_a_description_of_a_known_zone_does_not_move_it() -> None:
    head = _own_zone("+1100").replace("Custom", "Europe/Berlin")
    event = vevent("x", ";TZID=Europe/Berlin:20261124T090000", ";TZID=Europe/Berlin:20261124T100000", "x")
    found = whole(parsed(ics(event, head=head)))
    assert found is not None
    assert moment(found.start, BERLIN).astimezone(UTC).hour == 8


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY", "FREQ=HOURLY;COUNT=3", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYYEARDAY=366", "FREQ=DAILY;BYSECOND=1", "FREQ=NEVER",
        "FREQ=MONTHLY;BYYEARDAY=400", "INTERVAL=1", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=3",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYYEARDAY=400", "FREQ=MONTHLY;BYDAY=-6MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=30",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=DAILY;UNTIL=x", "COUNT=-1",
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_followed_costs_no_time_and_is_told(rule: str) -> None:
    text = ics(vevent("x", ":19700101T090000Z", ":19700101T100000Z", "x", f"RRULE:{rule}"))
    began = time.process_time()
    try:
        data = parsed(text)
    except Unreadable:
        return
    taking = taking_place(data, at(2026, 1, 1), at(2026, 12, 31), BERLIN)
    assert time.process_time() - began < 3
    assert not taking.complete or len(taking.times) <= 365
    assert whole(data) is not None


@pytest.mark.parametrize(
    "text",
    [
        "", "BEGIN:VCALENDAR", "/etc/hostname", "BEGIN:VCALENDAR\nEND:VCALENDAR", "BEGIN:VCARD\nEND:VCARD",
        ics("BEGIN:VTODO\nUID:x\nEND:VTODO"), "x" * 600_000, "END:VCALENDAR\nBEGIN:VCALENDAR",
        ics("BEGIN:VEVENT\n" * 200), ics("\n".join(["BEGIN:VEVENT\nUID:x\nEND:VEVENT"] * 501)),
        ics("BEGIN:VEVENT\nEND:VEVENT", head=_own_zone("+0100") * 21),
    ],
)  # fmt: skip
def test_what_is_no_event_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parsed(text)


_LINES = st.sampled_from(
    [
        "DTSTART:20261124T090000Z", "DTSTART;VALUE=DATE:20261124", "DTSTART:99999999", "DTEND:20261124T100000",
        "DTEND;VALUE=DATE:20261123", "DURATION:-PT1H", "DURATION:P99999999999W", "RRULE:FREQ=DAILY",
        "RRULE:FREQ=YEARLY",
        "RRULE:FREQ=YEARLY;UNTIL=20300101", "EXDATE:20261125T090000Z", "EXDATE;VALUE=DATE:20261125",
        "RDATE:20261201T090000Z",
        "RDATE;VALUE=PERIOD:20261201T090000Z/PT1H", "RECURRENCE-ID:20261125T090000Z",
        "RECURRENCE-ID;VALUE=DATE:20261125",
        "DTSTART;TZID=Nowhere:20261124T090000", "DTSTART:00010101T000000Z", "DTEND:99991231T235959Z", "SUMMARY:x",
        "ORGANIZER:mailto:a@example.org", "ORGANIZER:urn:uuid:1", "ATTENDEE;CN=\"a;b\":mailto:b@example.org",
        "ATTENDEE:", "STATUS:NONSENSE", "SEQUENCE:x", "UID:x", "UID:", "TRANSP:x", "X-ISTHMUS-DELETED:CONFIRMED",
        "SUMMARY:y", "nonsense", "A;B=:C",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(_LINES, max_size=9), min_size=1, max_size=3))
def test_whatever_an_event_says_reading_it_raises_nothing_else(parts: list[list[str]]) -> None:
    text = ics("\n".join("BEGIN:VEVENT\n" + "\n".join(lines) + "\nEND:VEVENT" for lines in parts))
    try:
        data = parsed(text)
    except Unreadable:
        return
    whole(data)
    for one in taking_place(data, at(2026, 11, 1), at(2026, 12, 31), BERLIN).times:
        begins: When = one.start
        assert moment(begins, BERLIN) <= moment(one.end, BERLIN)
