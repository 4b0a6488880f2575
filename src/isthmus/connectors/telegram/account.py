"""Telegram: a bot. Telegram reads along, and shows a bot nothing of what was said before it listened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from isthmus.connectors.messages.settings import aliases, is_safe, label_set
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "telegram"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a bot needs to be told."""

    token: SecretRef
    """What @BotFather gave."""
    server: str = "https://api.telegram.org"
    """Address of the Bot API, where you run your own."""
    channels: dict[str, str] = {}
    """What you call chats: `family = "-100123"`."""
    shows: tuple[str, ...] | None = None
    """Labels that may be shown to people over this account, whose operator can read along. Not said: all."""

    def __post_init__(self) -> None:
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
    """The tools of a bot. Nothing is connected before it is needed.

    Raises:
        ConfigError: the token is not where it should be.
        ToolError: a name stands for no chat.
    """
    from isthmus.connectors.telegram.bot import Bot  # noqa: PLC0415  # brings the library

    service = Bot(account.server, await secret(account.token))
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
