"""The tools of an MCP server that somebody else wrote, run under the monitor's grants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, Tool
from typing_extensions import override

from isthmus.agent.guarding import ANY
from isthmus.agent.marks import Party
from isthmus.agent.tool import Grant, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.mcp_client.account import Account
from isthmus.connectors.mcp_client.pins import digest
from isthmus.connectors.mcp_client.results import mark_of, result_of
from isthmus.connectors.mcp_client.session import Session
from isthmus.connectors.mcp_client.specs import specs
from isthmus.domain.errors import ConfigError, ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

_NOT_BEGUN = frozenset({PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS})
"""Errors of JSON-RPC after which nothing has happened. After any other, nobody knows."""

ReadSecret = Callable[[SecretRef], Awaitable[str]]


class Listed(NamedTuple):
    """What a server offers now."""

    tools: Sequence[Tool]
    digest: str


async def listed(account: Account, secret: ReadSecret) -> Listed:
    """What a server offers, for a person to look at. No tool is called.

    Raises:
        ConfigError: there is no server.
    """
    session = Session(account, secret)
    await session.start()
    try:
        tools = await session.tools()
        return Listed(tools, digest(account, tools))
    finally:
        await session.aclose()


async def opened(name: str, account: Account, *, labels: frozenset[Label], secret: ReadSecret) -> Toolset:
    """The tools of a server whose list was approved.

    Raises:
        ConfigError: there is no server, or its list is not the one that was approved.
    """
    toolset = McpToolset(name, account, labels=labels, secret=secret)
    await toolset.open()
    return toolset


class McpToolset(Toolset):
    """Tools of somebody else's. They are there for as long as their list is the one that was approved."""

    def __init__(self, name: str, account: Account, *, labels: frozenset[Label], secret: ReadSecret) -> None:
        self._name = name
        self._account = account
        self._labels = labels
        self._secret = secret
        self._session: Session | None = None
        self._specs: dict[str, ToolSpec] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Connect, and hold the list of tools against the one that was approved.

        Raises:
            ConfigError: there is no server, or its list is another one.
        """
        async with self._opening:
            if self._session is not None and not self._session.ended and not self._session.changed:
                return
            await self._close()
            session = Session(self._account, self._secret)
            await session.start()
            self._session = session
            try:
                tools = await session.tools()
                self._trust(tools)
            except BaseException:
                await self._close()
                raise

    def _trust(self, tools: Sequence[Tool]) -> None:
        if self._account.pin is None:
            raise ConfigError(
                "Its tools were not approved yet, so there are none.",
                hint=f"Look at them: `isthmus mcp approve {self._name}`.",
            )
        if digest(self._account, tools) != self._account.pin:
            raise ConfigError(
                "Its list of tools is not the one that was approved, so there are none.",
                hint=f"Look at what it is now: `isthmus mcp approve {self._name}`.",
            )
        self._specs = specs(self._name, self._account, tools)

    async def _close(self) -> None:
        session, self._session, self._specs = self._session, None, {}
        if session is not None:
            await session.aclose()

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return tuple(self._specs.values())

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return (Party(f"mcp:{self._name}:{value}"), Party(f"mcp:{self._name}"))

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """Whatever the server gives from now on.

        It may have kept what it was told even where it says that it failed, or ends before it says anything.
        """
        return tuple(
            Made(spec.makes, ANY) for spec in self._specs.values() if spec.name == grant.tool and spec.makes is not None
        )

    @override
    async def run(self, grant: Grant) -> ToolResult:
        try:
            await self.open()
        except ConfigError as exc:
            raise ToolError(exc.sentence) from exc
        session = self._session
        named = next((name for name, spec in self._specs.items() if spec.name == grant.tool), None)
        if named is None or session is None:
            raise ToolError(f"{self._name} has no tool {grant.tool} any more.")
        try:
            given = await session.call(named, grant.plain())
        except MCPError as exc:
            if exc.error.code not in _NOT_BEGUN:
                session.changed = True  # whatever it is now, it is looked at anew
                raise ConnectionError(f"{self._name} ended in the midst of a call.") from exc
            # Its message is the server's own text, and is told to nobody as ours.
            raise ToolError(f"{self._name} refused the call ({exc.error.code}).") from exc
        mark = mark_of(self._name, self._account, self._labels, given.meta)
        return result_of(grant.call, given, mark)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        raise ToolError(f"{self._name} cannot tell whether it was done.", hint="Look there.")

    @override
    async def aclose(self) -> None:
        await self._close()
