"""Connections of clients: uvicorn's HTTP/1.1 protocol with the bounds it lacks, and a short way to answer.

uvicorn (0.54) neither bounds the size of a request's head nor the time a client may take over it, and tells an
application of a client that has gone only if it keeps asking. This protocol adds the three: `Connections.sweep` closes
those that take too long, a head over the limit is answered 431, and a client that leaves cancels the task of its
request.

`answer`, `begin_stream` and `write_piece` do what ASGI's `send` would, in one write and without looking every header
over: the headers are our own, made of checked names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from isthmus.gateway.asgi import Header

EXTENSION = "isthmus.connection"
"""Key in `scope["extensions"]` under which an application finds its `Connection`."""

_ORDINARY_READ = 8192
"""A head that came in reads of less than this in all needs no exact measuring."""

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: 128\r\n\r\n"
    b'{"error": {"message": "The head of the request is too large.", "type": "invalid_request_error", '
    b'"code": "request_too_large"}}    '
)


@dataclass(slots=True)
class Connections:
    """The open connections of one server, and the bounds they are held to."""

    head_bytes: int = 64 * 1024
    request_seconds: float = 60.0
    """How long a client may take over the head of a request, and then from one piece of its body to the next."""
    idle_seconds: float = 75.0
    """How long a connection is kept open between requests."""
    open: set[Connection] = field(default_factory=set)

    def sweep(self, now: float | None = None) -> int:
        """Close the connections whose client takes too long to send. Returns how many."""
        now = time.monotonic() if now is None else now
        late = [c for c in self.open if c.due is not None and c.due < now]
        for connection in late:
            connection.drop()
        return len(late)

    def protocol(self) -> type[Connection]:
        """The protocol class of a server that holds its connections to these bounds."""
        return type("BoundConnection", (Connection,), {"bounds": self})


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    bounds: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task: asyncio.Task[None] | None = None
        """The task of the request that is being answered; None: none is."""
        self.gone = False
        """The client has left."""
        self.due: float | None = time.monotonic() + self.bounds.request_seconds
        """When we stop waiting for a request, or for the rest of one; None: one is being answered."""
        self._at_work: RequestResponseCycle | None = None
        """The request being answered; uvicorn's `cycle` is the one read last, which may be waiting behind it."""
        self._head_read = 0
        self._in_head = True

    # ------------------------------------------------------------------------------------------- for the application

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Answer the request at hand with a whole body."""
        out = self._head(status, headers)
        out.append(b"content-length: %d\r\n\r\n" % len(body))
        out.append(body)
        self.transport.write(b"".join(out))
        self._complete()

    def begin_stream(self, headers: Sequence[Header], first: bytes) -> None:
        """Begin to answer the request at hand with a stream."""
        out = self._head(200, headers)
        out.append(b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(first))
        out.append(first)
        out.append(b"\r\n")
        self.transport.write(b"".join(out))

    async def write_piece(self, piece: bytes) -> None:
        """Send a piece of a stream; waits while the client does not read."""
        if self.flow.write_paused:
            await self.flow.drain()
        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end_stream(self) -> None:
        """The stream is complete."""
        self.transport.write(b"0\r\n\r\n")
        self._complete()

    def drop(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _head(self, status: int, headers: Sequence[Header]) -> list[bytes]:
        cycle = self._at_work
        assert cycle is not None
        cycle.response_started = True
        out = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            out += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            out.append(b"connection: close\r\n")
        return out

    def _complete(self) -> None:
        cycle = self._at_work
        assert cycle is not None
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    # ------------------------------------------------------------------------------------------------------ uvicorn's

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.bounds.open.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.bounds.open.discard(self)
        self.gone = True
        super().connection_lost(exc)
        if self.task is not None:
            self.task.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_read += len(data)
        super().data_received(data)
        if self._in_head and self._head_read > self.bounds.head_bytes:
            self._refuse_head()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.due = time.monotonic() + self.bounds.request_seconds
        self._in_head = True
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]  # uvicorn's type knows ASGI's own only

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_read > _ORDINARY_READ:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.bounds.head_bytes:
                self._refuse_head()
                return
        self._head_read = 0
        self.due = time.monotonic() + self.bounds.request_seconds
        super().on_headers_complete()
        self.headers = []  # the request has its own; trailers, which uvicorn would add to them, are read by nobody

    @override
    def on_message_complete(self) -> None:
        self.due = None
        if self.cycle is not None:
            super().on_message_complete()

    @override
    def on_body(self, body: bytes) -> None:
        if self.cycle is not None:
            self.due = time.monotonic() + self.bounds.request_seconds
            super().on_body(body)

    @override
    def on_response_complete(self) -> None:
        """As uvicorn's; but an idle connection is found by the sweep, not by a timer of its own for each answer."""
        self.server_state.total_requests += 1
        self.task = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif not self._in_head:
            self.due = time.monotonic() + self.bounds.idle_seconds

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """As uvicorn's; but the connection knows the task, so that it can cancel it when the client leaves."""
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        self._at_work, self.task = cycle, task

    def _refuse_head(self) -> None:
        self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()
