"""A calendar: a CalDAV account, with times in one's own zone."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.connectors.calendar.free import hours_of
from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.webdav.client import LOOPBACK, Server
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "caldav"

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By which server invitations and answers are mailed."""

    host: str
    port: int = 465
    tls: Literal["tls", "starttls", "none"] = "tls"
    """`none` is for a server on this machine."""
    user: str | None = None
    """By which one logs in. None: it wants no user and password."""
    password: SecretRef | None = None

    def __post_init__(self) -> None:
        if self.tls == "none" and self.host not in LOOPBACK:
            raise ValueError(f"{self.host} is another machine, so mail and password need tls there")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a calendar account needs to be told."""

    url: str
    """Of the server, or of the user's part of it. `https`, or `http` on this machine."""
    user: str
    password: SecretRef
    address: str
    """The user's mail address: by it invitations are the user's, and it organises what the user invites to."""
    time_zone: str
    """As in `Europe/Berlin`."""
    name: str = ""
    """What others see beside the address."""
    addresses: tuple[str, ...] = ()
    """Further addresses of the user's."""
    own: tuple[str, ...] = ()
    """Calendars that nobody but the user writes to or reads, by their ids (`cal_calendars` lists them). Events are made
    in the first and changed in these alone, and what is in them without anybody else is the user's own words. Without
    one, calendars are only read."""
    invitations: Literal["server", "mail", "none"] = "none"
    """How others are told: by the calendar server itself (RFC 6638), or by mail (RFC 6047) through `smtp`. `none`:
    nobody is invited or answered."""
    smtp: Smtp | None = None
    people: dict[str, str] = {}
    """Calendars of others that the user may read, by their owners' addresses: for free times."""
    hours: str = "09:00-17:00"
    """Working hours."""
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    """Working days."""
    also: tuple[str, ...] = ()
    """Further hosts of the same service, which get the password too."""
    ca: str | None = None
    """Path of a file with the certificates to trust instead of the system's (PEM)."""

    def __post_init__(self) -> None:
        for address in (self.address, *self.addresses, *self.people):
            try:
                normal(address)
            except ValueError as error:
                raise ValueError(f"{address!r} is no mail address") from error
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{self.time_zone!r} is no time zone; write it as in Europe/Berlin") from error
        if (self.invitations == "mail") != (self.smtp is not None):
            raise ValueError("invitations by mail and smtp go together")
        Server(url=self.url)
        hours_of(self.hours)

    @property
    def own_addresses(self) -> frozenset[str]:
        """The user's addresses, in normal form."""
        return frozenset(map(normal, (self.address, *self.addresses)))


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> Toolset:
    """The tools of an account. Nothing is connected before it is needed.

    Raises:
        OSError: the file `ca` cannot be read.
        ssl.SSLError: it holds no certificates.
    """
    from isthmus.connectors.calendar.toolset import CalendarToolset  # noqa: PLC0415  # brings the libraries

    context = ssl.create_default_context(cafile=None if account.ca is None else os.path.expanduser(account.ca))  # noqa: ASYNC240  # looks at no disk
    server = Server(
        url=account.url,
        also=frozenset(account.also),
        context=context if urlsplit(account.url).scheme == "https" else None,
    )
    return CalendarToolset(name, account, server, labels=labels, secret=secret, context=context)
