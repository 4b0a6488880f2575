"""Tools of an MCP server of somebody else's: a programme on this machine, or an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from isthmus.agent.tool import Effect, Kind, Role, Toolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "mcp"

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a parameter is, as the operator says it."""

    role: Role = "content"
    kind: Kind = "text"


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a tool does, as the operator says it. What the server says of itself (annotations) is a hint to people."""

    effect: Effect = "send"
    """`read` only for a programme on this machine: of a server elsewhere, asking is `fetch`."""
    parameters: dict[str, Part] = {}
    """By name. What is not named: every text is content, for whoever the server shows it to."""


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an MCP server needs to be told."""

    command: tuple[str, ...] = ()
    """Programme and arguments. It sees a handful of environment variables (PATH, HOME, …) and those of `env`."""
    url: str | None = None
    """Of a server that is spoken to by HTTP."""
    env: dict[str, SecretRef] = {}
    """Environment variables of the programme."""
    token: SecretRef | None = None
    """Sent to `url` as `Authorization: Bearer …`."""
    folder: str | None = None
    """In which the programme runs."""
    pin: str | None = None
    """Digest of the list of tools that was approved (`isthmus mcp approve NAME`). Without it there are no tools."""
    only: tuple[str, ...] | None = None
    """The tools that are offered; None: all of the list."""
    readers: Literal["user", "everyone"] | tuple[str, ...] = "user"
    """Who can read already what it gives: nobody but the user, everyone, or these parties."""
    origin: str | None = None
    """Who could have written what it gives. None: `mcp:` and the name of the account."""
    tools: dict[str, Tool] = {}
    """By the server's own name for them."""

    def __post_init__(self) -> None:
        if bool(self.command) == (self.url is not None):
            raise ValueError("an MCP server is either a command or a url")
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
                raise ValueError("a server on another machine needs https")
            read = [name for name, tool in self.tools.items() if tool.effect == "read"]
            if read and parts.hostname not in _LOOPBACK:
                raise ValueError(
                    f"{read[0]}: a server elsewhere learns what it is asked: its effect is fetch, not read"
                )
        elif self.token is not None:
            raise ValueError("a token is for a url; a programme gets its secrets by env")


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> Toolset:
    """The tools of a server, if their list is the one that was approved.

    Raises:
        ConfigError: there is no server, or its list of tools was not approved.
    """
    from isthmus.connectors.mcp_client.toolset import opened  # noqa: PLC0415  # brings the library

    return await opened(name, account, labels=labels, secret=secret)
