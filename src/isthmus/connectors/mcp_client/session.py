"""The connection to an MCP server. It lives in a task of its own, because the library ends it where it was begun.

The server is given nothing: no roots, no sampling of our models, no questions to the user, and of our environment what
a programme needs to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.session import IncomingMessage, MessageHandlerFnT
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Tool, ToolListChangedNotification

from isthmus.connectors.mcp_client.account import Account
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import SecretRef

CALL_SECONDS = 60.0
CLOSE_SECONDS = 10.0
MOST_TOOLS = 200
_MOST_PAGES = 20


class Session:
    """A server that answers, until it is closed or ends by itself."""

    def __init__(self, account: Account, secret: Callable[[SecretRef], Awaitable[str]]) -> None:
        self._account = account
        self._secret = secret
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.changed = False
        """The server said that its list of tools is another one, or it is not known any more what it is."""

    @property
    def ended(self) -> bool:
        return self._task is None or self._task.done()

    async def start(self) -> None:
        """Connect.

        Raises:
            ConfigError: there is no server.
        """
        self._task = asyncio.create_task(self._live())
        try:
            await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except ConfigError:
            raise
        except Exception as exc:  # the library's errors are many, and come in groups
            raise ConfigError(
                "The MCP server does not answer.", hint="Is the command right, and installed? Try it by hand."
            ) from exc

    async def tools(self) -> list[Tool]:
        """All tools it has.

        Raises:
            ConfigError: there are too many to be looked at by anybody.
        """
        client = await self._ready
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor and len(found) <= MOST_TOOLS:
                return found
        raise ConfigError(f"The MCP server lists more than {MOST_TOOLS} tools.")

    async def call(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        client = await self._ready
        return await client.call_tool(tool, arguments, read_timeout_seconds=CALL_SECONDS)

    async def aclose(self) -> None:
        """Close the connection; a programme is ended."""
        self._closing.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.wait([self._task])
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _live(self) -> None:
        try:
            async with _client(self._account, self._secret, self._heard) as client:
                self._ready.set_result(client)
                await self._closing.wait()
        except Exception as exc:
            if not self._ready.done():
                self._ready.set_exception(exc)

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.changed = True


@asynccontextmanager
async def _client(
    account: Account,
    secret: Callable[[SecretRef], Awaitable[str]],
    heard: MessageHandlerFnT,
) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        if account.url is not None:
            headers = {}
            if account.token is not None:
                headers["authorization"] = f"Bearer {await secret(account.token)}"
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS))
            transport = streamable_http_client(account.url, http_client=http)
        else:
            programme, *arguments = account.command
            parameters = StdioServerParameters(
                command=programme,
                args=arguments,
                env={name: await secret(ref) for name, ref in account.env.items()},
                cwd=None if account.folder is None else os.path.expanduser(account.folder),  # noqa: ASYNC240  # no disk
            )
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, ASYNC230  # no disk
            transport = stdio_client(parameters, errlog=nowhere)
        yield await stack.enter_async_context(Client(transport, cache=None, message_handler=heard))
