"""One request and its answer. All state of an answer lives here, never in the connection.

A connection may be taken by the next request in the very moment an answer ends; an answer whose bytes lay in the
connection could then be read by the wrong request. So the parser that reads an answer calls back the exchange it was
made for, and an exchange that has ended holds no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import httptools

from isthmus.domain.errors import ProviderError, UpstreamMalformed, UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Deadlines
from isthmus.providers.http11.framing import HEAD_BYTES, HEADERS, Header, body_is_delimited
from isthmus.providers.http11.watch import Watch

if TYPE_CHECKING:
    from isthmus.providers.http11.connection import Connection

BUFFERED_BYTES = 64 * 1024
"""Of a body that nobody has read yet; above it the connection is not read from. What one read of the socket brings
(256 KiB at most) comes on top."""

AT_ONCE_SECONDS = 1.0
"""An upstream that closed an idle connection while our request was on its way says so within a round trip. One that
closes it later has had the request in hand."""

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Takes a piece of a body; what it returns is to be waited for before it takes more."""

_NEVER = float("inf")
_PHASES = {
    "first_byte": "did not begin to answer",
    "between_bytes": "sent nothing more",
    "total": "did not complete its answer",
}


class Exchange:
    """Fulfils `domain.ports.WireResponse`; its `on_…` methods are the parser's callbacks.

    Deadlines: `first_byte` runs from the sending of the request until the head of the answer proper is complete, so a
    head that trickles in does not stretch it. `between_bytes` runs while somebody waits for more of the body: an offer
    that nobody reads from is not late. `total` runs from `began`.
    """

    __slots__ = (
        "_began",
        "_buffered",
        "_connection",
        "_deadlines",
        "_delimited",
        "_ended",
        "_error",
        "_head_bytes",
        "_keep_alive",
        "_loop",
        "_parser",
        "_parts",
        "_paused",
        "_since",
        "_take",
        "_taken",
        "_waiter",
        "_watch",
        "check_at",
        "closed_untouched",
        "headers",
        "offer",
        "status",
    )

    def __init__(
        self, offer: str, deadlines: Deadlines, began: float, loop: asyncio.AbstractEventLoop, watch: Watch
    ) -> None:
        self.offer = offer
        self.status = 0
        """0 until the head of the answer is there."""
        self.headers: Sequence[Header] = ()
        self.check_at = _NEVER
        self.closed_untouched = False
        """The other side closed the connection at once, before a byte of an answer had arrived."""
        self._began = began
        self._since = began
        """When the one who asks began to wait."""
        self._deadlines = deadlines
        self._loop = loop
        self._watch = watch
        self._connection: Connection | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._head_bytes = 0
        self._parts: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._delimited = True
        self._ended = False
        self._keep_alive = False
        self._error: ProviderError | None = None
        self._take: Take | None = None
        """Given what arrives, at once."""
        self._taken: Awaitable[None] | Exception | None = None
        """What the last `_take` wants to be waited for, or what it raised."""

    # -------------------------------------------------------------------------------------------- for the one who asks

    def again(self) -> Exchange:
        """A fresh exchange for the same request, under the same deadlines."""
        return Exchange(self.offer, self._deadlines, self._began, self._loop, self._watch)

    @property
    def connect_seconds(self) -> tuple[float | None, str]:
        """How long connecting may take now, and which deadline says so."""
        connect, total = self._deadlines.connect, self._deadlines.total
        if total is not None:
            left = max(0.0, self._began + total - self._loop.time())
            if connect is None or left < connect:
                return left, "total"
        return connect, "connect"

    def seconds(self, phase: str) -> float:
        """What the deadline of a phase says."""
        limit: float = getattr(self._deadlines, phase)
        return limit

    async def start(self, connection: Connection, head: bytes, body: bytes) -> None:
        """Send the request and wait for the head of the answer.

        Raises:
            ProviderError: there is none.
        """
        self._connection = connection
        self._parser = httptools.HttpResponseParser(self)
        self._waiter = waiter = self._loop.create_future()
        connection.send(self, head, body)
        total = self._deadlines.total
        if total is not None:
            self.check_at = self._began + total
        self._limit(self._deadlines.first_byte)
        self._watch.begin(self)
        try:
            await waiter
        except BaseException:
            self.abort()
            raise
        self._waiter = None
        if self._error is not None and not self.status:
            raise self._error

    async def chunk(self) -> bytes:
        parts = self._parts
        while not parts:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = self._loop.create_future()
            self._limit(self._deadlines.between_bytes)
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            if self._connection is not None:
                self._connection.resume()
        return data

    async def forward(self, take: Take) -> None:
        """Give the rest of the body to `take`, each piece in the moment it arrives: no task is woken for it.

        What `take` returns is waited for before it is given more, and the upstream waits, too.

        Raises:
            ProviderError: as `chunk`.
            Exception: whatever `take` raised.
        """
        while data := await self.chunk():
            waits_for = take(data)
            if waits_for is None and self._connection is not None:  # more is to come
                waits_for = await self._hand_on_to(take)
            if waits_for is not None:
                await waits_for

    async def read(self, limit: int) -> bytes:
        body = await self.chunk()
        if self._ended and not self._parts and len(body) <= limit:
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
            self._parts.clear()
            self._fail(UpstreamUnreachable(f"The request to {self.offer} was given up.", offer=self.offer))

    # ---------------------------------------------------------------------------------------------- for the connection

    def feed(self, data: bytes) -> None:
        """Bytes of the answer have arrived."""
        if not self.status:
            self._head_bytes += len(data)
        parser = self._parser
        assert parser is not None
        fault: Exception | None = None
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            fault = exc
        if self._take is not None and self._parts:
            self._hand_on(self._take)
        if self._ended:  # the answer is whole; what came after it costs the connection, not the answer
            self._finish(reusable=fault is None and self._keep_alive)
        elif fault is not None:
            if isinstance(fault, httptools.HttpParserCallbackError) and isinstance(fault.__context__, ProviderError):
                self._fail(fault.__context__)
            else:
                self._fail(self._malformed("something that is not HTTP"), fault)
        elif not self.status and self._head_bytes > HEAD_BYTES:
            self._fail(self._malformed("a head that is too large"))

    def lost(self, cause: Exception | None) -> None:
        """The connection is gone."""
        if self._connection is None:
            return
        if cause is None and self.status and not self._delimited:
            self._ended = True
            self._finish(reusable=False)
            return
        self.closed_untouched = self._head_bytes == 0 and self._loop.time() - self._since < AT_ONCE_SECONDS
        when = "in the middle of its answer" if self.status else "before it answered"
        self._fail(UpstreamUnreachable(f"{self.offer} closed the connection {when}.", offer=self.offer), cause)

    # -------------------------------------------------------------------------------------------------- for the parser

    def on_message_begin(self) -> None:
        if self._ended:  # a second answer to one request
            self._keep_alive = False
        else:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # else a trailer, which nobody reads
            self.headers.append((name.lower(), value))  # type: ignore[attr-defined]  # a list until the head is there

    def on_headers_complete(self) -> None:
        if self._ended:
            return
        parser = self._parser
        assert parser is not None
        status: int = parser.get_status_code()
        if not 200 <= status <= 599:
            if 100 <= status < 200:
                return  # informational: the answer proper is still to come (RFC 9110, section 15.2)
            raise self._malformed(f"the status {status}, which there is not")
        if self._head_bytes > HEAD_BYTES and sum(len(n) + len(v) for n, v in self.headers) > HEAD_BYTES:
            raise self._malformed("a head that is too large")  # it came whole, in one read larger than that
        if len(self.headers) > HEADERS:
            raise self._malformed(f"more than {HEADERS} headers")
        self._delimited = body_is_delimited(status, parser.get_http_version(), self.headers)
        self.status = status
        self._wake()

    def on_body(self, body: bytes) -> None:
        if self._ended:
            return
        self._parts.append(body)
        self._buffered += len(body)
        if self._take is not None:
            return  # `feed` hands on all that came at once as one piece
        if self._buffered > BUFFERED_BYTES and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause()
        self._wake()

    def on_message_complete(self) -> None:
        if self.status and not self._ended:
            self._ended = True
            assert self._parser is not None
            self._keep_alive = self._parser.should_keep_alive()  # the parser forgets it after this callback
            self._wake()

    # ------------------------------------------------------------------------------------------------------- deadlines

    def _limit(self, allowed: float | None) -> None:
        """The one who asks begins to wait."""
        self._since = now = self._loop.time()
        if allowed is not None and now + allowed < self.check_at:
            self.check_at = now + allowed

    def check(self, now: float) -> None:
        """Fulfils `watch.Watched`."""
        limits = self._deadlines
        phase, due = "total", _NEVER if limits.total is None else self._began + limits.total
        if self._waiter is not None and not self._waiter.done():
            waits_for = "between_bytes" if self.status else "first_byte"
            allowed = limits.between_bytes if self.status else limits.first_byte
            if allowed is not None and self._since + allowed < due:
                phase, due = waits_for, self._since + allowed
        if now < due:
            self.check_at = due
        else:
            sentence = f"{self.offer} {_PHASES[phase]} within {self.seconds(phase):g} s."
            self._fail(UpstreamTimeout(sentence, phase=phase, offer=self.offer))

    # ---------------------------------------------------------------------------------------------------------- inside

    async def _hand_on_to(self, take: Take) -> Awaitable[None] | None:
        """Have what arrives given to `take` until something is to be waited for, which is returned, or to the end."""
        self._take, self._taken = take, None
        self._waiter = self._loop.create_future()
        self._limit(self._deadlines.between_bytes)
        try:
            await self._waiter
        finally:
            self._waiter = self._take = None
        taken, self._taken = self._taken, None
        if isinstance(taken, Exception):
            raise taken
        return taken

    def _hand_on(self, take: Take) -> None:
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._buffered = 0
        try:
            self._taken = take(data)
        except Exception as exc:  # its place is the task that called `forward`, not the event loop
            self._taken = exc
        if self._taken is None:
            self._since = self._loop.time()
        else:
            self._take = None
            self._wake()

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
        self._watch.end(self)
        return connection

    def _malformed(self, what: str) -> UpstreamMalformed:
        return UpstreamMalformed(f"{self.offer} answered with {what}.", offer=self.offer)
