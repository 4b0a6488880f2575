"""One request and its answer. All state of an answer lives here, never in the connection.

A connection may be taken by the next request in the very moment an answer ends; an answer whose bytes lay in the
connection could then be read by the wrong request. So the parser that reads an answer calls back the exchange it was
made for, and an exchange that has ended holds no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httptools

from isthmus.domain.errors import ProviderError, UpstreamMalformed, UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Deadlines
from isthmus.providers.http11.framing import HEAD_BYTES, HEADERS, Header, body_is_delimited

if TYPE_CHECKING:
    from isthmus.providers.http11.connection import Connection

BUFFERED_BYTES = 64 * 1024
"""Of a body that nobody has read yet; above it the connection is not read from."""

_NEVER = float("inf")
_PHASES = {
    "first_byte": "did not begin to answer",
    "between_bytes": "sent nothing more",
    "total": "did not complete its answer",
}


class Exchange:
    """Fulfils `domain.ports.WireResponse`; its `on_…` methods are the parser's callbacks."""

    __slots__ = (
        "_began",
        "_buffered",
        "_connection",
        "_deadlines",
        "_delimited",
        "_ended",
        "_error",
        "_garbage",
        "_head_bytes",
        "_keep_alive",
        "_last_byte",
        "_loop",
        "_parser",
        "_parts",
        "_paused",
        "_timer",
        "_waiter",
        "_waits_for_head",
        "closed_untouched",
        "headers",
        "offer",
        "status",
    )

    def __init__(self, offer: str, deadlines: Deadlines, began: float, loop: asyncio.AbstractEventLoop) -> None:
        self.offer = offer
        self.status = 0
        self.headers: Sequence[Header] = []
        self.closed_untouched = False
        """The other side closed the connection before a byte of an answer had arrived."""
        self._began = began
        self._last_byte = began
        self._deadlines = deadlines
        self._loop = loop
        self._connection: Connection | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._waits_for_head = True
        self._head_bytes = 0
        self._parts: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._delimited = True
        self._ended = False
        self._garbage = False
        self._keep_alive = False
        self._error: ProviderError | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -------------------------------------------------------------------------------------------- for the one who asks

    def again(self) -> Exchange:
        """A fresh exchange for the same request, under the same deadlines."""
        return Exchange(self.offer, self._deadlines, self._began, self._loop)

    async def start(self, connection: Connection, data: bytes) -> None:
        """Send the request and wait for the head of the answer.

        Raises:
            ProviderError: there is none.
        """
        self._connection = connection
        self._parser = httptools.HttpResponseParser(self)
        self._last_byte = self._loop.time()
        connection.send(self, data)
        self._arm()
        try:
            while self._waits_for_head and self._error is None:
                await self._wait()
        except BaseException:
            self.abort()
            raise
        if self._error is not None:
            raise self._error

    async def chunk(self) -> bytes:
        parts = self._parts
        while not parts:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            await self._wait()
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._last_byte = self._loop.time()
            if self._connection is not None:
                self._connection.resume()
        return data

    async def read(self, limit: int) -> bytes:
        body = await self.chunk()
        if self._ended and not self._parts and self._error is None and len(body) <= limit:
            return body  # the common case: all of it has arrived
        parts, size = [body], len(body)
        while size <= limit and (data := await self.chunk()):
            parts.append(data)
            size += len(data)
        if size > limit:
            self.abort()
            raise UpstreamMalformed(f"{self.offer} answered with more than {limit} bytes.", offer=self.offer)
        return b"".join(parts)

    def abort(self) -> None:
        if self._connection is not None:
            self._fail(UpstreamUnreachable(f"The request to {self.offer} was given up.", offer=self.offer))

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # ---------------------------------------------------------------------------------------------- for the connection

    def feed(self, data: bytes) -> None:
        """Bytes of the answer have arrived."""
        self._last_byte = self._loop.time()
        if self._waits_for_head:
            self._head_bytes += len(data)
        parser = self._parser
        assert parser is not None
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as exc:
            cause = exc.__context__
            self._fail(cause if isinstance(cause, ProviderError) else self._malformed(), exc)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail(self._malformed(), exc)
        else:
            if self._waits_for_head and self._head_bytes > HEAD_BYTES:
                self._fail(UpstreamMalformed(f"{self.offer} answered with a head that is too large.", offer=self.offer))
            elif self._ended:
                self._finish(reusable=self._keep_alive and not self._garbage)

    def lost(self, cause: Exception | None) -> None:
        """The connection is gone."""
        if self._connection is None:
            return
        if cause is None and not self._delimited and not self._waits_for_head:
            self._ended = True
            self._finish(reusable=False)
        else:
            self.closed_untouched = self._waits_for_head and self._head_bytes == 0
            when = "before it answered" if self._waits_for_head else "in the middle of its answer"
            self._fail(UpstreamUnreachable(f"{self.offer} closed the connection {when}.", offer=self.offer), cause)

    # -------------------------------------------------------------------------------------------------- for the parser

    def on_message_begin(self) -> None:
        if self._ended:
            self._garbage = True
        else:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._waits_for_head:  # else a trailer, which nobody reads
            assert isinstance(self.headers, list)
            self.headers.append((name.lower(), value))
            if len(self.headers) > HEADERS:
                raise UpstreamMalformed(f"{self.offer} answered with more than {HEADERS} headers.", offer=self.offer)

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        status: int = parser.get_status_code()
        if status < 200 or self._ended:
            return  # informational: the answer proper is still to come (RFC 9110, section 15.2)
        self._delimited = body_is_delimited(status, self.headers)
        self.status = status
        self._waits_for_head = False
        self._wake()

    def on_body(self, body: bytes) -> None:
        if self._ended:
            return
        self._parts.append(body)
        self._buffered += len(body)
        if self._buffered > BUFFERED_BYTES and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause()
        self._wake()

    def on_message_complete(self) -> None:
        if not self._waits_for_head and not self._ended:
            self._ended = True
            assert self._parser is not None
            self._keep_alive = self._parser.should_keep_alive()  # the parser forgets it after this callback
            self._wake()

    # ---------------------------------------------------------------------------------------------------------- inside

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, *, reusable: bool) -> None:
        connection = self._release()
        if reusable:
            if self._paused:  # what is buffered is the exchange's; the connection is free
                self._paused = False
                connection.resume()
            connection.reuse()
        else:
            connection.close()
        self._wake()

    def _fail(self, error: ProviderError, cause: BaseException | None = None) -> None:
        if cause is not None:
            error.__cause__ = cause
        error.offer = self.offer
        self._error = error
        self._release().close()
        self._wake()

    def _release(self) -> Connection:
        connection = self._connection
        assert connection is not None
        self._connection = None
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return connection

    def _malformed(self) -> UpstreamMalformed:
        return UpstreamMalformed(f"{self.offer} answered with something that is not HTTP.", offer=self.offer)

    # ------------------------------------------------------------------------------------------------------- deadlines

    def _arm(self) -> None:
        """One timer for all phases: when it fires it looks what is due, and mostly sets itself anew."""
        if self._connection is not None:
            due, _ = self._due()
            if due != _NEVER:
                self._timer = self._loop.call_at(due, self._expired)

    def _due(self) -> tuple[float, str]:
        limits = self._deadlines
        phase = "first_byte" if self._waits_for_head else "between_bytes"
        allowed = limits.first_byte if self._waits_for_head else limits.between_bytes
        # An offer that we do not read from, or whose bytes nobody fetches, is not the one that is late.
        since = self._loop.time() if self._paused or self._parts else self._last_byte
        due = _NEVER if allowed is None else since + allowed
        if limits.total is not None and self._began + limits.total < due:
            return self._began + limits.total, "total"
        return due, phase

    def _expired(self) -> None:
        if self._connection is None:
            return
        due, phase = self._due()
        if self._loop.time() < due:
            self._arm()
            return
        seconds = getattr(self._deadlines, phase)
        self._fail(
            UpstreamTimeout(f"{self.offer} {_PHASES[phase]} within {seconds:g} s.", phase=phase, offer=self.offer)
        )
