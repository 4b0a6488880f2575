"""A browser of its own for the agent: Chromium, with a profile that nobody else uses."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.connectors.web.addresses import address
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "browser"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a browser needs to be told."""

    chromium: str = "/usr/bin/chromium"
    """Path of the programme."""
    profile: str | None = None
    """Folder of cookies and what else sites keep; only the user can read it. None: one by the account's name, in the
    user's state folder."""
    downloads: str | None = None
    """Folder for files that are downloaded. None: none are."""
    allow: tuple[str, ...] = ()
    """Hosts, `host` or `host:port`, of the user's own network that may be opened, over `http` as well."""
    logins: tuple[str, ...] = ()
    """Hosts where the user is logged in within this profile: what is read there is the user's and theirs alone."""
    companions: dict[str, tuple[str, ...]] = {}
    """By host: other hosts that its pages need once something was typed into them. They come to see what it sees."""
    seconds: float = 20.0
    """How long is waited for a page."""

    def __post_init__(self) -> None:
        hosts = (
            *self.allow,
            *self.logins,
            *self.companions,
            *(one for more in self.companions.values() for one in more),
        )
        for host in hosts:
            try:
                found = address(f"https://{host}")
            except ToolError as error:
                raise ValueError(f"{host!r} is no name of a host") from error
            if found.rest != "/" or host not in {found.host, f"{found.host}:{found.port}"}:
                raise ValueError(f"{host!r} is no name of a host: {found.host!r} would be")
        if not 1 <= self.seconds <= 300:
            raise ValueError("seconds has to be between 1 and 300")


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],  # noqa: ARG001  # a browser has none
) -> Toolset:
    """The tools of a browser. It is started when it is needed first."""
    from isthmus.connectors.browser.toolset import BrowserToolset  # noqa: PLC0415  # brings the libraries

    return BrowserToolset(name, account, labels=labels, profile=profile_folder(name, account))


def profile_folder(name: str, account: Account) -> Path:
    """Where the profile lies."""
    if account.profile is not None:
        return Path(account.profile).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "isthmus" / "browser" / name
