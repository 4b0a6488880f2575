"""XMPP: an account at a Jabber server. What is encrypted end to end is neither read nor sent."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from isthmus.connectors.messages.settings import aliases, is_here, label_set
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "xmpp"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an XMPP account needs to be told."""

    address: str
    """`agent@example.org`."""
    password: SecretRef
    host: str | None = None
    """Of the server, where the domain of the address does not tell."""
    port: int = 5222
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """`none` is for a server on this machine."""
    ca: str | None = None
    """Path of a file with the certificates to trust instead of the system's (PEM)."""
    rooms: tuple[str, ...] = ()
    """Rooms to be in: `team@rooms.example.org`."""
    nick: str = "isthmus"
    """What the account is called in rooms."""
    channels: dict[str, str] = {}
    """What you call rooms and people: `bob = "bob@example.org"`."""
    shows: tuple[str, ...] | None = None
    """Labels that may be shown to people over this account, whose operator can read along. Not said: all."""

    def __post_init__(self) -> None:
        if "@" not in self.address:
            raise ValueError("address must be as in agent@example.org")
        if self.tls == "none" and not is_here(self.host):
            raise ValueError("the server is another machine, so messages and password need tls there")
        label_set(self.shows)


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> MessagesToolset:
    """The tools of an account. Nothing is connected before it is needed.

    Raises:
        ConfigError: the password is not where it should be.
        ToolError: a name or a room is no address.
        OSError: the file `ca` cannot be read.
        ssl.SSLError: it holds no certificates.
    """
    from isthmus.connectors.xmpp.client import Client, Server  # noqa: PLC0415  # brings the library

    cafile = None if account.ca is None else os.path.expanduser(account.ca)  # noqa: ASYNC240  # looks at no disk
    service = Client(
        account.address,
        await secret(account.password),
        Server(
            host=account.host,
            port=account.port,
            tls=account.tls,
            context=ssl.create_default_context(cafile=cafile),
        ),
        rooms=account.rooms,
        nick=account.nick,
    )
    return MessagesToolset(
        [
            Line(
                name=name,
                service=service,
                labels=labels,
                channels=aliases(service, account.channels),
                shows=label_set(account.shows),
            )
        ]
    )
