"""Slack: an app in a workspace. It hears by Socket Mode, so nothing here has to be reachable from outside."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from isthmus.connectors.messages.settings import aliases, is_safe, label_set
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "slack"

_TEAM = re.compile(r"T[A-Z0-9]{1,20}\Z")


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an app needs to be told."""

    team: str
    """Id of the workspace: `T…`."""
    token: SecretRef
    """Bot token: `xoxb-…`."""
    app_token: SecretRef | None = None
    """App-level token with `connections:write`: `xapp-…`. Without it nothing is heard, only read and sent."""
    server: str = "https://slack.com/api/"
    """Address of the Web API."""
    channels: dict[str, str] = {}
    """What you call channels and people: `general = "C0123"`."""
    shows: tuple[str, ...] | None = None
    """Labels that may be shown to people over this account, whose operator can read along. Not said: all."""

    def __post_init__(self) -> None:
        if _TEAM.match(self.team) is None:
            raise ValueError("team must be the id of a workspace, as in T0123")
        if not is_safe(self.server):
            raise ValueError("server must be an https:// address, or one on this machine")
        label_set(self.shows)


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> MessagesToolset:
    """The tools of an app. Nothing is connected before it is needed.

    Raises:
        ConfigError: a token is not where it should be.
        ToolError: a name stands for no channel.
    """
    from isthmus.connectors.slack.workspace import Workspace  # noqa: PLC0415  # brings the library

    service = Workspace(
        account.server,
        account.team,
        await secret(account.token),
        None if account.app_token is None else await secret(account.app_token),
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
