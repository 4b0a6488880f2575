"""Connections of clients: uvicorn's HTTP/1.1 protocol with the bounds it lacks.

uvicorn (0.54) neither bounds the size of a request's head nor the time a client may take over it, and tells an
application of a client that has gone only if it keeps asking. This protocol adds the three: `Connections.sweep` closes
those that take too long, a head over the limit is answered 431, and `on_gone` is called at once when the client leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
    """How long a client may take to send a request, and an idle new connection to begin one."""
    open: set[Connection] = field(default_factory=set)

    def sweep(self, now: float | None = None) -> int:
        """Close the connections whose client takes too long to send. Returns how many."""
        oldest = (time.monotonic() if now is None else now) - self.request_seconds
        late = [c for c in self.open if c.waiting_since is not None and c.waiting_since < oldest]
        for connection in late:
            connection.drop()
        return len(late)

    def protocol(self) -> type[Connection]:
        """The protocol class of a server that holds its connections to these bounds."""
        return type("BoundConnection", (Connection,), {"connections_of_server": self})


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    connections_of_server: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_gone: Callable[[], object] | None = None
        """Called once when the client leaves before the answer is complete. Set by the application, per request."""
        self.gone = False
        self.waiting_since: float | None = time.monotonic()
        """Since when we wait for a request, or for the rest of one; None: one is being answered."""
        self._head_read = 0
        self._in_head = True

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.connections_of_server.open.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.connections_of_server.open.discard(self)
        self.gone = True
        super().connection_lost(exc)
        if self.on_gone is not None:
            self.on_gone()
            self.on_gone = None

    @override
    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_read += len(data)
        super().data_received(data)
        if self._in_head and self._head_read > self.connections_of_server.head_bytes:
            self._refuse_head()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.waiting_since = time.monotonic()
        self._in_head = True
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]  # uvicorn's type knows ASGI's own only

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_read > _ORDINARY_READ:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.connections_of_server.head_bytes:
                self._refuse_head()
                return
        self._head_read = 0
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self.waiting_since = None
        if self.cycle is not None:
            super().on_message_complete()

    @override
    def on_body(self, body: bytes) -> None:
        if self.cycle is not None:
            super().on_body(body)

    @override
    def on_response_complete(self) -> None:
        self.on_gone = None
        super().on_response_complete()

    def drop(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _refuse_head(self) -> None:
        self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()
