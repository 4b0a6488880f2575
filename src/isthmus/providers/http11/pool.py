"""Connections to one origin: kept while idle, made when needed, never more than allowed."""

from __future__ import annotations

import asyncio
import os
import socket
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
    """In ASCII, an IPv6 address without its brackets."""
    port: int
    proxy: str | None = None
    ca_file: str | None = None

    @classmethod
    def of(cls, url: str, *, proxy: str | None = None, ca_file: str | None = None) -> Origin:
        """The origin of an address.

        Raises:
            ConfigError: not an http or https address. It is not repeated, since it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode("ascii")
        except ValueError:  # UnicodeError among them
            raise ConfigError("The address of an offer is none.", hint="Say https://host/path.") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise ConfigError("The address of an offer is no http or https address.", hint="Say https://host/path.")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), proxy, ca_file)

    @property
    def authority(self) -> str:
        """As a host field says it: without the port where it is the scheme's own (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Pool:
    """Connections to one origin. Whoever waits for one is served in the order of asking."""

    def __init__(self, origin: Origin, *, most: int = MOST_CONNECTIONS, idle_seconds: float = IDLE_SECONDS) -> None:
        self.origin = origin
        self._proxy = None if origin.proxy is None else Proxy.parse(origin.proxy)
        self._most = most
        self._idle_seconds = idle_seconds
        self._idle: dict[Connection, None] = {}
        """The one used last at the end."""
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        """Given a connection that has become free, or None: a place to open one in."""
        self._loop = asyncio.get_running_loop()
        self._sweeping = False
        self._closed = False

    @property
    def open(self) -> int:
        """Connections open now."""
        return len(self._open)

    @property
    def deserted(self) -> bool:
        """Nothing open, nothing asked for."""
        return not (self._open or self._opening or self._waiting)

    async def exchange(self, exchange: Exchange, head: bytes, body: bytes = b"") -> Exchange:
        """Send a request on a connection of the pool, and wait for the head of its answer.

        A connection that has served before, idle or handed on by whoever had it, may turn out to have been closed by
        the other side just now. Then nothing of the request was worked on, and it is sent once more, on a new
        connection: only if the other side closed it at once, only if not a byte of an answer had arrived.

        Raises:
            ProviderError: no connection, or no answer.
        """
        connection = self._take_idle()
        if connection is None:
            connection = await self._connect(exchange)
        try:
            await exchange.start(connection, head, body)
        except UpstreamUnreachable:
            if not (connection.used and exchange.closed_untouched):
                raise
            exchange = exchange.again()
            await exchange.start(await self._connect(exchange, fresh=True), head, body)
        return exchange

    def give_back(self, connection: Connection) -> None:
        """A connection is free again."""
        connection.used = True
        if self._waiting and (waiter := self._next_waiting()) is not None:
            waiter.set_result(connection)
            return
        connection.idle_since = self._loop.time()
        self._idle[connection] = None
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._idle_seconds, self._sweep)

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self._idle.pop(connection, None)
        if connection in self._open:
            self._open.remove(connection)
            self._admit_next()

    def close(self) -> None:
        """Close all connections, also those in use, and turn away whoever waits for one."""
        self._closed = True
        for connection in list(self._open):
            connection.give_up()
        while (waiter := self._next_waiting()) is not None:
            waiter.set_exception(_closed())

    # ---------------------------------------------------------------------------------------------------------- inside

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable and self._loop.time() - connection.idle_since < self._idle_seconds:
                return connection
            connection.close()
        return None

    def _sweep(self) -> None:
        """Close what has been idle too long, and come again for the rest."""
        now = self._loop.time()
        old = [connection for connection in self._idle if now - connection.idle_since >= self._idle_seconds]
        for connection in old:
            del self._idle[connection]
            connection.close()
        self._sweeping = bool(self._idle)
        if self._sweeping:
            oldest = next(iter(self._idle))
            self._loop.call_later(self._idle_seconds - (now - oldest.idle_since), self._sweep)

    def _next_waiting(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _admit_next(self) -> None:
        """There is a place to open a connection in."""
        if (waiter := self._next_waiting()) is not None:
            self._opening += 1
            waiter.set_result(None)

    async def _connect(self, exchange: Exchange, *, fresh: bool = False) -> Connection:
        """A new connection or, unless it must be fresh, one that became free while we waited for our turn.

        Raises:
            UpstreamTimeout: not in time.
            UpstreamUnreachable: not at all.
        """
        seconds, phase = exchange.connect_seconds
        offer = exchange.offer
        try:
            async with asyncio.timeout(seconds) as deadline:
                connection = await self._turn()
                while connection is not None and (fresh or not connection.usable):
                    connection = None if self._take_place_of(connection) else await self._turn()
                if connection is None:
                    connection = await self._open_one()
        except TimeoutError as exc:
            if deadline.expired() and seconds is not None:
                limit = exchange.seconds(phase)
                sentence = f"{offer} could not be connected to at {self._where} within {limit:g} s."
                raise UpstreamTimeout(sentence, phase=phase, offer=offer) from exc
            raise self._unreachable(offer, exc) from exc
        except ssl.SSLCertVerificationError as exc:
            raise UpstreamUnreachable(
                f"The certificate of {offer} at {self._where} is not to be trusted: {exc.verify_message}.",
                hint="If it is signed by an authority of your own, name its file as ca_file.",
                offer=offer,
            ) from exc
        except OSError as exc:
            raise self._unreachable(offer, exc) from exc
        except UpstreamUnreachable as exc:  # a proxy's refusal
            exc.offer = offer
            raise
        if not connection.usable:
            raise UpstreamUnreachable(f"{offer} closed the connection before it was used.", offer=offer)
        return connection

    async def _turn(self) -> Connection | None:
        """A connection that has become free, or None: `_opening` has been raised for us, and we may open one."""
        if self._closed:
            raise _closed()
        if len(self._open) + self._opening < self._most:
            self._opening += 1
            return None
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:  # our turn had come; hand it on
                connection = waiter.result()
                if connection is None:
                    self._opening -= 1
                    self._admit_next()
                elif connection.usable:
                    self.give_back(connection)
            raise

    def _take_place_of(self, connection: Connection) -> bool:
        """Close a connection and raise `_opening` in its stead; False: it is gone, and its place is another's."""
        if connection not in self._open:
            return False
        self._open.remove(connection)
        self._opening += 1
        connection.close()
        return True

    async def _open_one(self) -> Connection:
        """Open a connection in the place that `_turn` gave."""
        connection = None
        try:
            connection = await self._dial()
            if self._closed:
                connection.close()
        finally:
            self._opening -= 1
            if connection is not None and connection.usable:
                self._open.add(connection)
            else:
                self._admit_next()
        return connection

    async def _dial(self) -> Connection:
        origin = self.origin
        context: ssl.SSLContext | None = None
        if origin.scheme == "https":
            context = await asyncio.to_thread(client_context, origin.ca_file)
        if self._proxy is None:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), origin.host, origin.port, ssl=context
            )
            return connection
        if context is None:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), self._proxy.host, self._proxy.port
            )
            return connection
        tunnel = await self._proxy.tunnel(origin.host, origin.port)
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), sock=tunnel, ssl=context, server_hostname=origin.host
            )
        except BaseException:
            tunnel.close()
            raise
        return connection

    @property
    def _where(self) -> str:
        if self._proxy is None:
            return str(self.origin)
        return f"{self.origin} through the proxy {self._proxy.host}:{self._proxy.port}"

    def _unreachable(self, offer: str, cause: OSError) -> UpstreamUnreachable:
        reason = cause.strerror or str(cause) or cause.__class__.__name__
        if cause.errno and not isinstance(cause, (socket.gaierror, ssl.SSLError)):
            reason = os.strerror(cause.errno)  # asyncio puts the address in its place
        return UpstreamUnreachable(f"{offer} cannot be reached at {self._where}: {reason}.", offer=offer)


def _closed() -> OSError:
    return ConnectionAbortedError(None, "isthmus is shutting down")
