"""Runs the tools for messages, for one account or for several at once.

Every address begins with its service, so one set of four tools serves all accounts of a user's: a model is shown the
same few tools however many there are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from isthmus.agent.marks import Party
from isthmus.agent.tool import Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.messages import items
from isthmus.connectors.messages.ear import Ear
from isthmus.connectors.messages.marking import Marking
from isthmus.connectors.messages.service import Address, Channel, Message, Service
from isthmus.connectors.messages.specs import MOST_READ, MOST_SECONDS, SPECS
from isthmus.domain.errors import ConfigError, ToolError
from isthmus.domain.label import Label

_READ = 20
_SECONDS = 60
_MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One account: the way to its service, and what the settings say of it."""

    name: str
    """Of the account in the settings."""
    service: Service
    labels: frozenset[Label] = frozenset()
    channels: Mapping[str, Address] = field(default_factory=dict)
    """What the user calls channels and people."""
    shows: frozenset[Label] | None = None
    """Labels that may be shown to people over this service, whose operator can read along. None: all."""
    ear: Ear = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ear", Ear(self.service))

    @property
    def marking(self) -> Marking:
        return Marking(self.service, self.labels)

    @property
    def aliases(self) -> dict[Address, str]:
        """What the user calls channels and people, by their addresses."""
        return {address: alias for alias, address in self.channels.items()}

    async def channel_of(self, message: Message) -> Channel:
        """The channel of a message; where the service cannot tell more of it, only that."""
        try:
            return await self.service.channel(message.channel)
        except ToolError:
            return Channel(address=message.channel, direct=message.direct)

    async def aclose(self) -> None:
        await self.ear.aclose()
        await self.service.aclose()


class MessagesToolset(Toolset):
    """The tools of one account or several."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Put accounts together.

        Raises:
            ConfigError: addresses of two of them could not be told apart.
        """
        self._lines = tuple(lines)
        known: dict[str, str] = {}
        for line in self._lines:
            if (other := known.setdefault(line.service.prefix, line.name)) != line.name:
                raise ConfigError(
                    f"The accounts {other} and {line.name} are at the same service, and their addresses look alike.",
                    hint="Give each an agent of its own.",
                )
        self._tools = {
            "msg_channels": self._channels,
            "msg_read": self._read,
            "msg_wait": self._wait,
            "msg_send": self._send,
        }

    @staticmethod
    def together(toolsets: Sequence[MessagesToolset]) -> MessagesToolset:
        """The tools of several accounts as one set. Only that is closed then.

        Raises:
            ConfigError: addresses of two of them could not be told apart.
        """
        return MessagesToolset([line for toolset in toolsets for line in toolset.lines])

    @property
    def lines(self) -> Sequence[Line]:
        """The accounts."""
        return self._lines

    # -- the tool set -------------------------------------------------------------------------------------------

    @property
    @override
    def name(self) -> str:
        return "messages"

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return SPECS

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return (Party(self._place(value)[1]),)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if grant.tool not in self._tools:
            raise ToolError(f"There is no tool {grant.tool} for messages.")
        return await self._tools[grant.tool](grant)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        if grant.tool != "msg_send":
            return None
        line, address = self._place(grant.plain()["to"])
        found = await line.service.find(address, marker(grant))
        return None if found is None else await _sent(line, found, grant)

    @override
    async def aclose(self) -> None:
        for line in self._lines:
            await line.aclose()

    # -- beyond the tools ---------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Make sure that every account can be used.

        Raises:
            ToolError: one cannot.
        """
        for line in self._lines:
            await line.service.me()

    # -- the tools ----------------------------------------------------------------------------------------------

    async def _channels(self, _: Grant) -> ToolResult:
        found: list[Item] = []
        notes: list[str] = []
        for line in self._lines:
            if not line.service.keeps_history:
                line.ear.start()
            try:
                listed = {channel.address: channel for channel in await line.service.channels()}
            except ToolError as error:
                notes.append(f"{line.name}: {error.sentence}")
                continue
            for address in line.channels.values():
                listed.setdefault(address, Channel(address=address))
            found += [items.channel_item(one, line.marking, line.aliases) for one in listed.values()]
        if not found and notes:
            raise ToolError(" ".join(notes))
        if len(found) > _MOST_LISTED:
            notes.append(f"{len(found)} in all; these are {_MOST_LISTED}.")
        return ToolResult(items=tuple(found[:_MOST_LISTED]), note=" ".join(notes))

    async def _read(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        line, address = self._place(given["channel"])
        limit = max(1, min(MOST_READ, given.get("limit") or _READ))
        note = ""
        if line.service.keeps_history:
            channel = await line.service.channel(address)
            found = await line.service.history(address, limit)
        else:
            line.ear.start()
            found = line.ear.remembered(address)[-limit:]
            channel = await line.service.channel(address)
            note = "This service keeps nothing: only what came since isthmus listens is known."
        return ToolResult(
            items=tuple(items.message_item(one, channel, line.marking, line.aliases) for one in found), note=note
        )

    async def _wait(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        line, address = self._place(given["channel"])
        seconds = max(1, min(MOST_SECONDS, given.get("seconds") or _SECONDS))
        with line.ear.listening() as queue:
            try:
                async with asyncio.timeout(seconds):
                    while (message := await queue.get()).channel != address or message.own:
                        pass
            except TimeoutError:
                trouble = f" {line.ear.trouble}" if line.ear.trouble else ""
                return ToolResult(note=f"Nothing came in {seconds} seconds.{trouble}")
        channel = await line.channel_of(message)
        return ToolResult(items=(items.message_item(message, channel, line.marking, line.aliases),))

    async def _send(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        line, address = self._place(given["to"])
        text: str = given["text"]
        if not text.strip():
            raise ToolError("There is no text to send.")
        if len(text) > line.service.longest:
            raise ToolError(
                f"The text is longer than the {line.service.longest} characters that one message holds.",
                hint="Send it in several messages, or shorten it.",
            )
        sent = await line.service.send(address, text, marker(grant))
        line.ear.remember(sent)
        return await _sent(line, sent, grant)

    def _place(self, value: Value) -> tuple[Line, Address]:
        """The account an address belongs to, and the address in normal form.

        Raises:
            ToolError: it is no address.
        """
        text = str(value).strip()
        for line in self._lines:
            if (known := line.channels.get(text.lower())) is not None:
                return line, known
        for line in self._lines:
            if text.startswith(line.service.prefix):
                return line, line.service.address(text)
        prefixes = " or ".join(line.service.prefix for line in self._lines)
        raise ToolError(
            "That is no address of a channel or person.",
            hint=f"Take one from msg_channels; they begin with {prefixes}.",
        )


def marker(grant: Grant) -> str:
    """What goes along with the message that a call sends, the same whenever it is asked for."""
    unique = hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:32]
    return f"{items.MADE}{unique}"


async def _sent(line: Line, message: Message, grant: Grant) -> ToolResult:
    channel = await line.channel_of(message)
    item = items.with_mark(items.message_item(message, channel, line.marking, line.aliases), grant.mark)
    return ToolResult(items=(item,), note="Sent.", made=(Made("mail", item.id),))
