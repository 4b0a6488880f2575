"""Hearing what comes in over one account: one connection for all who listen, made again when it is lost.

What came is remembered for a while, for services that keep no history. Whoever has to lose nothing (`front`) is told
before the service is: a service counts something as delivered when the next is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

from isthmus.connectors.messages.service import Address, Heard, Message, Service, Welcome
from isthmus.domain.errors import ToolError

log = logging.getLogger("isthmus.connectors.messages")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds after a lost connection; doubled each time, so that a wrong password locks no account."""

_REMEMBERED = 200
"""Messages of a channel."""
_CHANNELS = 500

Keep = Callable[[Heard], Awaitable[None]]
"""Keeps what came. When it returns, the service may forget it."""


class Ear:
    """Listens to one account."""

    def __init__(self, service: Service, *, first_pause: float = FIRST_PAUSE) -> None:
        self._service = service
        self._first_pause = first_pause
        self._keep: Keep | None = None
        self._cursor: str | None = None
        self._welcome: Welcome = lambda _: False
        self._task: asyncio.Task[None] | None = None
        self._listening: set[asyncio.Queue[Message]] = set()
        self._remembered: OrderedDict[Address, deque[Message]] = OrderedDict()
        self.trouble: str | None = None
        """Why nothing is heard at the moment, for people."""

    def start(self) -> None:
        """Begin to listen, if nobody has yet."""
        if self._task is None or self._task.done():
            # Not a task group's: tools have no place that they are run within. `aclose` ends it.
            self._task = asyncio.get_running_loop().create_task(self._listen())

    async def keep(self, keep: Keep, *, after: str | None, welcome: Welcome) -> None:
        """Tell somebody who loses nothing, from a cursor on.

        Args:
            keep: is told of all that comes, before the service may forget it.
            after: where it stopped before.
            welcome: who may bring the account into channels with others.
        """
        await self._stop()
        self._keep, self._cursor, self._welcome = keep, after, welcome
        self.start()

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Message]]:
        """What comes from now on."""
        queue: asyncio.Queue[Message] = asyncio.Queue(1000)
        self._listening.add(queue)
        try:
            self.start()
            yield queue
        finally:
            self._listening.discard(queue)

    def remembered(self, channel: Address) -> Sequence[Message]:
        """What came in a channel since isthmus listens, oldest first."""
        return tuple(self._remembered.get(channel, ()))

    def remember(self, message: Message) -> None:
        """A message that came, or was sent."""
        known = self._remembered.setdefault(message.channel, deque(maxlen=_REMEMBERED))
        self._remembered.move_to_end(message.channel)
        if all(one.id != message.id for one in known):
            known.append(message)
        while len(self._remembered) > _CHANNELS:
            self._remembered.popitem(last=False)

    async def aclose(self) -> None:
        await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        pause = self._first_pause
        while True:
            try:
                async with contextlib.aclosing(self._service.hear(self._cursor, self._welcome)) as heard:
                    async for one in heard:
                        await self._take(one)
                        pause = self._first_pause
                        self.trouble = None
            except ToolError as error:
                self.trouble = error.sentence
                log.warning("nothing is heard over %s for now: %s", self._service.prefix, error.message)
            except Exception as error:  # the boundary to foreign code: one message that breaks it must not end hearing
                self.trouble = f"{self._service.prefix} failed ({type(error).__name__})."
                log.error("hearing over %s failed: %s", self._service.prefix, type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _take(self, heard: Heard) -> None:
        if self._keep is not None:
            await self._keep(heard)
        self._cursor = heard.cursor
        for message in heard.messages:
            self.remember(message)
            for queue in self._listening:
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(message)
