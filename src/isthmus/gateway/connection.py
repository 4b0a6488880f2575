"""Connections of clients: from bytes on a socket to whole requests, and from answers to bytes.

An HTTP/1.1 server protocol on httptools, run by uvicorn's server, which accepts connections and lets what is under way
end at a stop. A request is shown to the application twice: its head, so that strangers cannot make us take in a body,
and then all of it. Requests that a client sends ahead are answered in their order.

Whoever may reach the port may send anything, so everything is bounded: connections, heads, bodies, the time a client
takes over a request, what is read of a request that was refused, what is sent ahead. What is not HTTP is answered in
the application's own words, like any other refusal.

Source: RFC 9112 (HTTP/1.1), section 7.1 for `chunk-size = 1*HEXDIG`; RFC 9110, sections 7.8 (Upgrade), 10.1.1
(Expect), 15.2 (1xx).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import httptools
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.server import ServerState

from isthmus.domain.errors import InvalidRequest, IsthmusError, Overloaded, TooLarge
from isthmus.gateway.headers import Header, RequestHead, read_head

_ORDINARY_READ = 8192
"""A head that came in reads of less than this in all needs no exact measuring."""
_SENT_AHEAD = 16
"""Requests that may wait behind the one being answered before we stop reading."""
_SENT_AHEAD_BYTES = 1024 * 1024
_UNWANTED_BYTES = 256 * 1024
"""A body that nobody wants is read to its end up to this size, and its connection kept; beyond it is closed."""
_LINGER_BYTES = 64 * 1024 * 1024
_LINGER_SECONDS = 30.0
"""How much, and how long, a client whose request was refused may go on sending. To close at once would reset the
connection, and a client that is still sending would never see our answer (RFC 9112, section 9.6)."""
_TURNED_AWAY = 256
"""Connections above the bound that are told so; those above these are closed without a word."""
_TURNED_AWAY_SECONDS = 2.0
_WRITTEN_TOGETHER = 16 * 1024
"""A body up to this size is joined to its head; to copy a larger one costs more than to hand over two pieces."""

_FIRST_LOOK = 0.01
_LAST_LOOK = 1.0
"""Seconds between two looks at whether a client that sends no more is there; they double."""
_MOST_QUESTIONS = 8
"""How often it is asked. Sizes of chunks may have 16 digits with some clients."""

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus}

_IDLE, _HEAD, _BODY = range(3)


class Work(Protocol):
    """What an application does about one request."""

    @property
    def most_bytes(self) -> int | None:
        """How large a body is taken in. None: none is wanted, what comes is thrown away."""
        ...

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None] | None:
        """Begin to answer, the request being complete. None: it is answered already, nothing has to be waited for."""
        ...

    def refused(self, error: IsthmusError) -> Work:
        """What to do instead, since the body is not what it may be."""
        ...


class Application(Protocol):
    """What answers requests."""

    def admit(self, head: RequestHead) -> Work:
        """What to do about a request, by its head. Never raises."""
        ...

    def refuse(self, error: IsthmusError) -> Work:
        """What to do about something that is no request. Never raises."""
        ...


@dataclass(slots=True)
class Connections:
    """The open connections of one server, and the bounds they are held to."""

    head_bytes: int = 64 * 1024
    request_seconds: float = 60.0
    """How long a client may take over the head of a request, and then from one piece of its body to the next."""
    idle_seconds: float = 75.0
    """How long a connection is kept open between requests."""
    most: int = 4096
    """Connections served at once; whoever comes then is told to come again."""
    open: set[Connection] = field(default_factory=set)
    _dated: tuple[list[Header], bytes] = field(default_factory=lambda: ([], b""))

    def sweep(self, now: float | None = None) -> int:
        """Close the connections whose client takes too long to send. Returns how many."""
        now = time.monotonic() if now is None else now
        late = [connection for connection in self.open if connection.is_late(now)]
        for connection in late:
            connection.drop()
        return len(late)

    def protocol(self) -> type[Connection]:
        """The protocol class of a server that holds its connections to these bounds."""
        return type("BoundConnection", (Connection,), {"bounds": self, "__slots__": ()})

    def lines(self, state: ServerState) -> bytes:
        """What every answer says: the date, which uvicorn writes anew every second."""
        headers, lines = self._dated
        if headers is not state.default_headers:
            headers = state.default_headers
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            self._dated = headers, lines
        return lines


class _Turn:
    """One request of a connection, and its place in the order of answers."""

    __slots__ = ("expects_leave", "head_only", "last", "old", "parts", "size", "work")

    def __init__(self, work: Work, *, old: bool = False, head_only: bool = False, last: bool = False) -> None:
        self.work = work
        self.old = old
        """HTTP/1.0: it knows no chunks, so the end of a stream is the end of the connection."""
        self.head_only = head_only
        self.last = last
        """The connection ends with its answer."""
        self.expects_leave = False
        self.parts: list[bytes] = []
        self.size = 0


class Connection(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = (
        "_application",
        "_at_work",
        "_beginning",
        "_cut_off",
        "_deaf",
        "_due",
        "_half_closed",
        "_head_is_new",
        "_head_read",
        "_headers",
        "_incoming",
        "_lingering",
        "_loop",
        "_overheard",
        "_parser",
        "_paused",
        "_phase",
        "_state",
        "_task",
        "_transport",
        "_turned_away",
        "_upgrades",
        "_url",
        "_waiting",
        "_writable",
        "begun",
        "gone",
    )

    bounds: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's, for lifespans
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.gone = False
        """The client has left."""
        self.begun = False
        """The answer at hand has begun: its head is sent."""
        self._application: Application = config.app  # type: ignore[assignment]  # uvicorn's type knows ASGI's only
        self._loop = _loop or asyncio.get_running_loop()
        self._state = server_state
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._phase = _IDLE
        self._due = time.monotonic() + self.bounds.request_seconds
        """When we stop waiting for a request, or for the rest of one. Not minded while one is being answered."""
        self._head_read = 0
        self._head_is_new = False
        self._url = b""
        self._headers: list[Header] = []
        self._upgrades = False
        """The request being read asks to go on in another protocol."""
        self._incoming: _Turn | None = None
        """The request whose body is being read."""
        self._waiting: deque[_Turn] = deque()
        self._at_work: _Turn | None = None
        self._task: asyncio.Task[None] | None = None
        self._beginning = False
        self._paused = False
        self._deaf = False
        """No further request is read; what still comes is thrown away."""
        self._overheard = 0
        self._turned_away = False
        """There is no place for this client, and it has not been told yet."""
        self._cut_off = False
        """A request was refused before all of it was read."""
        self._lingering = False
        self._half_closed = False
        """The client has sent all that it will send."""
        self._writable: asyncio.Future[None] | None = None
        """Set while the client does not read."""

    # ------------------------------------------------------------------------------------------- for the application

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer the request at hand with a whole body. `lines` are header lines, each with its end."""
        turn = self._at_work
        assert turn is not None
        head = b"%b%bcontent-length: %d\r\n\r\n" % (self._head(turn, status), lines, len(body))
        if turn.head_only:
            self._transport.write(head)
        elif len(body) <= _WRITTEN_TOGETHER:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        self._complete(turn)

    def begin_stream(self, lines: bytes, first: bytes) -> None:
        """Begin to answer the request at hand with a stream. `first` may be empty: then the first piece is to come."""
        turn = self._at_work
        assert turn is not None
        if turn.old:
            turn.last = True
            self._transport.write(b"%b%b\r\n%b" % (self._head(turn, 200), lines, first))
        else:
            chunk = b"%x\r\n%b\r\n" % (len(first), first) if first else b""  # an empty chunk would be the end
            self._transport.write(b"%b%btransfer-encoding: chunked\r\n\r\n%b" % (self._head(turn, 200), lines, chunk))

    def write_piece(self, piece: bytes) -> asyncio.Future[None] | None:
        """Send a piece of a stream. What is returned is to be waited for before the next: the client does not read."""
        turn = self._at_work
        assert turn is not None
        self._transport.write(piece if turn.old else b"%x\r\n%b\r\n" % (len(piece), piece))
        return self._writable

    def end_stream(self) -> None:
        """The stream is complete."""
        turn = self._at_work
        assert turn is not None
        if not turn.old:
            self._transport.write(b"0\r\n\r\n")
        self._complete(turn)

    def drop(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_late(self, now: float) -> bool:
        """Whether the client takes too long over a request, or over reading its answer."""
        return (self._at_work is None or self._writable is not None) and self._due < now

    # ------------------------------------------------------------------------------------------------------- answers

    def _head(self, turn: _Turn, status: int) -> bytes:
        self.begun = True
        common = self.bounds.lines(self._state)
        return b"%b%bconnection: close\r\n" % (_STATUS[status], common) if turn.last else _STATUS[status] + common

    def _start(self, turn: _Turn) -> None:
        self._at_work = turn
        self.begun = False
        parts = turn.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._beginning = True
        answering = turn.work.begin(self, body)
        self._beginning = False
        if answering is not None:
            task = self._loop.create_task(answering)
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)
            self._task = task

    def _complete(self, turn: _Turn) -> None:
        """The answer at hand is sent."""
        self._at_work = self._task = None
        self._state.total_requests += 1
        bounds = self.bounds
        self._due = time.monotonic() + (bounds.idle_seconds if self._phase == _IDLE else bounds.request_seconds)
        if turn.last:
            self._finish()
        elif not self._beginning:  # else whoever began it goes on
            self._advance()

    def _advance(self) -> None:
        """Answer what the client sent ahead."""
        while self._waiting:
            self._start(self._waiting.popleft())
            if self._at_work is not None:
                return
        if self._half_closed:
            self._transport.close()
            return
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if self._transport.is_closing():
            return
        if self._incoming is not None and self._incoming.expects_leave:
            self._give_leave(self._incoming)

    def _finish(self) -> None:
        """The last answer is sent: close, but not in the face of a client that is still sending."""
        self._waiting.clear()
        if not self._cut_off or self._half_closed:
            self._transport.close()
            return
        self._lingering = True
        self._due = time.monotonic() + _LINGER_SECONDS
        self._transport.write_eof()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _give_leave(self, turn: _Turn) -> None:
        turn.expects_leave = False
        self._transport.write(_GO_ON)

    # ------------------------------------------------------------------------------------------------------ requests

    def _ready(self, turn: _Turn) -> None:
        """A request is complete, or will not be read further."""
        self._incoming = None
        if self._at_work is None and not self._waiting:
            self._start(turn)
            return
        self._waiting.append(turn)
        crowded = len(self._waiting) >= _SENT_AHEAD or sum(turn.size for turn in self._waiting) > _SENT_AHEAD_BYTES
        if crowded and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _refuse_rest(self, error: IsthmusError) -> None:
        """What comes is no request, or not one that is read further: say so in its turn, and read no more."""
        turn = self._incoming or _Turn(self._application.refuse(error))
        if turn is self._incoming:
            turn.work = turn.work.refused(error)
        self._read_no_more(turn)

    def _read_no_more(self, turn: _Turn) -> None:
        self._deaf = self._cut_off = True
        turn.last = True
        turn.parts.clear()
        self._ready(turn)

    def _feed(self, data: bytes) -> None:
        """Let the parser read, and make it go over requests for another protocol, which we may ignore."""
        rest: bytes | memoryview = data
        while True:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as exc:
                rest = memoryview(data)[len(data) - len(rest) + exc.args[0] :]
                self._begin_again()
            else:
                return

    def _begin_again(self) -> None:
        """Read a head that asks for another protocol once more, as if it did not.

        The parser takes what follows such a head for that protocol and not for a body: the JDK's client asks for h2c on
        its first request and sends the body at once (RFC 9110, section 7.8: a server may ignore it).
        """
        method, version = self._parser.get_method(), self._parser.get_http_version().encode("ascii")
        if method == b"CONNECT":
            raise httptools.HttpParserError("no tunnels here")
        connection = b",".join(value for name, value in self._headers if name == b"connection")
        closes = b"close" in (token.strip() for token in connection.lower().split(b","))
        lines = [b"%b %b HTTP/%b\r\n" % (method, self._url, version)]
        lines += (
            b"%b: %b\r\n" % header
            for header in self._headers
            if header[0] not in {b"connection", b"upgrade", b"http2-settings"}
        )
        lines.append(b"connection: close\r\n\r\n" if closes else b"\r\n")
        self._upgrades = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"".join(lines))

    # ------------------------------------------------------------------------------------------------- for the parser

    def on_message_begin(self) -> None:
        self._phase = _HEAD
        self._head_is_new = True
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == _HEAD:  # else a trailer, which nobody reads
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        if self._parser.should_upgrade():
            self._upgrades = True
            return
        self._phase = _BODY
        if self._head_read > _ORDINARY_READ:
            size = len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)
            if size > self.bounds.head_bytes:
                self._refuse_head()
                return
        self._head_read = 0
        parser = self._parser
        head = read_head(parser.get_method(), self._url, self._headers, time.perf_counter())
        version = parser.get_http_version()
        old = version != "1.1"
        turn = self._incoming = _Turn(
            self._application.admit(head),
            old=old,
            head_only=head.method == b"HEAD",
            last=old or not parser.should_keep_alive(),
        )
        most = turn.work.most_bytes
        if old and (version != "1.0" or head.chunked):
            self._refuse_rest(
                InvalidRequest(f"This is not a request of HTTP/1.1, but of {version}, or one of neither.")
            )
        elif most is None:
            if head.expects_leave or head.chunked or head.length > _UNWANTED_BYTES:
                self._read_no_more(turn)
        elif head.length > most:
            self._refuse_rest(TooLarge(f"{head.length} bytes of body are more than the {most} allowed."))
        elif head.expects_leave and not old:
            turn.expects_leave = True
            if self._at_work is None and not self._waiting:
                self._give_leave(turn)

    def on_body(self, body: bytes) -> None:
        turn = self._incoming
        if turn is None or self._deaf:
            return
        most = turn.work.most_bytes
        if most is None:
            return
        turn.size += len(body)
        if turn.size > most:
            self._refuse_rest(TooLarge(f"The body is larger than the {most} bytes allowed."))
        else:
            turn.parts.append(body)

    def on_message_complete(self) -> None:
        if self._upgrades or self._deaf:
            return
        self._phase = _IDLE
        turn = self._incoming
        assert turn is not None
        if turn.last:
            self._deaf = True
        self._ready(turn)

    def _refuse_head(self) -> None:
        error = TooLarge("The head of the request is too large.")
        error.status = 431
        self._refuse_rest(error)

    # ------------------------------------------------------------------------------------------------------ asyncio's

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream socket: always a Transport
        bounds = self.bounds
        if len(bounds.open) >= bounds.most + _TURNED_AWAY:
            self._deaf = True
            self._transport.abort()
            return
        if len(bounds.open) >= bounds.most:
            self._due = time.monotonic() + _TURNED_AWAY_SECONDS
            self._deaf = self._turned_away = True
        bounds.open.add(self)
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn's type knows its own protocols only

    @override
    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._overhear(data)
            return
        if self._phase != _BODY:
            self._head_read += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError:
            raise  # a fault of our own: the loop logs it and closes the connection
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse_rest(InvalidRequest("What came is not HTTP/1.1."))
            return
        if self._phase == _IDLE or self._deaf:
            return
        if self._phase == _BODY or self._head_is_new:
            self._head_is_new = False
            self._due = time.monotonic() + self.bounds.request_seconds
        if self._phase == _HEAD and self._head_read > self.bounds.head_bytes:
            self._refuse_head()

    def _overhear(self, data: bytes) -> None:
        """More comes than is read. Whoever is turned away is told so when it asks: before, it would not listen."""
        if self._turned_away:
            self._turned_away = False
            self._refuse_rest(Overloaded("Too many connections are open.", hint="Try again soon."))
        self._overheard += len(data)
        if self._overheard > _LINGER_BYTES:
            self._transport.abort()

    @override
    def eof_received(self) -> bool:
        """The client will send no more: it left, or only closed its side. Both look the same, so we ask."""
        if self._at_work is None:
            return False
        self._half_closed = self._deaf = True
        self._incoming = None
        if not self._at_work.old:
            self._ask_whether_there(_FIRST_LOOK, _MOST_QUESTIONS)
        return True

    def _ask_whether_there(self, wait: float, questions: int) -> None:
        """Have the client's system tell whether anybody is left there; nothing else would, since we read no more.

        The system of a client that left answers whatever we send with a reset. One that is there must be able to pass
        over what we send: an interim answer, or in a stream a zero in front of the next chunk's size.
        """
        if self.gone or self._at_work is None:
            return
        peer: socket.socket = self._transport.get_extra_info("socket")
        if peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()
            return
        if questions and wait in {_FIRST_LOOK, _LAST_LOOK}:
            questions -= 1
            self._transport.write(b"0" if self.begun else _GO_ON)
        self._loop.call_later(wait, self._ask_whether_there, min(wait * 2, _LAST_LOOK), questions)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.bounds.open.discard(self)
        self._state.connections.discard(self)
        self.gone = self._deaf = True
        self._waiting.clear()
        self._incoming = None
        self._parser = None  # type: ignore[assignment]  # it refers to us: leave no cycle
        if self._task is not None:
            self._task.cancel()

    @override
    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        self._due = time.monotonic() + self.bounds.request_seconds

    @override
    def resume_writing(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    # ------------------------------------------------------------------------------------------------------ uvicorn's

    def shutdown(self) -> None:
        """The server stops: close as soon as nothing is under way."""
        turn = self._at_work or self._incoming
        if turn is None:
            self._transport.close()
            return
        turn.last = True
        if turn is self._at_work:
            self._waiting.clear()
            self._incoming = None
            self._deaf = True
