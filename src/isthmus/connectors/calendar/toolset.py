"""Runs the tools for calendars.

How others are told, so that they are never told twice and it is known whenever it can be whether they were:

- by the calendar server (RFC 6638): what is stored is what is told, in one request.
- by mail: the SMTP server takes sender and recipients; then the event is stored, with a trace of the call and a word
  that others are being told; then the SMTP server takes the mail; then the word is taken away.

After a crash, `find_done` looks for the trace. None: nothing happened. With the word beside it: the crash came while
the mail was handed over, and nobody but the SMTP server knows; then that is said.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from anyio import to_thread
from icalendar import Calendar as Data
from icalendar import Event
from typing_extensions import override

from isthmus.agent.marks import Mark, Party, join
from isthmus.agent.tool import Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.calendar import composing, server
from isthmus.connectors.calendar.account import Account, Smtp
from isthmus.connectors.calendar.appointment import DELETED, Appointment, Person, address_of
from isthmus.connectors.calendar.composing import Wanted
from isthmus.connectors.calendar.expansion import one_time, taking_place, whole
from isthmus.connectors.calendar.free import Hours, Stretch, free, hours_of, working
from isthmus.connectors.calendar.ics import Unreadable, events, parsed, written
from isthmus.connectors.calendar.identity import EventId, fingerprint, trace, uid, version
from isthmus.connectors.calendar.invitation import Method, NoInvitation, invitation, letter, reply, request
from isthmus.connectors.calendar.items import calendar_item, event_item, free_item
from isthmus.connectors.calendar.marking import Marking
from isthmus.connectors.calendar.recurrence import rule_of
from isthmus.connectors.calendar.server import TRASH, Calendar, Home, Stored
from isthmus.connectors.calendar.specs import ANSWERS, specs
from isthmus.connectors.calendar.times import moment, span, when
from isthmus.connectors.mail import mailbox
from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.mail.imap import Uncertain
from isthmus.connectors.mail.submission import Refused, submit
from isthmus.connectors.webdav.client import Dav, Server
from isthmus.connectors.webdav.service import Service
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

PAGE = 6_000
"""Characters of notes that are given at once: some 1,500 tokens."""
_LISTED = 30
_MOST_LISTED = 100
_MOST_DAYS = 400
_FREE_DAYS = 62
_SHOWN_FREE = 20
_MOST_PEOPLE = 50
_SECONDS = 20.0
"""For following rules, all together: some are made to take long."""
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOST = "It was deleted or moved meanwhile."

Secret = Callable[[SecretRef], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An event as it is stored, and read."""

    calendar: Calendar
    stored: Stored
    data: Data

    def id(self, time: str | None = None) -> EventId:
        return EventId(self.calendar.id, self.stored.resource, version(self.stored.etag), time)


class CalendarToolset(Toolset):
    """The tools of one calendar account."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        at: Server,
        *,
        labels: frozenset[Label],
        secret: Secret,
        context: ssl.SSLContext,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account = account
        self._account_name = account_name
        self._secret = secret
        self._context = context
        self._clock = clock
        self._zone = ZoneInfo(account.time_zone)
        self._me = Person(normal(account.address), account.name)
        self._marking = Marking(labels=labels, own=account.own_addresses)
        self._people = {normal(address): url for address, url in account.people.items()}
        self._service = Service(account_name, at, account.user, lambda: secret(account.password))
        self._home: Home | None = None
        self._specs = specs(can_write=bool(account.own), can_tell=account.invitations != "none")
        self._tools: dict[str, Callable[[Grant], Awaitable[ToolResult]]] = {
            "cal_calendars": self._list_calendars,
            "cal_list": self._list,
            "cal_read": self._read,
            "cal_free": self._free,
            "cal_create": self._create,
            "cal_move": self._move,
            "cal_delete": self._delete,
            "cal_restore": self._restore,
            "cal_invite": self._invite,
            "cal_answer": self._answer,
            "cal_cancel": self._cancel,
        }

    # -- the tool set -------------------------------------------------------------------------------------------

    @property
    @override
    def name(self) -> str:
        return "calendar"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return (self._marking.party(_address(value)),)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if all(grant.tool != spec.name for spec in self._specs):
            raise ToolError(f"There is no tool {grant.tool} for this account.")
        try:
            return await self._tools[grant.tool](grant)
        except Uncertain as error:
            raise ToolUncertain(f"{error}. It cannot be told whether others were told.") from error

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        given = grant.plain()
        match grant.tool:
            case "cal_create":
                return await self._service.ask(lambda dav: self._made(dav, grant))
            case "cal_delete" | "cal_restore":
                return await self._service.ask(lambda dav: self._moved(dav, grant))
            case "cal_move" | "cal_invite" | "cal_answer" | "cal_cancel":
                if grant.tool == "cal_invite" and not given.get("event"):
                    return await self._service.ask(lambda dav: self._made(dav, grant))
                return await self._service.ask(lambda dav: self._traced(dav, grant))
            case _:
                return None

    @override
    async def aclose(self) -> None:
        """Nothing is held between calls."""

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """The event that a call will enter, by its UID: it may be there though nobody knows whether others were told.

        Of an event that is in the calendar already, the UID is not known before it is looked at.
        """
        given = grant.plain()
        if given.get("event"):
            return ()
        match grant.tool:
            case "cal_create" | "cal_invite":
                return (Made("event", "", fingerprint(uid(grant))),)
            case "cal_answer":
                try:
                    event = whole(invitation(str(given.get("invitation") or "")))
                except (Unreadable, NoInvitation):
                    return ()  # nothing is done with it
                return () if event is None else (Made("event", "", fingerprint(event.uid)),)
            case _:
                return ()

    async def check(self) -> None:
        """Make sure that the account can be read, has the calendars it names, and can tell others as it says.

        Raises:
            ToolError: not so.
        """
        at, found = await self._service.ask(lambda dav: (self._at(dav), self._calendars(dav)))
        for calendar_id in self._account.own:
            if all(one.id != calendar_id for one in found):
                raise ToolError(
                    f"There is no calendar {calendar_id!r}.",
                    hint=f"There is {', '.join(one.id for one in found) or 'none'}.",
                )
        if self._account.invitations == "server" and not at.tells:
            raise ToolError("The calendar server invites nobody by itself.", hint="Let invitations go by mail.")

    # -- reading ------------------------------------------------------------------------------------------------

    async def _list_calendars(self, _grant: Grant) -> ToolResult:
        found = await self._service.ask(self._calendars)
        return ToolResult(
            items=tuple(calendar_item(one, self._marking) for one in found), note=f"{len(found)} calendars."
        )

    async def _list(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        start, end = span(given.get("start"), given.get("end"), self._zone, days=7, most=_MOST_DAYS)
        words = str(given.get("text") or "").casefold().split()
        limit = max(1, min(_MOST_LISTED, given.get("limit") or _LISTED))
        deleted = given.get("calendar") == "trash"

        def look(dav: Dav) -> tuple[list[tuple[Held, Appointment]], int, bool]:
            calendars = [*self._own(dav), *self._trash(dav)] if deleted else self._chosen(dav, given.get("calendar"))
            return self._taking_place(dav, calendars, start, end)

        found, unreadable, complete = await self._service.ask(look)
        wanted = [
            (held, event)
            for held, event in found
            if _is_deleted(held, event) == deleted and all(word in _searched(event) for word in words)
        ]
        note = _count(len(wanted), limit)
        if unreadable:
            note += f" {unreadable} could not be read."
        if not complete:
            note += " Of some that recur, not all times are shown: their rules cannot be followed, or not in time."
        return ToolResult(items=tuple(self._item(held, event) for held, event in wanted[:limit]), note=note)

    async def _read(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        event_id = EventId.of(given.get("event"))
        held, event = await self._service.ask(lambda dav: self._seen(dav, event_id, same=False))
        at = max(0, given.get("start") or 0)
        page = event.notes[at : at + PAGE]
        rest = len(event.notes) - at - len(page)
        note = f"{rest} more characters of notes from {at + len(page)} on." if rest > 0 else ""
        return ToolResult(items=(self._item(held, event, notes=page),), note=note)

    async def _free(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        start, end = span(given.get("start"), given.get("end"), self._zone, days=1, most=_FREE_DAYS)
        duration = timedelta(minutes=int(given.get("minutes") or 0))
        hours = self._hours(given.get("hours"))
        people = {_address(one) for one in given.get("people") or ()} - self._marking.own
        unknown = sorted(people - set(self._people))
        if unknown:
            raise ToolError(
                f"The calendar of {unknown[0]} cannot be read from here.",
                hint="Leave them out, or the user names a calendar of theirs in the account's `people`.",
            )

        def look(dav: Dav) -> tuple[list[tuple[Held, Appointment]], int, bool]:
            others = [_of_another(dav, address, self._people[address]) for address in sorted(people)]
            own = [one for one in self._calendars(dav) if one.id != TRASH]
            return self._taking_place(dav, [*own, *others], start, end)

        found, unreadable, complete = await self._service.ask(look)
        busy: list[Stretch] = []
        marks: list[Mark] = [self._marking.private()]
        for held, event in found:
            marks.append(self._marking.written(event, in_own_calendar=held.calendar.own))
            if _takes_time(event, self._marking.own):
                busy.append(Stretch(moment(event.start, self._zone), moment(event.end, self._zone)))
        stretches = free(working(Stretch(start, end), hours, self._zone), busy, duration)
        mark = join(marks)
        note = _count(len(stretches), _SHOWN_FREE)
        if unreadable or not complete:
            note += (
                " Some events could not be read, or recur by rules that cannot be followed: look at the calendar too."
            )
        items = [free_item(n, one, mark, self._zone) for n, one in enumerate(stretches[:_SHOWN_FREE], start=1)]
        return ToolResult(items=tuple(items), note=note)

    # -- making and changing ------------------------------------------------------------------------------------

    async def _create(self, grant: Grant) -> ToolResult:
        data = self._composed(grant, tentative=bool(grant.plain().get("tentative")))
        chosen = grant.plain().get("calendar")

        def make(dav: Dav) -> Held:
            return self._stored(self._writable(dav, chosen), dav, f"{uid(grant)}.ics", data)

        return self._result(await self._service.ask(make), None, "It is in the calendar.")

    async def _move(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        event_id = EventId.of(given.get("event"))
        wanted = self._wanted(given)
        if wanted.nothing:
            raise ToolError("That changes nothing.", hint="Say a start, an end, a title, a place or notes.")
        time = None if given.get("series") else event_id.time

        held, event = await self._service.ask(lambda dav: self._seen(dav, event_id))
        self._require_own(held)
        if event.organiser is not None and event.organiser.address not in self._marking.own:
            raise ToolError(
                "Somebody else organises that event.", hint="Answer the invitation, or write to the organiser."
            )
        composing.changed(
            held.data, time, wanted, zone=self._zone, seen=event.start, call=trace(grant), now=self._clock()
        )
        people = sorted(self._marking.foreign(_people(held.data)))
        if people and self._account.invitations != "none":
            await self._by_client()
            part = composing.main(held.data) if time is None else composing.part(held.data, time)
            return await self._tell_of(grant, held, part, "REQUEST", people, time)
        changed = await self._service.ask(lambda dav: self._replaced(dav, held))
        return self._result(changed, time, "It is changed; the others were not told." if people else "It is changed.")

    async def _delete(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        event_id = EventId.of(given.get("event"))
        time = None if given.get("series") else event_id.time

        def put_away(dav: Dav) -> Held:
            held, event = self._seen(dav, event_id)
            self._require_own(held)
            others = bool(self._marking.foreign(_people(held.data))) or _has_strangers(held.data)
            if others and self._account.invitations != "none":
                organised = event.organiser is not None and event.organiser.address in self._marking.own
                raise ToolError(
                    "Others take part in that event.",
                    hint="Call it off with cal_cancel." if organised else "Decline it with cal_answer.",
                )
            if time is not None:
                composing.put_away(composing.part(held.data, time), call=trace(grant), now=self._clock())
                return self._replaced(dav, held)
            heap = server.trash(dav, self._at(dav))
            to = f"{heap}{trace(grant)[:16]}~{held.calendar.id}~{held.stored.resource}"
            return self._held(_trash_at(heap), server.move(dav, held.stored, to))

        held = await self._service.ask(put_away)
        return self._result(held, time, "It is in the trash; cal_restore fetches it back.")

    async def _restore(self, grant: Grant) -> ToolResult:
        event_id = EventId.of(grant.plain().get("event"))

        def fetch_back(dav: Dav) -> Held:
            held, _ = self._seen(dav, event_id)
            if held.calendar.id != TRASH:
                self._require_own(held)
                if event_id.time is None or DELETED not in (one := composing.part(held.data, event_id.time)):
                    raise ToolError("That event is not in the trash.")
                composing.fetched_back(one, call=trace(grant), now=self._clock())
                return self._replaced(dav, held)
            calendar, resource = self._from_trash(dav, held.stored.resource)
            return self._held(calendar, server.move(dav, held.stored, f"{calendar.url}{resource}"))

        held = await self._service.ask(fetch_back)
        return self._result(held, event_id.time, "It is back in the calendar.")

    # -- telling others -----------------------------------------------------------------------------------------

    async def _invite(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        people = sorted({_address(one) for one in given.get("attendees") or ()} - self._marking.own)
        if not 0 < len(people) <= _MOST_PEOPLE:
            raise ToolError(f"Between 1 and {_MOST_PEOPLE} others can be invited at once.")
        if given.get("event"):
            return await self._invite_to(grant, EventId.of(given["event"]), people)
        data = self._composed(grant, tentative=False)
        by_client = await self._by_client()
        event = composing.main(data)
        composing.invited(event, self._me, people, by_client=by_client)

        def make(dav: Dav) -> Held:
            return self._stored(self._writable(dav, None), dav, f"{uid(grant)}.ics", data)

        return await self._tell(grant, data, [event], "REQUEST", people, make, None)

    async def _invite_to(self, grant: Grant, event_id: EventId, people: list[str]) -> ToolResult:
        wanted = self._wanted(grant.plain())
        if not wanted.nothing or grant.plain().get("repeat"):
            raise ToolError(
                "Name an event, or say a title and a start: not both.", hint="Change it with cal_move first."
            )
        by_client = await self._by_client()
        held, event = await self._service.ask(lambda dav: self._seen(dav, event_id))
        self._require_own(held)
        if event.organiser is not None and event.organiser.address not in self._marking.own:
            raise ToolError("Somebody else organises that event, and invites to it.")
        time = None if grant.plain().get("series") else event_id.time
        part = composing.main(held.data) if time is None else composing.part(held.data, time)
        for one in events(held.data) if time is None else [part]:
            composing.invited(one, self._me, people, by_client=by_client)
        return await self._tell_of(grant, held, part, "REQUEST", people, time)

    async def _cancel(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        event_id = EventId.of(given.get("event"))
        time = None if given.get("series") else event_id.time
        held, event = await self._service.ask(lambda dav: self._seen(dav, event_id))
        self._require_own(held)
        if event.organiser is None or event.organiser.address not in self._marking.own:
            raise ToolError(
                "The user does not organise that event with others.",
                hint="Delete it with cal_delete." if event.organiser is None else "Decline it with cal_answer.",
            )
        await self._by_client()
        parts = events(held.data) if time is None else [composing.part(held.data, time)]
        for part in parts:
            composing.called_off(part, call=trace(grant), now=self._clock())
        people = sorted(self._marking.foreign(_people(held.data)))
        main = parts[0] if time else composing.main(held.data)
        return await self._tell_of(grant, held, main, "CANCEL", people, time)

    async def _answer(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        answer = ANSWERS[given["answer"]]
        if bool(given.get("event")) == bool(given.get("invitation")):
            raise ToolError("Name the event, or the invitation of a mail: one of both.")
        by_client = await self._by_client()
        if given.get("event"):
            event_id = EventId.of(given["event"])
            time = None if given.get("series") else event_id.time
            held, event = await self._service.ask(lambda dav: self._seen(dav, event_id))
            organiser = self._organiser(event)
            self._require_own(held)
        else:
            held, event, time = await self._invited_by_mail(grant)
            organiser = self._organiser(event)
        part = composing.main(held.data) if time is None else composing.part(held.data, time)
        for other in events(held.data) if time is None else []:
            composing.answered(other, self._marking.own, self._me, answer, by_client=by_client)
        me = composing.answered(part, self._marking.own, self._me, answer, by_client=by_client)
        part[composing.CALL] = trace(grant)
        told = reply(held.data, part, me, comment=str(given.get("comment") or ""), now=self._clock())
        if held.stored.url:

            def store(dav: Dav) -> Held:
                return self._replaced(dav, held)
        else:

            def store(dav: Dav) -> Held:
                resource = f"isthmus-{fingerprint(event.uid)[:32]}.ics"
                return self._stored(self._writable(dav, None), dav, resource, held.data)

        return await self._told(grant, held, store, told, "REPLY", [organiser], event.title, time)

    async def _invited_by_mail(self, grant: Grant) -> tuple[Held, Appointment, str | None]:
        """The event of an invitation: as it is in the calendar already, or as the mail has it."""
        argument = grant.arguments["invitation"]
        try:
            data = await to_thread.run_sync(invitation, str(argument.value))
        except (Unreadable, NoInvitation) as error:
            raise ToolError(f"That is no invitation to answer: {error}.") from error
        event = whole(data)
        if event is None or not event.uid:
            raise ToolError("That invitation says no time.")
        if not argument.mark.readers.include([self._marking.party(self._organiser(event))]):
            # Else an invitation could make the answer go to anybody.
            raise ToolError("The organiser it names neither wrote that mail nor got it; nobody is answered.")

        def look(dav: Dav) -> Held | None:
            for calendar in self._own(dav):
                stored = server.event_with_uid(dav, calendar.url, event.uid)
                if stored is not None and _uid((held := self._held(calendar, stored)).data) == event.uid:
                    return held
            return None

        known = await self._service.ask(look)
        if known is not None:
            return known, self._whole(known), None
        unstored = Stored(url="", etag="", text="")
        return Held(calendar=Calendar(id="", url="", name="", own=True), stored=unstored, data=data), event, None

    def _organiser(self, event: Appointment) -> str:
        if event.organiser is None or event.organiser.address in self._marking.own:
            raise ToolError("Nobody else organises that event, so there is nobody to answer.")
        return event.organiser.address

    async def _by_client(self) -> bool:
        """Whether the server could tell others, and shall not because it is done by mail."""
        at = await self._service.ask(self._at)
        if self._account.invitations == "server" and not at.tells:
            raise ToolError(
                "The calendar server invites and answers nobody by itself.",
                hint="The user has to set the account's invitations to mail.",
            )
        return self._account.invitations == "mail" and at.tells

    async def _tell(
        self, grant: Grant, data: Data, parts: list[Event], method: Method, people: list[str],
        store: Callable[[Dav], Held], time: str | None,
    ) -> ToolResult:  # fmt: skip
        """Tell of an event that is not stored yet."""
        event = whole(data)
        assert event is not None
        held = Held(
            calendar=Calendar(id="", url="", name="", own=True), stored=Stored(url="", etag="", text=""), data=data
        )
        return await self._told(grant, held, store, request(data, parts, method), method, people, event.title, time)

    async def _tell_of(
        self, grant: Grant, held: Held, part: Event, method: Method, people: list[str], time: str | None
    ) -> ToolResult:
        """Tell of an event that is stored, or of one time of it."""
        part[composing.CALL] = trace(grant)
        told = request(held.data, events(held.data) if time is None else [part], method)
        title = str(part.get("SUMMARY", ""))[:200]
        return await self._told(grant, held, lambda dav: self._replaced(dav, held), told, method, people, title, time)

    async def _told(
        self, grant: Grant, held: Held, store: Callable[[Dav], Held], told: Data, method: Method, people: list[str],
        title: str, time: str | None,
    ) -> ToolResult:  # fmt: skip
        """Store an event and tell others of it."""
        if self._account.smtp is None or not people:
            note = f"The server tells {', '.join(people)}." if people else "There was nobody to tell."
            return self._result(await self._service.ask(store), time, note)
        smtp = self._account.smtp
        login = None if smtp.user is None or smtp.password is None else (smtp.user, await self._secret(smtp.password))
        text = str(grant.plain().get("comment") or "") or _for_people(method, title, told, self._zone)
        mail = letter(
            told,
            method,
            sender=self._me,
            recipients=people,
            title=title,
            text=text,
            call=trace(grant),
            now=self._clock(),
        )
        stored: list[Held] = []

        async def before() -> None:
            composing.telling(held.data, trace(grant))
            stored.append(await self._service.ask(store))

        try:
            await submit(self._smtp(smtp), login, mail, sender=self._me.address, recipients=people, before=before)
        except Refused:
            await self._service.ask(lambda dav: self._undone(dav, held, stored))
            raise

        def over(dav: Dav) -> Held:
            composing.told(stored[0].data)
            return self._replaced(dav, stored[0])

        done = stored[0]
        with suppress(ToolError):  # others were told; that the word stays is a question to a person at worst
            done = await self._service.ask(over)
        return self._result(done, time, f"{', '.join(people)} {'was' if len(people) == 1 else 'were'} told by mail.")

    def _undone(self, dav: Dav, before: Held, stored: list[Held]) -> None:
        """What was stored for a mail that was refused, taken back."""
        for one in stored:
            if before.stored.url:
                server.replace(dav, one.stored, before.stored.text)
            else:
                heap = server.trash(dav, self._at(dav))
                server.move(dav, one.stored, f"{heap}refused~{one.calendar.id}~{one.stored.resource}")

    def _smtp(self, smtp: Smtp) -> mailbox.Server:
        return mailbox.Server(
            host=smtp.host, port=smtp.port, tls=smtp.tls, context=None if smtp.tls == "none" else self._context
        )

    # -- what was done under a grant ----------------------------------------------------------------------------

    def _made(self, dav: Dav, grant: Grant) -> ToolResult | None:
        for calendar in self._own(dav):
            stored = server.event_named(dav, calendar.url, f"{uid(grant)}.ics")
            if stored is not None:
                return self._known(self._held(calendar, stored), None)
        return None

    def _traced(self, dav: Dav, grant: Grant) -> ToolResult | None:
        given = grant.plain()
        call = trace(grant)
        if given.get("event"):
            event_id = EventId.of(given["event"])
            calendar = self._calendar(dav, event_id.calendar)
            stored = server.event_named(dav, calendar.url, event_id.resource)
            if stored is None:
                raise ToolUncertain(_LOST)
            held: Held | None = self._held(calendar, stored)
            time = None if given.get("series") else event_id.time
        else:
            try:
                event = whole(invitation(str(given["invitation"])))
            except (Unreadable, NoInvitation):
                return None  # nothing was done with it
            if event is None:
                return None
            held, time = None, None
            for calendar in self._own(dav):
                stored = server.event_with_uid(dav, calendar.url, event.uid)
                if stored is not None:
                    held = self._held(calendar, stored)
        if held is None or call not in composing.traces(held.data, composing.CALL):
            return None
        return self._known(held, time)

    def _known(self, held: Held, time: str | None) -> ToolResult:
        if composing.traces(held.data, composing.TELLING):
            raise ToolUncertain(
                "The event is in the calendar, but whether others were told of it cannot be told.",
                hint="Ask them, or look among the sent mails.",
            )
        return self._result(held, time, "It was done.")

    def _moved(self, dav: Dav, grant: Grant) -> ToolResult | None:
        given = grant.plain()
        event_id = EventId.of(given.get("event"))
        time = None if given.get("series") else event_id.time
        if time is not None:
            return self._traced(dav, grant)
        if grant.tool == "cal_delete":
            bins = self._trash(dav)
            for heap in bins:
                stored = server.event_named(
                    dav, heap.url, f"{trace(grant)[:16]}~{event_id.calendar}~{event_id.resource}"
                )
                if stored is not None:
                    return self._result(self._held(heap, stored), None, "It is in the trash.")
            return None
        calendar, resource = self._from_trash(dav, event_id.resource)
        still = any(server.event_named(dav, heap.url, event_id.resource) for heap in self._trash(dav))
        stored = server.event_named(dav, calendar.url, resource)
        if still or stored is None:
            return None
        return self._result(self._held(calendar, stored), None, "It is back in the calendar.")

    # -- calendars and events -----------------------------------------------------------------------------------

    def _at(self, dav: Dav) -> Home:
        if self._home is None:
            self._home = server.home(dav)
        return self._home

    def _calendars(self, dav: Dav) -> list[Calendar]:
        found = server.calendars(dav, self._at(dav), self._account.own)
        return [one for one in found if one.id != TRASH]

    def _own(self, dav: Dav) -> list[Calendar]:
        return [one for one in self._calendars(dav) if one.own]

    def _trash(self, dav: Dav) -> list[Calendar]:
        found = server.calendars(dav, self._at(dav), self._account.own)
        return [replace(one, own=True) for one in found if one.id == TRASH]

    def _calendar(self, dav: Dav, calendar_id: str) -> Calendar:
        found = self._trash(dav) if calendar_id == TRASH else self._calendars(dav)
        for one in found:
            if one.id == calendar_id:
                return one
        raise ToolError("There is no such calendar.", hint="cal_calendars lists them; name one by its id.")

    def _chosen(self, dav: Dav, calendar_id: object) -> list[Calendar]:
        return self._calendars(dav) if not calendar_id else [self._calendar(dav, str(calendar_id))]

    def _writable(self, dav: Dav, calendar_id: object) -> Calendar:
        own = self._own(dav)
        chosen = [one for one in own if not calendar_id or one.id == calendar_id]
        if not chosen:
            raise ToolError(
                "There is no such calendar of the user's own.",
                hint=f"There is {', '.join(one.id for one in own) or 'none'}.",
            )
        return chosen[0]

    def _from_trash(self, dav: Dav, resource: str) -> tuple[Calendar, str]:
        """Where a thing in the trash came from."""
        _, _, rest = resource.partition("~")
        calendar, _, name = rest.partition("~")
        own = self._own(dav)
        if not own:
            raise ToolError("There is no calendar of the user's own.")
        return next((one for one in own if one.id == calendar), own[0]), name or resource

    def _taking_place(
        self, dav: Dav, calendars: list[Calendar], start: datetime, end: datetime
    ) -> tuple[list[tuple[Held, Appointment]], int, bool]:
        """What takes place in a stretch of time, how many events could not be read, and whether that is all."""
        found: list[tuple[Held, Appointment]] = []
        unreadable, complete = 0, True
        until = monotonic() + _SECONDS
        for calendar in calendars:
            for stored in server.events_between(dav, calendar.url, start, end):
                if monotonic() > until:
                    complete = False
                    break
                try:
                    held = Held(calendar=calendar, stored=stored, data=parsed(stored.text))
                except Unreadable:
                    unreadable += 1
                    continue
                taking = taking_place(held.data, start, end, self._zone)
                complete = complete and taking.complete
                found += [(held, event) for event in taking.times]
        found.sort(key=lambda one: (moment(one[1].start, self._zone).astimezone(UTC), one[1].title))
        return found, unreadable, complete

    def _seen(self, dav: Dav, event_id: EventId, *, same: bool = True) -> tuple[Held, Appointment]:
        """An event by its id.

        Args:
            dav: asks.
            event_id: of it.
            same: whether it has to be the version that was seen.

        Raises:
            ToolError: it is not there, or was changed meanwhile.
        """
        calendar = self._calendar(dav, event_id.calendar)
        stored = server.event_named(dav, calendar.url, event_id.resource)
        if stored is None:
            raise ToolError(_LOST, hint="Look for it with cal_list.")
        if same and version(stored.etag) != event_id.version:
            raise ToolError(
                "The event was changed meanwhile, by somebody or another programme.",
                hint="Look at it again with cal_list, and decide anew.",
            )
        held = self._held(calendar, stored)
        if event_id.time is None:
            return held, self._whole(held)
        event = one_time(held.data, event_id.time, self._zone)
        if event is None:
            raise ToolError("That event does not take place then.", hint="Look for it with cal_list.")
        return held, event

    def _held(self, calendar: Calendar, stored: Stored) -> Held:
        try:
            return Held(calendar=calendar, stored=stored, data=parsed(stored.text))
        except Unreadable as error:
            raise ToolError(f"That event cannot be read: {error}.") from error

    def _whole(self, held: Held) -> Appointment:
        event = whole(held.data)
        if event is None:
            raise ToolError("That event says no time.")
        return event

    def _stored(self, calendar: Calendar, dav: Dav, resource: str, data: Data) -> Held:
        return self._held(calendar, server.create(dav, calendar.url, resource, written(data)))

    def _replaced(self, dav: Dav, held: Held) -> Held:
        return self._held(held.calendar, server.replace(dav, held.stored, written(held.data)))

    def _require_own(self, held: Held) -> None:
        if not held.calendar.own:
            raise ToolError(
                "That calendar is not among the user's own, so nothing is changed there.",
                hint="The user can name it in the account's `own`, if nobody else reads or writes it.",
            )

    # -- arguments and results ----------------------------------------------------------------------------------

    def _wanted(self, given: dict[str, Any]) -> Wanted:
        return Wanted(
            title=given.get("title"),
            start=None if not given.get("start") else when(given["start"], self._zone),
            end=None if not given.get("end") else when(given["end"], self._zone),
            place=given.get("place"),
            notes=given.get("notes"),
        )

    def _composed(self, grant: Grant, *, tentative: bool) -> Data:
        given = grant.plain()
        wanted = self._wanted(given)
        rule = None
        if given.get("repeat") and wanted.start is not None:
            rule = rule_of(given["repeat"], wanted.start)
        return composing.composed(
            uid(grant), wanted, rule=rule, tentative=tentative, call=trace(grant), now=self._clock()
        )

    def _hours(self, text: object) -> Hours:
        days = frozenset(_WEEKDAYS.index(day) for day in self._account.days)
        try:
            start, end = hours_of(str(text) if text else self._account.hours)
        except ValueError as error:
            raise ToolError("Those are no hours.", hint="Write them as 09:00-17:00.") from error
        return Hours(start=start, end=end, days=days)

    def _item(self, held: Held, event: Appointment, *, notes: str | None = None) -> Item:
        return event_item(
            held.id(event.time), event, self._marking, self._zone, in_own_calendar=held.calendar.own, notes=notes
        )

    def _result(self, held: Held, time: str | None, note: str) -> ToolResult:
        event = (None if time is None else one_time(held.data, time, self._zone)) or self._whole(held)
        item = self._item(held, event)
        made = Made("event", item.id, item.content_sha256)
        return ToolResult(items=(item,), note=note, made=(made,))


def _trash_at(url: str) -> Calendar:
    return Calendar(id=TRASH, url=url, name="Trash", own=True)


def _of_another(dav: Dav, address: str, url: str) -> Calendar:
    return Calendar(id="", url=dav.resolved(url if url.endswith("/") else f"{url}/"), name=address, own=False)


def _address(value: object) -> str:
    try:
        return normal(str(value))
    except ValueError as error:
        raise ToolError("That is no mail address.", hint="Look people up with contact_find.") from error


def _people(data: Data) -> set[str]:
    """The addresses of all who take part in an event, or in one of its times."""
    return {one for one in map(address_of, _users(data)) if one is not None}


def _has_strangers(data: Data) -> bool:
    """Whether somebody takes part whose address cannot be read; the server may know whom it means."""
    return any(address_of(one) is None for one in _users(data))


def _users(data: Data) -> list[object]:
    found: list[object] = [one for event in events(data) for one in composing.attendees(event)]
    return found + [event["ORGANIZER"] for event in events(data) if "ORGANIZER" in event]


def _uid(data: Data) -> str:
    return str(composing.main(data).get("UID", ""))


def _searched(event: Appointment) -> str:
    return f"{event.title} {event.place} {event.notes} {' '.join(sorted(event.people))}".casefold()


def _is_deleted(held: Held, event: Appointment) -> bool:
    return event.deleted or held.calendar.id == TRASH


def _takes_time(event: Appointment, own: frozenset[str]) -> bool:
    return not event.free and event.status != "cancelled" and event.answer_of(own) != "declined"


def _count(found: int, shown: int) -> str:
    return f"{found} found." if found <= shown else f"{found} found; these are the first {shown}."


def _for_people(method: Method, title: str, told: Data, zone: ZoneInfo) -> str:
    """A line for those whose programme shows no invitations."""
    event = whole(told)
    at = "" if event is None else f", {moment(event.start, zone):%Y-%m-%d %H:%M %Z}"
    says = {"REQUEST": "You are invited to", "REPLY": "This answers your invitation to", "CANCEL": "Cancelled:"}
    return f"{says[method]} {title}{at}."
