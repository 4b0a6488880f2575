"""Invitations sent, answered and called off: by mail, and by a calendar server that does it itself."""

import contextlib
import http.client
import http.server
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.servers import smtp
from tests.servers.radicale import Radicale
from tests.servers.smtp import Relay
from tests.unit.connectors.calendar.conftest import LABELS, PASSWORD, Desk, desk_of, ics, value, vevent
from typing_extensions import override

from isthmus.agent.guarding import Guarded
from isthmus.agent.marks import THE_USER, UNKNOWN, USER, USERS_WORDS, Mark, Origin, Party, Readers, join
from isthmus.agent.ports import MarkStore
from isthmus.agent.tool import Item, Made
from isthmus.connectors.calendar.ics import parsed
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio

_SECRET = SecretRef("env", "PASSWORD")
ANNA, BOB, EVE = "anna@example.org", "bob@example.org", "eve@example.org"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with smtp.running(password=PASSWORD) as running:
        yield running


@pytest.fixture
def desk(open_desk: Callable[..., Desk], relay: Relay) -> Desk:
    return open_desk(invitations="mail", smtp=_smtp(relay))


def _smtp(relay: Relay) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": relay.port, "tls": "none", "user": "me@example.org", "password": _SECRET}


def told(relay: Relay, number: int = -1) -> tuple[EmailMessage, str, list[str]]:
    """A mail that was sent: itself, what it tells calendars, and to whom it went."""
    data, _, recipients = relay.taken[number]
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    (calendar,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return mail, calendar.get_content().replace("\r\n ", ""), recipients


async def test_people_are_invited_to_a_new_event_by_mail(desk: Desk, relay: Relay) -> None:
    made = await desk.one("cal_invite", attendees=[BOB, ANNA], title="Plan", start="2026-11-24T09:00", place="Room 1")
    mail, calendar, recipients = told(relay)
    assert recipients == [ANNA, BOB]
    assert mail["Subject"] == "Invitation: Plan"
    me = f"{desk.user}@example.org"
    for line in ("METHOD:REQUEST", f"ORGANIZER:mailto:{me}", "SUMMARY:Plan", "LOCATION:Room 1"):
        assert line in calendar
    assert "X-ISTHMUS" not in calendar
    assert parsed(calendar).get("METHOD") == "REQUEST"
    assert "BEGIN:VTIMEZONE" in calendar
    assert value(made, "answers") == f"{desk.user}@example.org accepted, {ANNA} no answer, {BOB} no answer"
    listed = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    assert listed == made
    assert "TELLING" not in desk.get(made.id.split("/")[1].split("~")[0])


async def test_people_are_invited_to_an_event_that_is_there(desk: Desk, relay: Relay) -> None:
    made = await desk.one("cal_create", title="Plan", start="2026-11-24T09:00", repeat="FREQ=WEEKLY;COUNT=3")
    invited = await desk.one("cal_invite", event=made.id, attendees=[BOB])
    _, calendar, recipients = told(relay)
    assert recipients == [BOB]
    assert "RRULE:FREQ=WEEKLY;COUNT=3" in calendar
    assert value(invited, "attendees_2") == BOB
    times = (await desk.run("cal_list", start="2026-11-24", end="2026-12-24")).items
    await desk.run("cal_invite", event=times[1].id, attendees=[ANNA])
    _, calendar, recipients = told(relay)
    assert recipients == [ANNA]
    assert "RECURRENCE-ID" in calendar
    assert "RRULE" not in calendar


async def test_an_invitation_in_the_calendar_is_answered_to_its_organiser(desk: Desk, relay: Relay) -> None:
    me = f"{desk.user}@example.org"
    desk.put("i", vevent("i", ":20261124T080000Z", ":20261124T090000Z", "Review",
                         f"ORGANIZER;CN=Eve:mailto:{EVE}", f"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{me}",
                         f"ATTENDEE:mailto:{BOB}"))  # fmt: skip
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    assert value(seen, "answer") == "no answer"
    answered = await desk.one("cal_answer", event=seen.id, answer="accept", comment="gladly")
    mail, calendar, recipients = told(relay)
    assert recipients == [EVE]
    assert "METHOD:REPLY" in calendar
    assert f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{me}" in calendar
    assert BOB not in calendar
    assert "COMMENT:gladly" in calendar
    assert value(answered, "answer") == "accepted"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "gladly"


def _invitation_event(desk: Desk, organiser: str = EVE, uid: str = "m") -> str:
    return vevent(uid, ":20261124T080000Z", ":20261124T090000Z", "Lunch", f"ORGANIZER:mailto:{organiser}",
                  f"ATTENDEE:mailto:{desk.user}@example.org")  # fmt: skip


def _invitation(desk: Desk, organiser: str = EVE, uid: str = "m") -> str:
    return ics(_invitation_event(desk, organiser, uid), head="METHOD:REQUEST\n")


def _from(address: str) -> Mark:
    return Mark(
        readers=Readers(frozenset({Party(f"mailto:{address}")})), origins=frozenset({Origin(f"mail:{address}")})
    )


async def test_an_invitation_in_a_mail_is_answered_and_entered(desk: Desk, relay: Relay) -> None:
    for answer, said in (("tentative", "tentative"), ("decline", "declined")):
        grant = desk.grant("cal_answer", marks={"invitation": _from(EVE)}, answer=answer, invitation=_invitation(desk))
        (item,) = (await desk.tools.run(grant)).items
        assert value(item, "answer") == said
        assert item.fields["title"].mark.origins == {Origin(f"event:{EVE}")}
        assert told(relay)[2] == [EVE]
    assert await desk.titles("2026-11-24", "2026-11-24") == ["Lunch"]


async def test_an_invitation_does_not_make_the_answer_go_to_a_third_party(desk: Desk, relay: Relay) -> None:
    grant = desk.grant(
        "cal_answer", marks={"invitation": _from(EVE)}, answer="accept", invitation=_invitation(desk, organiser=BOB)
    )
    with pytest.raises(ToolError, match="neither wrote that mail nor got it"):
        await desk.tools.run(grant)
    assert relay.taken == []
    assert await desk.titles("2026-11-24", "2026-11-24") == []


@pytest.mark.parametrize(
    "change",
    [
        ("METHOD:REQUEST", "METHOD:CANCEL"),
        ("METHOD:REQUEST", "METHOD:PUBLISH"),
        ("UID:m", "X:m"),
        ("BEG", "x"),
        ("END:VC", ""),
    ],
)
async def test_what_is_no_invitation_is_not_answered(desk: Desk, relay: Relay, change: tuple[str, str]) -> None:
    grant = desk.grant(
        "cal_answer", marks={"invitation": _from(EVE)}, answer="accept", invitation=_invitation(desk).replace(*change)
    )
    with pytest.raises(ToolError):
        await desk.tools.run(grant)
    assert relay.taken == []


async def test_a_meeting_is_called_off_and_stays_as_cancelled(desk: Desk, relay: Relay) -> None:
    made = await desk.one("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    with pytest.raises(ToolError) as refused:
        await desk.run("cal_delete", event=made.id)
    assert "cal_cancel" in refused.value.sentence
    off = await desk.one("cal_cancel", event=made.id, comment="sorry")
    _, calendar, recipients = told(relay)
    assert recipients == [BOB]
    assert "METHOD:CANCEL" in calendar
    assert "STATUS:CANCELLED" in calendar
    assert "SEQUENCE:1" in calendar
    assert value(off, "status") == "cancelled"
    assert len(relay.taken) == 2


async def test_all_who_take_part_are_told_when_the_user_moves_a_meeting(desk: Desk, relay: Relay) -> None:
    made = await desk.one("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    moved = await desk.one("cal_move", event=made.id, start="2026-11-24T11:00")
    _, calendar, recipients = told(relay)
    assert recipients == [BOB]
    assert "METHOD:REQUEST" in calendar
    assert "DTSTART;TZID=Europe/Berlin:20261124T110000" in calendar
    assert "SEQUENCE:1" in calendar
    assert await desk.one("cal_list", start="2026-11-24", end="2026-11-24") == moved


async def test_who_does_not_organise_neither_moves_nor_calls_off_nor_invites(desk: Desk, relay: Relay) -> None:
    desk.put("i", vevent("i", ":20261124T080000Z", ":20261124T090000Z", "Review", f"ORGANIZER:mailto:{EVE}"))
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    for tool, given in (
        ("cal_move", {"title": "x"}), ("cal_cancel", {}), ("cal_invite", {"attendees": [BOB]}), ("cal_delete", {}),
    ):  # fmt: skip
        with pytest.raises(ToolError):
            await desk.run(tool, event=seen.id, **given)
    assert relay.taken == []
    assert await desk.titles("2026-11-24", "2026-11-24") == ["Review"]


async def test_a_mail_that_is_refused_leaves_the_calendar_as_it_was(desk: Desk, relay: Relay) -> None:
    made = await desk.one("cal_create", title="Old", start="2026-11-25T09:00")
    relay.refuse_data = "554 no"
    with pytest.raises(ToolError, match="does not take the mail"):
        await desk.run("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    with pytest.raises(ToolError, match="does not take the mail"):
        await desk.run("cal_invite", attendees=[BOB], event=made.id)
    relay.refuse_data, relay.refuse = None, frozenset({BOB})
    with pytest.raises(ToolError, match="does not take mail for"):
        await desk.run("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    assert await desk.titles("2026-11-24", "2026-11-24") == []
    assert BOB not in str(await desk.one("cal_list", start="2026-11-25", end="2026-11-25"))


@pytest.mark.parametrize("step", ["connect", "mail", "rcpt"])
async def test_what_was_not_done_before_a_crash_is_found_not_done(desk: Desk, relay: Relay, step: Any) -> None:
    grant = desk.grant("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    relay.break_at = step
    with pytest.raises(ToolError, match="Nothing was sent"):
        await desk.tools.run(grant)
    assert await desk.tools.find_done(grant) is None
    relay.break_at = None
    await desk.tools.run(grant)
    assert len(relay.taken) == 1


@pytest.mark.parametrize("step", ["taking", "taken"])
async def test_where_nobody_knows_whether_others_were_told_that_is_said(desk: Desk, relay: Relay, step: Any) -> None:
    made = await desk.one("cal_create", title="Old", start="2026-11-25T09:00")
    relay.break_at = step
    ways: list[dict[str, Any]] = [{"title": "Plan", "start": "2026-11-24T09:00"}, {"event": made.id}]
    for given in ways:
        grant = desk.grant("cal_invite", attendees=[BOB], **given)
        with pytest.raises(ToolUncertain):
            await desk.tools.run(grant)
        with pytest.raises(ToolUncertain, match="whether others were told"):
            await desk.tools.find_done(grant)


async def test_what_was_done_is_found_and_done_once(desk: Desk, relay: Relay) -> None:
    grant = desk.grant("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    done = await desk.tools.run(grant)
    found = await desk.tools.find_done(grant)
    assert found is not None
    assert (found.items, found.made) == (done.items, done.made)
    ways: dict[str, dict[str, Any]] = {"cal_move": {"title": "New"}, "cal_cancel": {"comment": "x"}}
    item = done.items[0]
    for tool, given in ways.items():
        grant = desk.grant(tool, **{**given, "event": item.id})
        assert await desk.tools.find_done(grant) is None
        (item,) = (await desk.tools.run(grant)).items
        found = await desk.tools.find_done(grant)
        assert found is not None
        assert found.items == (item,)


async def test_what_was_deleted_and_fetched_back_is_found_so(desk: Desk) -> None:
    item = await desk.one("cal_create", title="x", start="2026-11-24T09:00")
    for tool in ("cal_delete", "cal_restore"):
        grant = desk.grant(tool, event=item.id)
        assert await desk.tools.find_done(grant) is None
        (item,) = (await desk.tools.run(grant)).items
        found = await desk.tools.find_done(grant)
        assert found is not None
        assert found.items == (item,)


async def test_an_entry_is_made_once_under_one_grant(desk: Desk) -> None:
    grant = desk.grant("cal_create", title="x", start="2026-11-24T09:00")
    assert await desk.tools.find_done(grant) is None
    await desk.tools.run(grant)
    with pytest.raises(ToolError):
        await desk.tools.run(grant)
    assert await desk.titles("2026-11-24", "2026-11-24") == ["x"]


async def test_an_event_with_somebody_who_cannot_be_read_is_not_deleted_behind_their_back(desk: Desk) -> None:
    desk.put("a", vevent("a", ":20261124T080000Z", ":20261124T090000Z", "x", "ATTENDEE:urn:uuid:1"))
    seen = await desk.one("cal_list", start="2026-11-24", end="2026-11-24")
    with pytest.raises(ToolError, match="Others take part"):
        await desk.run("cal_delete", event=seen.id)


# -- marks ------------------------------------------------------------------------------------------------------


async def test_an_event_bears_the_mark_of_who_organises_it_and_of_who_takes_part(desk: Desk) -> None:
    me = f"{desk.user}@example.org"

    def people(organiser: str, *others: str) -> list[str]:
        return [f"ORGANIZER:mailto:{organiser}", *(f"ATTENDEE:mailto:{one}" for one in others)]

    at = (":20261124T080000Z", ":20261124T090000Z")
    desk.put("1", vevent("1", *at, "1 alone"))
    desk.put("2", vevent("2", *at, "2 by me", *people(me, me, BOB)))
    desk.put("3", vevent("3", *at, "3 by eve", *people(EVE, me, BOB)))
    desk.put("4", vevent("4", *at, "4 strange", "ATTENDEE:urn:uuid:1"))
    desk.put("5", vevent("isthmus-" + "0" * 32, *at, "5 made"))
    desk.put("6", vevent("6", *at, "6 not own"), calendar="team")
    desk.put("7", vevent("7", *at, "7 by eve, not own", *people(EVE)), calendar="team")
    hoped: list[tuple[set[str], set[str]]] = [
        ({USER}, set()),
        ({USER, f"event:{BOB}"}, {BOB}),
        ({f"event:{EVE}"}, {EVE, BOB}),
        ({USER, UNKNOWN}, set()),
        ({UNKNOWN}, set()),
        ({UNKNOWN}, set()),
        ({UNKNOWN, f"event:{EVE}"}, {EVE}),
    ]
    found = (await desk.run("cal_list", start="2026-11-24", end="2026-11-24")).items
    assert len(found) == len(hoped)
    for item, (origins, readers) in zip(found, hoped, strict=True):
        written = {field.mark for name, field in item.fields.items() if name != "calendar"}
        assert len(written) == 1, item
        (mark,) = written
        assert mark.origins == origins, item.fields["title"].value
        assert mark.readers == Readers(frozenset(Party(f"mailto:{one}") for one in readers))
        assert {field.mark.readers for field in item.fields.values()} == {mark.readers}
        assert mark.labels == LABELS
    assert found[2].fields["attendees"].party == THE_USER
    assert found[2].fields["organizer"].party == Party(f"mailto:{EVE}")


class Remembered(MarkStore):
    """Marks of made things, for as long as the test."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], Mark] = {}

    @override
    def keep(self, account: str, made: Made, mark: Mark) -> None:
        for name in (made.id, made.content_sha256):
            if name:
                known = self._marks.get((account, name))
                self._marks[account, name] = mark if known is None else known.joined(mark)

    @override
    def recall(self, account: str, made: Made) -> Mark | None:
        names = [(account, name) for name in (made.id, made.content_sha256) if name]
        found = [self._marks[name] for name in names if name in self._marks]
        return join(found) if found else None

    @override
    def recall_all(self, account: str, made: Sequence[Made]) -> Sequence[Mark | None]:
        return [self.recall(account, one) for one in made]


async def test_what_an_event_was_made_of_is_remembered_at_each_of_its_times_and_in_the_trash(desk: Desk) -> None:
    eve = Origin("mail:eve@example.org")
    secret = Mark(labels=frozenset({Label("phi")}), origins=frozenset({eve}))
    guarded = Guarded(desk.tools, Remembered())

    async def run(tool: str, **given: Any) -> tuple[Item, ...]:
        marks = {name: secret for name in given if name == "notes"}
        return (await guarded.run(replace(desk.grant(tool, **given), mark=marks.get("notes", USERS_WORDS)))).items

    def bear_it(items: tuple[Item, ...]) -> bool:
        marks = [field.mark for item in items for field in item.fields.values()]
        return bool(marks) and all(eve in mark.origins and Label("phi") in mark.labels for mark in marks)

    (made,) = await run("cal_create", title="x", start="2026-11-24T09:00", repeat="FREQ=DAILY;COUNT=3", notes="n")
    times = await run("cal_list", start="2026-11-24", end="2026-12-24")
    assert len(times) == 3
    assert bear_it(times)
    (moved,) = await run("cal_move", event=times[1].id, start="2026-11-25T15:00")
    assert bear_it((moved,))
    (gone,) = await run("cal_delete", event=moved.id, series=True)
    assert bear_it((gone,))
    assert bear_it(await run("cal_list", start="2026-11-24", end="2026-12-24", calendar="trash"))
    assert bear_it(await run("cal_restore", event=gone.id))
    assert made.content_sha256 == gone.content_sha256


def _all_bear(items: tuple[Item, ...], mark: Mark) -> bool:
    marks = [field.mark for item in items for field in item.fields.values()]
    return bool(marks) and all(one.joined(mark) == one for one in marks)


async def test_what_an_answer_enters_in_the_calendar_bears_the_mark_of_the_mail_it_came_in(desk: Desk) -> None:
    mail = replace(_from(EVE), labels=frozenset({Label("phi")}))
    guarded = Guarded(desk.tools, Remembered())
    for answer in ("tentative", "accept"):  # it is entered by the first, and found there by the second
        asked = desk.grant("cal_answer", marks={"invitation": mail}, answer=answer, invitation=_invitation(desk))
        done = await guarded.run(replace(asked, mark=mail))
        assert [(one.id, one.content_sha256) for one in done.made] == [
            (one.id, one.content_sha256) for one in done.items
        ]
        assert _all_bear(done.items, mail)
        assert _all_bear((await guarded.run(desk.grant("cal_list", start="2026-11-24", end="2026-11-24"))).items, mail)


async def test_what_an_answer_to_an_event_was_made_of_marks_that_event(desk: Desk) -> None:
    desk.put("i", _invitation_event(desk))
    guarded = Guarded(desk.tools, Remembered())
    looked = desk.grant("cal_list", start="2026-11-24", end="2026-11-24")
    (seen,) = (await guarded.run(looked)).items
    mail = replace(_from(EVE), labels=frozenset({Label("phi")}))
    assert not _all_bear((seen,), mail)
    asked = desk.grant("cal_answer", event=seen.id, answer="accept", comment="her health")
    done = await guarded.run(replace(asked, mark=mail))
    assert done.made[0].id != seen.id, "it is another version now"
    assert _all_bear((await guarded.run(looked)).items, mail)


@pytest.mark.parametrize("step", ["taking", "taken"])
async def test_an_event_bears_its_mark_though_nobody_knows_whether_others_were_told(
    desk: Desk, relay: Relay, step: Any
) -> None:
    mail = replace(_from(EVE), labels=frozenset({Label("phi")}))
    guarded = Guarded(desk.tools, Remembered())
    relay.break_at = step
    ways: list[tuple[str, dict[str, Any]]] = [
        ("cal_answer", {"answer": "accept", "invitation": _invitation(desk)}),
        ("cal_invite", {"attendees": [BOB], "title": "Plan", "start": "2026-11-24T09:00"}),
    ]
    for tool, given in ways:
        with pytest.raises(ToolUncertain):
            await guarded.run(replace(desk.grant(tool, marks={"invitation": mail}, **given), mark=mail))
    found = (await guarded.run(desk.grant("cal_list", start="2026-11-24", end="2026-11-24"))).items
    assert [value(one, "title") for one in found] == ["Lunch", "Plan"]
    assert _all_bear(found, mail)


# -- a server that tells by itself ------------------------------------------------------------------------------


@dataclass
class Seen:
    """What went through a server that says that it tells others itself (RFC 6638)."""

    port: int = 0
    puts: list[str] = field(default_factory=list)


@contextlib.contextmanager
def telling(behind: Radicale) -> Iterator[Seen]:
    """Radicale, which does not do that, behind one that says it does."""
    seen = Seen()
    to = urlsplit(behind.url)

    class Door(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command == "PUT":
                seen.puts.append(body.decode().replace("\r\n ", ""))
            there = http.client.HTTPConnection(to.hostname or "", to.port, timeout=10)
            with contextlib.closing(there):
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                data = answer.read()
            self.send_response(answer.status)
            for name, said in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, f"{said}, calendar-auto-schedule" if name.lower() == "dav" else said)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_OPTIONS = do_PROPFIND = do_REPORT = do_PUT = do_GET = do_MOVE = do_MKCALENDAR = _pass  # noqa: N815

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        server.daemon_threads = True
        seen.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()


async def test_a_server_that_tells_by_itself_is_given_the_event_once(open_desk: Callable[..., Desk]) -> None:
    plain = open_desk()
    with telling(plain.server) as seen:
        url = f"http://localhost:{seen.port}/"
        desk = desk_of(plain.server, plain.user, url=url, invitations="server")
        await desk.tools.check()
        made = await desk.run("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
        assert made.note == f"The server tells {BOB}."
        assert len(seen.puts) == 1
        assert f"mailto:{BOB}" in seen.puts[0]
        assert "SCHEDULE-AGENT" not in seen.puts[0]


async def test_a_server_that_could_tell_is_kept_from_it_where_mail_does(
    open_desk: Callable[..., Desk], relay: Relay
) -> None:
    plain = open_desk()
    with telling(plain.server) as seen:
        url = f"http://localhost:{seen.port}/"
        desk = desk_of(plain.server, plain.user, url=url, invitations="mail", smtp=_smtp(relay))
        await desk.run("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
        assert f"SCHEDULE-AGENT=CLIENT:mailto:{BOB}" in seen.puts[0]
        assert len(relay.taken) == 1


async def test_a_server_that_does_not_tell_is_not_relied_on(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(invitations="server")
    with pytest.raises(ToolError, match="invites and answers nobody"):
        await desk.run("cal_invite", attendees=[BOB], title="Plan", start="2026-11-24T09:00")
    with pytest.raises(ToolError, match="invites nobody by itself"):
        await desk.tools.check()
    assert await desk.titles("2026-11-24", "2026-11-24") == []
