"""Matrix: an account at a homeserver. Rooms that are encrypted end to end are neither read nor written to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from isthmus.connectors.messages.settings import aliases, is_safe, label_set
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "matrix"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a Matrix account needs to be told."""

    homeserver: str
    """Address of the homeserver's client API: `https://matrix.example.org`."""
    user: str
    """`@agent:example.org`."""
    token: SecretRef
    """Access token of a device that nothing else uses."""
    channels: dict[str, str] = {}
    """What you call rooms and people: `family = "!room:example.org"`."""
    shows: tuple[str, ...] | None = None
    """Labels that may be shown to people over this account, whose operator can read along. Not said: all."""

    def __post_init__(self) -> None:
        if not is_safe(self.homeserver):
            raise ValueError("homeserver must be an https:// address, or one on this machine")
        if not self.user.startswith("@") or ":" not in self.user:
            raise ValueError("user must be a Matrix id, as in @agent:example.org")
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
        ConfigError: the token is not where it should be.
        ToolError: a name stands for no address.
    """
    from isthmus.connectors.matrix.rooms import Rooms  # noqa: PLC0415  # brings the library

    service = Rooms(account.homeserver, account.user, await secret(account.token))
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
