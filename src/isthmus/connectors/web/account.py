"""The web: pages by their addresses, and a search service where one is configured."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.connectors.web.addresses import address
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "web"

Service = Literal["searxng", "brave", "tavily"]


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A service that searches."""

    service: Service
    url: str | None = None
    """Where it is. None: where its vendor has it; a SearXNG of one's own has no such place."""
    key: SecretRef | None = None


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the web needs to be told."""

    search: Search | None = None
    """Without it there is no searching."""
    allow: tuple[str, ...] = ()
    """Hosts, `host` or `host:port`, of the user's own network that may be fetched from."""
    ca: str | None = None
    """Path of a file with the certificates to trust instead of the system's (PEM)."""
    seconds: float = 30.0
    """For one page, all in all."""

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= 300:
            raise ValueError("seconds has to be between 1 and 300")
        search = self.search
        if search is None:
            return
        if search.url is None and search.service == "searxng":
            raise ValueError("a SearXNG needs its url")
        if search.key is None and search.service != "searxng":
            raise ValueError(f"{search.service} needs a key")
        if search.url is not None:
            try:
                found = address(search.url)
            except ToolError as error:
                raise ValueError(f"{search.url!r} is no address of a search service") from error
            own = {found.host, f"{found.host}:{found.port}"} & set(self.allow)
            if found.scheme == "http" and not own:
                raise ValueError(
                    f"{search.url} is asked without encryption; name its host in `allow` if it is your own"
                )


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> Toolset:
    """The tools for the web.

    Raises:
        OSError: the file `ca` cannot be read.
        ssl.SSLError: it holds no certificates.
    """
    from isthmus.connectors.web.toolset import WebToolset  # noqa: PLC0415  # brings the libraries

    context = ssl.create_default_context(cafile=None if account.ca is None else os.path.expanduser(account.ca))  # noqa: ASYNC240  # looks at no disk
    return WebToolset(name, account, labels=labels, secret=secret, context=context)
