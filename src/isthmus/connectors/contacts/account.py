"""Contacts: a CardDAV account, for names to become addresses."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.connectors.webdav.client import Server
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "carddav"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a contacts account needs to be told."""

    url: str
    """Of the server, or of the user's part of it. `https`, or `http` on this machine."""
    user: str
    password: SecretRef
    own: tuple[str, ...] = ()
    """Address books that nobody but the user writes to or reads, by their ids, the last part of their addresses. What
    they say of a name counts as the user's word, so that a mail "to Anna" goes to Anna's address in them without a
    question; new contacts go into the first. Leave out a book that a programme fills with whoever writes to the
    user."""
    also: tuple[str, ...] = ()
    """Further hosts of the same service, which get the password too."""
    ca: str | None = None
    """Path of a file with the certificates to trust instead of the system's (PEM)."""

    def __post_init__(self) -> None:
        Server(url=self.url)


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
    from isthmus.connectors.contacts.toolset import ContactsToolset  # noqa: PLC0415  # as for every kind of account

    context = None
    if urlsplit(account.url).scheme == "https":
        context = ssl.create_default_context(cafile=None if account.ca is None else os.path.expanduser(account.ca))  # noqa: ASYNC240  # looks at no disk
    server = Server(url=account.url, also=frozenset(account.also), context=context)
    return ContactsToolset(name, account, server, labels=labels, secret=secret)
