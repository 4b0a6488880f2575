"""One connection to an upstream: carries bytes between a socket and whichever exchange holds it now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from isthmus.providers.http11.exchange import Exchange
    from isthmus.providers.http11.pool import Pool

_WRITTEN_TOGETHER = 16 * 1024
"""A body up to this size is joined to its head; to copy a larger one costs more than to hand over two pieces."""


class Connection(asyncio.Protocol):
    """Belongs to one pool. Free while it has no exchange."""

    __slots__ = ("_exchange", "_pool", "_transport", "idle_since", "used")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self.idle_since = 0.0
        self.used = False
        """Whether it has served a request: only then may its keep-alive have ended under way."""

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # ------------------------------------------------------------------------------------------------ for the exchange

    def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Lend the connection to an exchange and send its request."""
        assert self._exchange is None
        assert self._transport is not None
        self._exchange = exchange
        if len(body) <= _WRITTEN_TOGETHER:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def pause(self) -> None:
        if self.usable:
            assert self._transport is not None
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.usable:
            assert self._transport is not None
            self._transport.resume_reading()

    def reuse(self) -> None:
        """The exchange has ended well; the connection may serve another."""
        assert self._transport is not None
        if self._transport.get_write_buffer_size():
            self.close()  # answered before it had all of the request: what it makes of the rest is not known
            return
        self._exchange = None
        if not self._transport.is_closing():
            self._pool.give_back(self)

    def close(self) -> None:
        """Close at once, whatever is under way. The exchange that held it is told nothing."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    def give_up(self) -> None:
        """Close at once, and tell the exchange that holds it."""
        if self._exchange is not None:
            self._exchange.abort()
        else:
            self.close()

    # ------------------------------------------------------------------------------------------------------- asyncio's

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream socket: always a Transport

    @override
    def data_received(self, data: bytes) -> None:
        if self._exchange is None:  # nobody asked: an upstream that talks out of turn is not to be trusted again
            self.close()
        else:
            self._exchange.feed(data)

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        self._pool.forget(self)
        if exchange is not None:
            exchange.lost(exc)
