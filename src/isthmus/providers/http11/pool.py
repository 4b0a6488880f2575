"""Connections to one origin: kept while idle, made when needed, never more than allowed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from typing_extensions import override

from isthmus.domain.errors import ConfigError, UpstreamTimeout, UpstreamUnreachable
from isthmus.providers.http11.connection import Connection
from isthmus.providers.http11.exchange import Exchange
from isthmus.providers.http11.proxy import Proxy
from isthmus.providers.http11.tls import client_context

IDLE_SECONDS = 60.0
"""How long an idle connection is kept. Longer than a turn of a conversation, shorter than what most servers allow."""
MOST_CONNECTIONS = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections lead, and how."""

    scheme: str
    host: str
    port: int
    proxy: str | None = None
    ca_file: str | None = None

    @classmethod
    def of(cls, url: str, *, proxy: str | None = None, ca_file: str | None = None) -> Origin:
        """The origin of an address.

        Raises:
            ConfigError: not an http or https address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as exc:
            raise ConfigError(f"{url[:200]!r} is no address.") from exc
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"{url[:200]!r} is no http or https address.")
        return cls(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), proxy, ca_file)

    @override
    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Pool:
    """Connections to one origin."""

    def __init__(self, origin: Origin, *, most: int = MOST_CONNECTIONS, idle_seconds: float = IDLE_SECONDS) -> None:
        self.origin = origin
        self._most = most
        self._idle_seconds = idle_seconds
        self._idle: deque[Connection] = deque()
        """The one used last at the right."""
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @property
    def open(self) -> int:
        """Connections open now."""
        return len(self._open)

    async def exchange(self, exchange: Exchange, data: bytes, connect_seconds: float | None) -> Exchange:
        """Send a request on a connection of the pool, and wait for the head of its answer.

        A connection that was idle may turn out to have been closed by the other side just now. Then nothing of the
        request was worked on, and it is sent once more, on a new connection: only if the other side closed it, only
        if not a byte of an answer had arrived.

        Raises:
            ProviderError: no connection, or no answer.
        """
        connection = self._take_idle()
        if connection is not None:
            try:
                await exchange.start(connection, data)
            except UpstreamUnreachable:
                if not exchange.closed_untouched:
                    raise
                exchange = exchange.again()
            else:
                return exchange
        await exchange.start(await self._connect(exchange.offer, connect_seconds), data)
        return exchange

    def opened(self, connection: Connection) -> None:
        """A connection has been made."""
        self._open.add(connection)
        if self._closed:
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """A connection is free again."""
        now = self._loop.time()
        connection.idle_since = now
        self._idle.append(connection)
        oldest = self._idle[0]
        if now - oldest.idle_since > self._idle_seconds:
            self._idle.popleft()
            oldest.close()
        self._admit_next()

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        self._admit_next()

    def close(self) -> None:
        """Close all connections, also those in use."""
        self._closed = True
        for connection in list(self._open):
            connection.close()

    # ---------------------------------------------------------------------------------------------------------- inside

    def _take_idle(self) -> Connection | None:
        too_old = self._loop.time() - self._idle_seconds
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > too_old:
                return connection
            connection.close()
        return None

    def _admit_next(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _connect(self, offer: str, seconds: float | None) -> Connection:
        """A new connection, or one that became free while we waited for our turn.

        Raises:
            UpstreamTimeout: not within `seconds`.
            UpstreamUnreachable: not at all.
        """
        try:
            async with asyncio.timeout(seconds):
                while len(self._open) + self._opening >= self._most:
                    waiter = self._loop.create_future()
                    self._waiting.append(waiter)
                    await waiter
                    if (connection := self._take_idle()) is not None:
                        return connection
                self._opening += 1
                try:
                    connection = await self._open_one()
                finally:
                    self._opening -= 1
        except TimeoutError as exc:
            raise UpstreamTimeout(
                f"{offer} could not be connected to at {self.origin} within {seconds:g} s.",
                phase="connect",
                offer=offer,
            ) from exc
        except ssl.SSLCertVerificationError as exc:
            raise UpstreamUnreachable(
                f"The certificate of {offer} at {self.origin} is not to be trusted: {exc.verify_message}.",
                hint="If it is signed by an authority of your own, name its file as ca_file.",
                offer=offer,
            ) from exc
        except OSError as exc:
            raise UpstreamUnreachable(
                f"{offer} cannot be reached at {self.origin}: {exc.strerror or exc.__class__.__name__}.", offer=offer
            ) from exc
        return connection

    async def _open_one(self) -> Connection:
        origin = self.origin
        context: ssl.SSLContext | None = None
        if origin.scheme == "https":
            context = await asyncio.to_thread(client_context, origin.ca_file)
        host = origin.host if context is not None else None
        if origin.proxy is None:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), origin.host, origin.port, ssl=context
            )
            return connection
        proxy = Proxy.parse(origin.proxy)
        if context is None:
            _, connection = await self._loop.create_connection(lambda: Connection(self), proxy.host, proxy.port)
            return connection
        tunnel = await proxy.tunnel(origin.host, origin.port)
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), sock=tunnel, ssl=context, server_hostname=host
            )
        except BaseException:
            tunnel.close()
            raise
        return connection
