"""Telling the user something that nobody asked for just now: a reminder, what came of a task.

It goes to the user alone, over the first account that may show it. Where none may, or none can be reached, it is kept
in a file of this machine, and the receipt says so: what is due is never lost for want of a room. All of them fulfil
`agent.schedule.ports.Channel`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from isthmus.agent.channels import showing
from isthmus.agent.marks import Mark, Party
from isthmus.connectors.messages.front import PAUSES
from isthmus.connectors.messages.items import MADE
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.service import Address
from isthmus.connectors.messages.toolset import Line
from isthmus.domain.errors import ToolError, ToolUncertain

if TYPE_CHECKING:  # it brings the libraries of the extra
    from isthmus.agent.schedule.ports import Channel

log = logging.getLogger("isthmus.connectors.messages")


class OverLine:
    """The user, over one account."""

    def __init__(
        self, line: Line, journal: Journal, *, users: Sequence[str] = (), pauses: Sequence[float] = PAUSES
    ) -> None:
        """Nothing is told yet.

        Args:
            line: the account.
            journal: that knows who was paired.
            users: who may speak to the agent, by the settings. The first of them at this service is told.
            pauses: seconds between tries.
        """
        self._line = line
        self._journal = journal
        self._users = tuple(users)
        self._pauses = tuple(pauses)

    @property
    def name(self) -> str:
        return self._line.name

    async def tell(self, text: str, mark: Mark, *, key: str) -> str:
        if (to := await self._user()) is None:
            raise ToolError(
                f"Nobody is known to be told over {self._line.name}.", hint="Name yourself in [agent] users, or pair."
            )
        await self._permit(to, mark)
        receipts = [
            await self._send(to, piece, _marker(key, number))
            for number, piece in enumerate(showing.pieces(text, self._line.service.longest))
        ]
        if not receipts:
            raise ToolError("There is nothing to tell.")
        return f"{to}/{receipts[0]}"

    async def find_told(self, key: str) -> str | None:
        if (to := await self._user()) is None:
            return None
        found = await self._line.service.find(to, _marker(key, 0))
        return None if found is None else f"{to}/{found.id}"

    async def _user(self) -> Address | None:
        """The user's address at this service: whom the settings name, else who was paired first. None: nobody was."""
        people = await run_sync(self._journal.people, self._users)
        known = [*self._users, *sorted(people.paired, key=lambda address: people.paired[address])]
        for address in known:
            if address.startswith(self._line.service.prefix):
                return self._line.service.address(address)
        return None

    async def _permit(self, to: Address, mark: Mark) -> None:
        """Make sure that it may be shown there.

        Raises:
            ToolError: it may not.
        """
        if self._line.shows is not None and (hidden := mark.labels - self._line.shows):
            raise ToolError(f"What bears the labels {', '.join(sorted(hidden))} may not be shown over this service.")
        try:
            there = await self._line.service.channel(to)
        except ToolError:  # a person whom nothing was said to yet: the service makes a room of two
            return
        if there.direct and (there.members is None or there.members <= {to}):
            return
        if not mark.readers.include(map(Party, {there.address, *(there.members or ())} - {to})):
            raise ToolError("Not everybody there may read it.")

    async def _send(self, to: Address, text: str, marker: str) -> str:
        for pause in self._pauses:
            try:
                return await self._sent(to, text, marker)
            except ToolUncertain:
                raise
            except ToolError:
                await anyio.sleep(pause)
        return await self._sent(to, text, marker)

    async def _sent(self, to: Address, text: str, marker: str) -> str:
        message = await self._line.service.send(to, text, marker)
        self._line.ear.remember(message)
        return message.id


class Kept:
    """A file of this machine that only the user can read: a line of JSON for each thing told, the newest last."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return "file"

    async def tell(self, text: str, mark: Mark, *, key: str) -> str:
        return await run_sync(self._write, text, mark, key)

    async def find_told(self, key: str) -> str | None:
        return await run_sync(self._find, key)

    def _write(self, text: str, mark: Mark, key: str) -> str:
        told = {"at": self._clock().isoformat(), "key": key, "text": text, "labels": sorted(mark.labels)}
        line = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        try:
            with self._lock:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(descriptor, line)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise ToolError(f"It cannot be kept in {self._path}: {error.strerror}.") from error
        return self._receipt(key)

    def _find(self, key: str) -> str | None:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ToolError(f"{self._path} cannot be read: {error.strerror}.") from error
        return self._receipt(key) if any(_key(line) == key for line in lines) else None

    def _receipt(self, key: str) -> str:
        return f"kept in {self._path} as {key}"


class FirstOf:
    """Several ways to the user: the first that can, tells. The last has to be one that always can."""

    def __init__(self, ways: Sequence[Channel]) -> None:
        self._ways = tuple(ways)

    @property
    def name(self) -> str:
        return " or ".join(way.name for way in self._ways)

    async def tell(self, text: str, mark: Mark, *, key: str) -> str:
        *before, last = self._ways
        for way in before:
            try:
                return await way.tell(text, mark, key=key)
            except ToolUncertain:
                raise
            except ToolError as error:
                log.warning("the user is not told over %s: %s", way.name, error.message)
        return await last.tell(text, mark, key=key)

    async def find_told(self, key: str) -> str | None:
        """As every channel. What one of them cannot say is unknown, unless another says that it told it."""
        unknown: ToolError | None = None
        for way in reversed(self._ways):
            try:
                if (receipt := await way.find_told(key)) is not None:
                    return receipt
            except ToolError as error:
                unknown = error
        if unknown is not None:
            raise unknown
        return None


def _marker(key: str, number: int) -> str:
    """What goes along with a piece of what is told, the same whenever it is told again."""
    return f"{MADE}{hashlib.sha256(f'told {key} {number}'.encode()).hexdigest()[:32]}"


def _key(line: bytes) -> str | None:
    try:
        return str(json.loads(line)["key"])
    except (ValueError, KeyError, TypeError):  # a line that was cut off
        return None
