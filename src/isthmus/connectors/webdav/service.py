"""An account at a WebDAV server, asked from the event loop: each piece of work is a conversation in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from isthmus.connectors.webdav.client import Dav, Server

T = TypeVar("T")


class Service:
    """An account at a server. Nothing is connected between pieces of work."""

    def __init__(self, name: str, server: Server, user: str, password: Callable[[], Awaitable[str]]) -> None:
        """Nothing is asked yet.

        Args:
            name: of the account.
            server: where it is.
            user: by whose name it is asked.
            password: reads it in the moment it is used.
        """
        self._name = name
        self._server = server
        self._user = user
        self._password = password
        # Of their own: a server that hangs must not take the threads that others need.
        self._threads = anyio.CapacityLimiter(2)

    async def ask(self, work: Callable[[Dav], T]) -> T:
        """Do work that asks the server things.

        Raises:
            ToolError: it cannot be done.
        """
        dav = Dav(self._server, self._name, (self._user, await self._password()))
        try:
            return await to_thread.run_sync(work, dav, abandon_on_cancel=True, limiter=self._threads)
        finally:
            dav.cut()
