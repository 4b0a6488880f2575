"""What a messaging service is to isthmus: channels, messages in them, and a way to hear of new ones.

Each service is one package that only speaks its protocol and fulfils `Service`. What the tools are, what marks they
bear, how lost connections are made again and how people meet the agent is the same for all of them and lies here.

An address names a person or a channel by service, as in `matrix:!room:example.org`, `xmpp:bob@example.org`,
`telegram:12345`, `slack:T1/C2`. It is what tools take and show, and also the party that reads what is sent there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol

Address = NewType("Address", str)
"""With the service's prefix, in normal form."""

Welcome = Callable[[Address], bool]
"""Whether somebody may bring the account into a channel that others are in too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A place where messages are."""

    address: Address
    name: str = ""
    """As people see it. Whoever may name it can write anything into it."""
    members: frozenset[Address] | None = None
    """Who is in it, without the account itself. None: the service does not tell."""
    direct: bool = False
    """Whether only one other party is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, as the service tells it."""

    id: str
    """Unique in its channel."""
    channel: Address
    sender: Address
    """As the service vouches for it."""
    name: str = ""
    """What the sender is called: by their own word."""
    text: str
    at: datetime | None
    """None: the service does not tell, or whoever sent it said so."""
    own: bool = False
    """Whether the account itself sent it."""
    marker: str | None = None
    """By which isthmus knows again what it sent."""
    mentions_me: bool = False
    direct: bool = False
    """Whether its channel has only one other party."""
    automatic: bool = False
    """Whether a programme says that it sent it: such are never answered, or two of them would never end."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came, and up to where everything has come then."""

    messages: tuple[Message, ...]
    cursor: str
    """Given to `Service.hear`, what comes after this is told."""


class Service(Protocol):
    """One account at one service. Every call may raise a `ToolError` that says what would help."""

    @property
    def prefix(self) -> str:
        """How addresses of the account's begin, as in `matrix:` or `slack:T1/`."""
        ...

    @property
    def assigns_people(self) -> bool:
        """Whether addresses of people are numbers that the service gives, and not names that they choose."""
        ...

    @property
    def assigns_channels(self) -> bool:
        """As `assigns_people`, of channels."""
        ...

    @property
    def keeps_history(self) -> bool:
        """Whether old messages can be asked for. Otherwise only those are known that came while isthmus listened."""
        ...

    @property
    def longest(self) -> int:
        """Characters of one message, at most."""
        ...

    def address(self, text: str) -> Address:
        """An address in normal form.

        Raises:
            ToolError: it is none.
        """
        ...

    async def me(self) -> Address:
        """The account's own address."""
        ...

    async def channels(self) -> Sequence[Channel]:
        """The channels the account is in, as far as the service tells."""
        ...

    async def channel(self, address: Address) -> Channel:
        """One channel.

        Raises:
            ToolError: the account is not in it.
        """
        ...

    async def history(self, channel: Address, most: int) -> Sequence[Message]:
        """The last messages of a channel, oldest first."""
        ...

    async def send(self, to: Address, text: str, marker: str) -> Message:
        """Send plain text; nothing in it is turned into a preview, as far as the service can be told so.

        Args:
            to: a channel, or a person.
            text: as it is to be read.
            marker: goes along, where the service can carry it. What bears the same marker is sent once.

        Raises:
            ToolError: it was not sent.
            ToolUncertain: whether it was sent cannot be told.
        """
        ...

    async def find(self, to: Address, marker: str) -> Message | None:
        """What was sent under a marker. None: nothing was.

        Raises:
            ToolUncertain: that cannot be told.
        """
        ...

    def hear(self, after: str | None, welcome: Welcome) -> AsyncGenerator[Heard, None]:
        """Tell what comes, for as long as the connection lasts. Taking the next says that all before is kept.

        Args:
            after: a cursor; None: begin with what comes now.
            welcome: who may bring the account into channels with others.
        """
        ...

    async def aclose(self) -> None: ...
