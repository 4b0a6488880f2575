"""Events made, read, changed, deleted and fetched back, at a real server."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from tests.servers.radicale import send
from tests.unit.connectors.calendar.conftest import PASSWORD, Desk, ics, value, vevent

from isthmus.connectors.calendar import server as caldav
from isthmus.connectors.webdav.client import Dav, Server
from isthmus.domain.errors import ToolError

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")


async def test_what_is_entered_is_listed_with_all_that_was_said(desk: Desk) -> None:
    made = await desk.one(
        "cal_create", title="Dentist", start="2026-11-24T09:00", place="Main St 1", notes="bring card", tentative=True
    )
    listed = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    assert listed == made
    assert value(listed, "title") == "Dentist"
    assert value(listed, "start") == datetime(2026, 11, 24, 9, tzinfo=BERLIN)
    assert value(listed, "end") == datetime(2026, 11, 24, 10, tzinfo=BERLIN)
    assert value(listed, "place") == "Main St 1"
    assert value(listed, "notes") == "bring card"
    assert value(listed, "status") == "tentative"
    assert value(listed, "calendar") == "work"


async def test_days_are_said_with_the_last_one_among_them(desk: Desk) -> None:
    made = await desk.one("cal_create", title="Fair", start="2026-12-24", end="2026-12-26")
    assert (value(made, "start"), value(made, "end")) == (date(2026, 12, 24), date(2026, 12, 26))
    assert await desk.titles("2026-12-26", "2026-12-26") == ["Fair"]
    assert await desk.titles("2026-12-27", "2026-12-27") == []
    assert "DTEND;VALUE=DATE:20261227" in desk.get(made.id.split("/")[1].split("~")[0])


async def test_a_series_is_shown_time_by_time_in_words(desk: Desk) -> None:
    await desk.run("cal_create", title="Jour fixe", start="2026-10-20T09:00", repeat="FREQ=WEEKLY;BYDAY=TU;COUNT=3")
    found = (await desk.run("cal_list", start="2026-10-19", end="2026-11-30")).items
    assert [value(one, "start").isoformat() for one in found] == [
        "2026-10-20T09:00:00+02:00", "2026-10-27T09:00:00+01:00", "2026-11-03T09:00:00+01:00",
    ]  # fmt: skip
    assert {value(one, "repeats") for one in found} == {"weekly on Tuesday, 3 times"}
    assert len({one.id for one in found}) == 3
    assert len({one.content_sha256 for one in found}) == 1


async def test_one_time_of_a_series_is_changed_and_the_others_stay(desk: Desk) -> None:
    await desk.run("cal_create", title="Jour fixe", start="2026-11-24T09:00", repeat="FREQ=WEEKLY;COUNT=3")
    first, second, _ = (await desk.run("cal_list", start="2026-11-24", end="2026-12-31")).items
    moved = await desk.one("cal_move", event=second.id, start="2026-12-02T14:00", title="Late")
    assert value(moved, "start") == datetime(2026, 12, 2, 14, tzinfo=BERLIN)
    assert value(moved, "end") == datetime(2026, 12, 2, 15, tzinfo=BERLIN)
    found = (await desk.run("cal_list", start="2026-11-24", end="2026-12-31")).items
    assert [(value(one, "start").strftime("%m-%dT%H"), value(one, "title")) for one in found] == [
        ("11-24T09", "Jour fixe"), ("12-02T14", "Late"), ("12-08T09", "Jour fixe"),
    ]  # fmt: skip
    again = await desk.one("cal_move", event=moved.id, end="2026-12-02T14:30")
    assert value(again, "end").minute == 30
    with pytest.raises(ToolError, match="changed meanwhile"):
        await desk.run("cal_move", event=first.id, title="Stale")


async def test_all_times_of_a_series_move_by_the_clock_on_the_wall(desk: Desk) -> None:
    await desk.run("cal_create", title="Standup", start="2026-10-19T09:00", repeat="FREQ=WEEKLY;UNTIL=20261109")
    times = (await desk.run("cal_list", start="2026-10-19", end="2026-11-30")).items
    await desk.run("cal_delete", event=times[1].id)
    times = (await desk.run("cal_list", start="2026-10-19", end="2026-11-30")).items
    assert len(times) == 3
    moved = await desk.one("cal_move", event=times[2].id, series=True, start="2026-11-10T16:30")
    found = (await desk.run("cal_list", start="2026-10-19", end="2026-11-30")).items
    assert [value(one, "start").strftime("%m-%dT%H:%M") for one in found] == [
        "10-20T16:30",
        "11-03T16:30",
        "11-10T16:30",
    ]
    assert {value(one, "end") - value(one, "start") for one in found} == {value(moved, "end") - value(moved, "start")}


async def test_a_rule_that_names_days_is_not_moved_to_other_days(desk: Desk) -> None:
    await desk.run("cal_create", title="Gym", start="2026-11-24T09:00", repeat="FREQ=WEEKLY;BYDAY=TU")
    (first,) = (await desk.run("cal_list", start="2026-11-24", end="2026-11-24")).items
    with pytest.raises(ToolError, match="names days"):
        await desk.run("cal_move", event=first.id, series=True, start="2026-11-25T09:00")
    await desk.run("cal_move", event=first.id, series=True, start="2026-11-24T18:00")
    (first,) = (await desk.run("cal_list", start="2026-12-01", end="2026-12-01")).items
    assert value(first, "start") == datetime(2026, 12, 1, 18, tzinfo=BERLIN)


async def test_what_is_deleted_lies_in_the_trash_and_is_fetched_back(desk: Desk) -> None:
    made = await desk.one("cal_create", title="Old", start="2026-11-24T09:00", notes="kept")
    trashed = await desk.one("cal_delete", event=made.id)
    assert await desk.titles("2026-11-24", "2026-11-24") == []
    assert await desk.titles("2026-11-24", "2026-11-24", calendar="trash") == ["Old"]
    assert trashed.content_sha256 == made.content_sha256
    back = await desk.one("cal_restore", event=trashed.id)
    assert back.fields == made.fields
    assert await desk.titles("2026-11-24", "2026-11-24", calendar="trash") == []


async def test_one_time_of_a_series_is_deleted_and_fetched_back(desk: Desk) -> None:
    await desk.run("cal_create", title="Gym", start="2026-11-24T09:00", repeat="FREQ=DAILY;COUNT=3")
    _, second, _ = (await desk.run("cal_list", start="2026-11-24", end="2026-12-31")).items
    gone = await desk.one("cal_delete", event=second.id)
    assert len(await desk.titles("2026-11-24", "2026-12-31")) == 2
    assert await desk.titles("2026-11-24", "2026-12-31", calendar="trash") == ["Gym"]
    assert value(await desk.one("cal_restore", event=gone.id), "status") == "confirmed"
    assert len(await desk.titles("2026-11-24", "2026-12-31")) == 3


async def test_what_somebody_changed_meanwhile_is_not_changed_over(desk: Desk) -> None:
    desk.put("a", vevent("a", ":20261124T080000Z", ":20261124T090000Z", "First"))
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    change(desk, "a", "Second")
    for tool, given in (("cal_move", {"title": "Mine"}), ("cal_delete", {})):
        with pytest.raises(ToolError, match="changed meanwhile"):
            await desk.run(tool, event=seen.id, **given)
    assert await desk.titles("2026-11-24", "2026-11-24") == ["Second"]


def test_the_server_is_asked_to_change_nothing_but_the_version_that_was_read(desk: Desk) -> None:
    desk.put("a", vevent("a", ":20261124T080000Z", ":20261124T090000Z", "First"))
    dav = Dav(Server(url=desk.server.url), "home", (desk.user, PASSWORD))
    url = f"{desk.server.url}{desk.user}/work/"
    read = caldav.event_named(dav, url, "a.ics")
    assert read is not None
    change(desk, "a", "Second")
    with pytest.raises(ToolError, match="changed meanwhile"):
        caldav.replace(dav, read, read.text.replace("First", "Mine"))
    with pytest.raises(ToolError, match="changed meanwhile"):
        caldav.create(dav, url, "a.ics", read.text)
    assert "Second" in desk.get("a.ics")
    dav.cut()


def change(desk: Desk, name: str, title: str) -> None:
    """As another programme of the user's does."""
    text = ics(vevent(name, ":20261124T100000Z", ":20261124T110000Z", title))
    send(desk.server, desk.user, PASSWORD, "PUT", f"/{desk.user}/work/{name}.ics", text)


async def test_what_others_write_in_their_event_stays_when_the_user_moves_it(desk: Desk) -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:x\nEND:VALARM"
    desk.put("a", vevent("a", ";TZID=America/New_York:20261124T080000", ";TZID=America/New_York:20261124T090000",
                         "Call", "X-OTHER:kept", "CATEGORIES:a,b", alarm))  # fmt: skip
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    assert value(seen, "start") == datetime(2026, 11, 24, 14, tzinfo=BERLIN)
    assert value(seen, "zone") == "America/New_York"
    await desk.run("cal_move", event=seen.id, start="2026-11-24T15:00")
    text = desk.get("a.ics")
    for kept in ("X-OTHER:kept", "CATEGORIES:a,b", "TRIGGER:-PT15M", "DTSTART;TZID=America/New_York:20261124T090000"):
        assert kept in text


async def test_nothing_is_made_or_changed_in_a_calendar_that_is_not_the_users_own(desk: Desk) -> None:
    desk.put("t", vevent("t", ":20261124T080000Z", ":20261124T090000Z", "Team"), calendar="team")
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    for tool, given in (("cal_move", {"title": "x"}), ("cal_delete", {})):
        with pytest.raises(ToolError, match="not among the user's own"):
            await desk.run(tool, event=seen.id, **given)
    with pytest.raises(ToolError, match="no such calendar of the user's own"):
        await desk.run("cal_create", title="x", start="2026-11-24", calendar="team")


async def test_calendars_are_listed_with_the_users_own_first(desk: Desk) -> None:
    found = (await desk.run("cal_calendars")).items
    assert [(one.id, value(one, "name"), value(one, "own")) for one in found] == [
        ("work", "Work", True), ("team", "Team", False),
    ]  # fmt: skip


async def test_long_notes_are_read_page_by_page(desk: Desk) -> None:
    made = await desk.one("cal_create", title="Talk", start="2026-11-24T09:00", notes="a" * 6_000 + "b" * 10)
    first = await desk.run("cal_read", event=made.id)
    assert "10 more characters of notes from 6000 on" in first.note
    assert value((await desk.run("cal_read", event=made.id, start=6000)).items[0], "notes") == "b" * 10


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"title": "x", "start": "tomorrow"}, "is no time"),
        ({"title": "x", "start": "2027-03-28T02:30"}, "clocks go forward"),
        ({"title": "x", "start": "2026-11-24T09:00", "end": "2026-11-24T08:00"}, "not after"),
        ({"title": "x", "start": "2026-11-24T09:00", "end": "2026-11-25"}, "ends at a time"),
        ({"title": " ", "start": "2026-11-24T09:00"}, "needs a title"),
        ({"title": "x" * 201, "start": "2026-11-24T09:00"}, "more than 200"),
        ({"title": "x", "start": "2026-11-24T09:00", "repeat": "FREQ=SECONDLY"}, "cannot be used"),
        ({"title": "x", "start": "2026-11-24T09:00", "repeat": "every tuesday"}, "no rule of recurrence"),
        ({"title": "x", "start": "2026-11-24T09:00", "repeat": "FREQ=WEEKLY\nATTENDEE:mailto:a@b.c"}, "recurrence"),
    ],
)
async def test_what_makes_no_event_is_said(desk: Desk, given: dict[str, str], says: str) -> None:
    with pytest.raises(ToolError, match=says):
        await desk.run("cal_create", **given)
    assert await desk.titles("2026-11-20", "2026-11-30") == []
