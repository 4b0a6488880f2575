"""Free times: laws of the arithmetic, and calendars of several people at a real server."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers.radicale import make_collection
from tests.unit.connectors.calendar.conftest import PASSWORD, Desk, value, vevent

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, UNKNOWN, USER, Origin
from isthmus.connectors.calendar.free import Hours, Stretch, free, hours_of, working
from isthmus.domain.errors import ToolError

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")
_DAY = datetime(2026, 11, 24, tzinfo=UTC)
_MINUTES = st.integers(0, 1440)
_STRETCHES = st.lists(
    st.tuples(_MINUTES, _MINUTES).map(lambda pair: Stretch(*(_DAY + timedelta(minutes=one) for one in sorted(pair)))),
    max_size=8,
)


@given(busy=_STRETCHES, minutes=st.integers(1, 600))
def test_free_times_are_exactly_those_in_which_nothing_is(busy: list[Stretch], minutes: int) -> None:
    within = Stretch(_DAY + timedelta(hours=6), _DAY + timedelta(hours=20))
    found = free([within], busy, timedelta(minutes=minutes))
    taken = [False] * 1440
    for one in busy:
        for minute in range(*(int((at - _DAY).total_seconds() // 60) for at in one)):
            taken[minute] = True
    hoped: list[Stretch] = []
    run = 360
    for minute in range(360, 1201):
        if minute == 1200 or taken[minute]:
            if minute - run >= minutes:
                hoped.append(Stretch(_DAY + timedelta(minutes=run), _DAY + timedelta(minutes=minute)))
            run = minute + 1
    assert found == hoped


def test_a_day_of_work_is_by_the_clock_on_the_wall_when_the_clocks_change() -> None:
    within = Stretch(datetime(2026, 10, 24, tzinfo=BERLIN), datetime(2026, 10, 27, tzinfo=BERLIN))
    hours = Hours(start=time(0), end=time(23, 59, 59), days=frozenset(range(7)))
    assert [one.end - one.start for one in working(within, hours, BERLIN)] == [
        timedelta(hours=24), timedelta(hours=25), timedelta(hours=24),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "9", "17:00-09:00", "09:00", "09:00-09:00", "x-y", "09:00+01:00-10:00"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        hours_of(text)


async def test_a_time_is_found_among_three_calendars_in_three_zones(open_desk: Callable[..., Desk], desk: Desk) -> None:
    bob, carol = open_desk(), open_desk()
    for other in (bob, carol):
        make_collection(other.server, other.user, PASSWORD, "shared", name="Shared")
    mine = open_desk(
        people={"bob@example.org": f"/{bob.user}/shared/", "carol@example.org": f"{desk.server.url}{carol.user}/shared"}
    )
    mine.put("a", vevent("a", ";TZID=Europe/Berlin:20261124T090000", ";TZID=Europe/Berlin:20261124T120000", "Mine"))
    york = ";TZID=America/New_York:20261124"
    bob.put("b", vevent("b", f"{york}T070000", f"{york}T090000", "Bob's"), calendar="shared")
    carol.put("c", vevent("c", ";TZID=Asia/Tokyo:20261124T233000", ";TZID=Asia/Tokyo:20261125T003000", "Carol's",
                          "RRULE:FREQ=DAILY;COUNT=2"), calendar="shared")  # fmt: skip
    found = (
        await mine.run(
            "cal_free",
            minutes=30,
            start="2026-11-24",
            end="2026-11-24",
            people=["bob@example.org", "Carol@example.org"],
        )
    ).items
    assert [(value(one, "start").strftime("%H:%M"), value(one, "minutes")) for one in found] == [
        ("12:00", 60), ("15:00", 30), ("16:30", 30),
    ]  # fmt: skip
    alone = (await mine.run("cal_free", minutes=30, start="2026-11-24", end="2026-11-24")).items
    assert [value(one, "start").strftime("%H:%M") for one in alone] == ["12:00"]
    assert found[0].fields["start"].mark.origins == {ISTHMUS, USER, UNKNOWN}
    assert found[0].fields["start"].mark.readers == ONLY_THE_USER
    assert alone[0].fields["start"].mark.origins == {ISTHMUS, USER}


async def test_what_counts_as_free_is_free(desk: Desk) -> None:
    desk.put("a", vevent("a", ":20261124T080000Z", ":20261124T090000Z", "Free", "TRANSP:TRANSPARENT"))
    desk.put("b", vevent("b", ":20261124T090000Z", ":20261124T100000Z", "Off", "STATUS:CANCELLED"))
    invited = [f"ATTENDEE;PARTSTAT=DECLINED:mailto:{desk.user}@example.org", "ORGANIZER:mailto:eve@example.org"]
    desk.put("c", vevent("c", ":20261124T100000Z", ":20261124T110000Z", "Declined", *invited))
    desk.put("d", vevent("d", ":20261124T110000Z", ":20261124T120000Z", "Maybe", "STATUS:TENTATIVE"))
    found = (await desk.run("cal_free", minutes=30, start="2026-11-24", end="2026-11-24")).items
    assert [value(one, "start").strftime("%H:%M") for one in found] == ["09:00", "13:00"]
    assert Origin("event:eve@example.org") in found[0].fields["start"].mark.origins


async def test_days_off_and_other_hours(desk: Desk) -> None:
    weekend = await desk.run("cal_free", minutes=60, start="2026-11-21", end="2026-11-22")
    assert weekend.items == ()
    (evening,) = (
        await desk.run("cal_free", minutes=60, start="2026-11-24", end="2026-11-24", hours="18:00-24:00")
    ).items
    assert value(evening, "minutes") == 360


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"people": ["nobody@example.org"]}, "cannot be read from here"),
        ({"people": ["nobody"]}, "no mail address"),
        ({"hours": "late"}, "no hours"),
        ({"end": "2027-11-24"}, "more than 62 days"),
        ({"end": "2026-11-23"}, "not after"),
        ({"minutes": 0}, "takes some time"),
    ],
)
async def test_what_cannot_be_looked_for_is_said(desk: Desk, given: dict[str, object], says: str) -> None:
    with pytest.raises(ToolError, match=says):
        await desk.run("cal_free", **{"minutes": 30, "start": "2026-11-24", "end": "2026-11-24", **given})
