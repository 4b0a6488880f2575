"""What an account is told, which tools it then has, and that a server which does wrong is told of."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from icalendar import vRecur
from tests.unit.connectors.calendar.conftest import LABELS, Desk, desk_of, secret, value, vevent

from isthmus.agent.marks import THE_USER, Party
from isthmus.connectors.calendar.account import KIND, Account, connect
from isthmus.connectors.calendar.recurrence import said
from isthmus.connectors.calendar.specs import specs
from isthmus.connectors.kinds import kinds
from isthmus.domain.errors import ToolError
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio

_TOLD: dict[str, Any] = {
    "url": "https://cal.example.org/",
    "user": "me",
    "password": SecretRef("env", "P"),
    "address": "me@example.org",
    "time_zone": "Europe/Berlin",
}


def test_it_is_found_among_the_kinds_of_accounts() -> None:
    assert kinds()[KIND].account is Account


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "http://cal.example.org/"}, "needs https"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"address": "me"}, "no mail address"),
        ({"invitations": "mail"}, "go together"),
        ({"hours": "17:00-09:00"}, "no hours"),
        ({"people": {"bob": "/bob/"}}, "no mail address"),
        ({"days": ["someday"]}, "someday"),
        ({"colour": "red"}, "colour"),
        ({"smtp": {"host": "mail.example.org", "tls": "none"}, "invitations": "mail"}, "need tls"),
        ({"smtp": {"host": "mail.example.org", "user": "me"}, "invitations": "mail"}, "go together"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_what_is_wrong(change: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert({**_TOLD, **change}, Account)


async def test_an_account_connects_to_nothing_before_it_is_used() -> None:
    tools = await connect("home", msgspec.convert(_TOLD, Account), labels=LABELS, secret=secret)
    assert tools.name == "calendar"
    assert [spec.name for spec in tools.specs] == ["cal_calendars", "cal_list", "cal_read", "cal_free"]
    assert tools.parties("cal_invite", "attendees", "Bob@Example.ORG") == (Party("mailto:bob@example.org"),)
    assert tools.parties("cal_invite", "attendees", "ME@example.org") == (THE_USER,)
    with pytest.raises(ToolError):
        tools.parties("cal_invite", "attendees", "bob")


def test_every_tool_that_keeps_says_how_it_is_undone_and_what_is_sent_says_so() -> None:
    found = {spec.name: spec for spec in specs(can_write=True, can_tell=True)}
    assert {name: spec.effect for name, spec in found.items() if spec.effect != "read"} == {
        "cal_create": "keep", "cal_move": "change", "cal_delete": "keep", "cal_restore": "keep",
        "cal_invite": "send", "cal_answer": "send", "cal_cancel": "send",
    }  # fmt: skip
    assert all(spec.undone_by in found for spec in found.values() if spec.effect == "keep")


def test_the_tools_for_simple_scheduling_leave_room_in_a_small_models_preamble() -> None:
    found = specs(can_write=True, can_tell=False)
    schemas = [
        {"name": spec.name, "description": spec.summary,
         "parameters": {one.name: {**one.schema, "description": one.summary} for one in spec.parameters}}
        for spec in found
    ]  # fmt: skip
    assert len(json.dumps(schemas, separators=(",", ":"))) < 3_300


async def test_the_account_is_checked(open_desk: Callable[..., Desk]) -> None:
    await open_desk().tools.check()
    with pytest.raises(ToolError, match="no calendar 'none'") as told:
        await open_desk(own=("none",)).tools.check()
    assert "team, work" in told.value.sentence


async def test_the_server_is_found_from_any_address_of_the_users(open_desk: Callable[..., Desk]) -> None:
    plain = open_desk()
    for path in ("", f"{plain.user}/", f"{plain.user}/work/", "nothing/here/"):
        desk = desk_of(plain.server, plain.user, url=plain.server.url + path)
        assert [one.id for one in (await desk.run("cal_calendars")).items] == ["work", "team"]


async def test_a_server_that_is_gone_is_told(open_desk: Callable[..., Desk]) -> None:
    plain = open_desk()
    gone = desk_of(plain.server, plain.user, url="http://localhost:9/")
    with pytest.raises(ToolError, match="cannot be reached"):
        await gone.run("cal_create", title="x", start="2026-11-24")
    with pytest.raises(ToolError, match="cannot be reached"):
        await gone.run("cal_list", start="2026-11-24")


async def test_what_cannot_be_read_is_counted_and_hides_nothing_else(desk: Desk) -> None:
    desk.put("a", vevent("a", ":20261124T080000Z", ":20261124T090000Z", "Good"))
    hourly = vevent("b", ":20261124T080000Z", ":20261124T083000Z", "Hourly", "RRULE:FREQ=HOURLY;COUNT=3")
    desk.put("b", hourly)
    found = await desk.run("cal_list", start="2026-11-24", end="2026-11-24")
    assert [value(one, "title") for one in found.items] == ["Good", "Hourly"]
    assert "not all times are shown" in found.note
    assert value(found.items[1], "repeats") == "by a rule that is not followed here"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY", "daily"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "every 2 weeks on Monday and Wednesday"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "monthly on the last Friday"),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2", "monthly on the second Tuesday"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15;COUNT=4", "monthly on day 1 and 15, 4 times"),
        ("FREQ=YEARLY;BYMONTH=12;UNTIL=20301224", "yearly in December, until 2030-12-24"),
        ("FREQ=SECONDLY", "by a rule that is not followed here"),
    ],
)
def test_rules_are_said_in_words(rule: str, words: str) -> None:
    assert said([vRecur.from_ical(rule)]) == words


async def test_words_narrow_what_is_listed(desk: Desk) -> None:
    await desk.run("cal_create", title="Dentist", start="2026-11-24T09:00", place="Main St")
    await desk.run("cal_create", title="Lunch", start="2026-11-24T12:00", notes="with Anna")
    assert await desk.titles("2026-11-24", "2026-11-24", text="anna LUNCH") == ["Lunch"]
    assert await desk.titles("2026-11-24", "2026-11-24", calendar="team") == []
    assert await desk.titles("2026-11-24", "2026-11-24", limit=1) == ["Dentist"]
    with pytest.raises(ToolError, match="no such calendar"):
        await desk.titles("2026-11-24", "2026-11-24", calendar="../other")
