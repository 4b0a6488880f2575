"""A CalDAV server (RFC 4791): the user's calendars, what is in them, and how it is changed. Blocking; for a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from isthmus.connectors.webdav.client import ELSEWHERE, Dav
from isthmus.connectors.webdav.multistatus import CALDAV, DAV, Resource
from isthmus.domain.errors import ToolError

MAX_EVENTS = 5_000
"""Read from one calendar at once."""
TRASH = "isthmus-trash"

_NS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
_TYPE = {"content-type": "text/calendar; charset=utf-8"}
_CALENDAR = (
    f"<propfind {_NS}><prop><resourcetype/><displayname/><C:supported-calendar-component-set/>"
    "<current-user-privilege-set/></prop></propfind>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the user's calendars are."""

    urls: tuple[str, ...]
    tells: bool
    """Whether the server itself invites and answers (RFC 6638)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One calendar."""

    id: str
    """The last part of its address, as it stands there."""
    url: str
    """Ends with a slash."""
    name: str
    own: bool
    """Whether the account declares it as the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One event as it is stored."""

    url: str
    etag: str
    text: str

    @property
    def resource(self) -> str:
        """The last part of its address."""
        return urlsplit(self.url).path.rpartition("/")[2]


def home(dav: Dav) -> Home:
    """Where the user's calendars are, by what the server says of the user (RFC 6764, section 6).

    Raises:
        ToolError: it does not say.
    """
    wanted = f"<propfind {_NS}><prop><current-user-principal/><C:calendar-home-set/><resourcetype/></prop></propfind>"
    for begin in (dav.server.url, "/.well-known/caldav", "/"):
        for found in dav.find("PROPFIND", begin, wanted, depth=0, missing=ELSEWHERE):
            if principal := found.hrefs(f"{DAV}current-user-principal"):
                return _home_of(dav, dav.resolved(principal[0]))
            if found.properties.get(f"{CALDAV}calendar-home-set") is not None:
                return _home_of(dav, found.href)
    raise ToolError(
        f"The server {dav.server.where} does not say where the user's calendars are.",
        hint="The user has to check the account's url.",
    )


def _home_of(dav: Dav, principal: str) -> Home:
    wanted = f"<propfind {_NS}><prop><C:calendar-home-set/></prop></propfind>"
    found = dav.find("PROPFIND", principal, wanted, depth=0)
    urls = [dav.resolved(href) for one in found for href in one.hrefs(f"{CALDAV}calendar-home-set")]
    if not urls:
        raise ToolError(f"The server {dav.server.where} keeps no calendars for the user.")
    classes = dav.ask("OPTIONS", urls[0]).headers.get("dav", "").lower()
    tells = "calendar-auto-schedule" in {name.strip() for name in classes.split(",")}
    return Home(urls=tuple(urls), tells=tells)


def calendars(dav: Dav, at: Home, own: Sequence[str]) -> list[Calendar]:
    """The user's calendars, those of the user's own first, in the order the account names them.

    Args:
        dav: asks.
        at: where they are.
        own: ids that the account declares so.
    """
    found: dict[str, Calendar] = {}
    for url in at.urls:
        for one in dav.find("PROPFIND", url, _CALENDAR, depth=1):
            if not one.has(f"{DAV}resourcetype", f"{CALDAV}calendar") or not _holds_events(one):
                continue
            address = one.href if one.href.endswith("/") else f"{one.href}/"
            last = urlsplit(address).path.rstrip("/").rpartition("/")[2]
            name = one.text(f"{DAV}displayname") or unquote(last)
            found.setdefault(last, Calendar(id=last, url=address, name=name[:100], own=last in own))
    return sorted(found.values(), key=lambda one: own.index(one.id) if one.own else len(own))


def _holds_events(one: Resource) -> bool:
    kinds = one.properties.get(f"{CALDAV}supported-calendar-component-set")
    return kinds is None or any(kind.get("name", "").upper() == "VEVENT" for kind in kinds)


def events_between(dav: Dav, calendar: str, start: datetime, end: datetime) -> list[Stored]:
    """The events of a calendar that take place in a stretch of time, as far as the server can tell.

    Raises:
        ToolError: they cannot be had.
    """
    first, last = (f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}" for at in (start, end))
    found = dav.find(
        "REPORT",
        calendar,
        f"<C:calendar-query {_NS}><prop><getetag/><C:calendar-data/></prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{first}" end="{last}"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>',
        depth=1,
    )
    if len(found) > MAX_EVENTS:
        raise ToolError("There are too many events in that time.", hint="Ask for a shorter stretch of time.")
    return [
        Stored(url=one.href, etag=one.text(f"{DAV}getetag"), text=text)
        for one in found
        if (text := one.text(f"{CALDAV}calendar-data"))
    ]


def event_named(dav: Dav, calendar: str, resource: str) -> Stored | None:
    """An event by its name in a calendar. None: it is not there.

    Raises:
        ToolError: it cannot be had.
    """
    return event_at(dav, f"{calendar}{resource}")


def event_at(dav: Dav, url: str) -> Stored | None:
    """An event by its address. None: it is not there.

    Raises:
        ToolError: it cannot be had.
    """
    answer = dav.ask("GET", url, expect={404, 410})
    if answer.status != 200:
        return None
    return Stored(url=answer.url, etag=answer.etag, text=answer.body.decode("utf-8", "replace"))


def event_with_uid(dav: Dav, calendar: str, uid: str) -> Stored | None:
    """An event by its UID. None: it is not there."""
    found = dav.find(
        "REPORT",
        calendar,
        f"<C:calendar-query {_NS}><prop><getetag/><C:calendar-data/></prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID">'
        f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        "</C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>",
        depth=1,
    )
    # The match is one of a part of the text; who asks looks at the UID itself.
    return next(
        (
            Stored(url=one.href, etag=one.text(f"{DAV}getetag"), text=text)
            for one in found
            if uid in "".join((text := one.text(f"{CALDAV}calendar-data")).replace("\r\n ", "").splitlines())
        ),
        None,
    )


def create(dav: Dav, calendar: str, resource: str, text: str) -> Stored:
    """Store a new event.

    Raises:
        ToolError: it is not stored; there may be one of that name.
        ToolUncertain: the connection was lost.
    """
    url = f"{calendar}{quote(resource, safe='-._~@')}"
    dav.ask("PUT", url, text, headers={**_TYPE, "if-none-match": "*"})
    return _again(dav, url)


def replace(dav: Dav, stored: Stored, text: str) -> Stored:
    """Store an event in the place of the version that was read.

    Raises:
        ToolError: it was changed meanwhile, or cannot be changed.
        ToolUncertain: the connection was lost.
    """
    dav.ask("PUT", stored.url, text, headers={**_TYPE, **_if_still(stored)})
    return _again(dav, stored.url)


def move(dav: Dav, stored: Stored, to: str) -> Stored:
    """Move an event to another address.

    Raises:
        ToolError: it is not moved; something may be there.
        ToolUncertain: the connection was lost.
    """
    dav.ask("MOVE", stored.url, headers={"destination": to, "overwrite": "F", **_if_still(stored)})
    return _again(dav, to)


def trash(dav: Dav, at: Home) -> str:
    """The address of the calendar for what was deleted; it is made where there is none.

    Raises:
        ToolError: there is none, and it cannot be made.
    """
    url = f"{at.urls[0].rstrip('/')}/{TRASH}/"
    if dav.find("PROPFIND", url, f"<propfind {_NS}><prop><resourcetype/></prop></propfind>", depth=0):
        return url
    body = (
        f"<C:mkcalendar {_NS}><set><prop><displayname>Trash</displayname>"
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></prop></set></C:mkcalendar>"
    )
    dav.ask("MKCALENDAR", url, body, headers={"content-type": "application/xml; charset=utf-8"})
    return url


def _if_still(stored: Stored) -> dict[str, str]:
    return {"if-match": stored.etag} if stored.etag else {}


def _again(dav: Dav, url: str) -> Stored:
    """What is stored now: some servers change what they are given."""
    found = event_at(dav, url)
    if found is None:
        raise ToolError("It was stored, and is not there any more.", hint="Look for it with cal_list.")
    return found
