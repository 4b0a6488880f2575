"""An upstream on a real socket whose every byte a test decides: what it says, in which pieces, when, and how it ends.

It runs on the test's own loop. A test gives a script, a coroutine function that is handed one request at a time.
"""

import asyncio
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


class Visit:
    """One request, and the means to answer it in any way."""

    def __init__(
        self, connection: int, turn: int, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection = connection
        """Number of the connection, from 0."""
        self.turn = turn
        """Number of the request on its connection, from 0."""
        self.head = head
        self.line, *lines = head.decode("latin-1").strip().split("\r\n")
        self.fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.body = b""
        self.reader = reader
        self.writer = writer
        self.keeps = True
        """Whether the connection goes on after this request."""

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.fields}

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    async def read_body(self) -> bytes:
        self.body += await self.reader.readexactly(int(self.headers["content-length"]) - len(self.body))
        return self.body

    async def say(self, data: bytes, *, at: Sequence[int] = (), pause: float = 0.0) -> None:
        """Send bytes, cut at the given places, so that each piece is a segment of its own."""
        edges = [0, *sorted(at), len(data)]
        for begin, end in itertools.pairwise(edges):
            if begin == end:
                continue
            self.writer.write(data[begin:end])
            await self.writer.drain()
            if end < len(data):
                await asyncio.sleep(pause)

    async def trickle(self, data: bytes, *, pause: float) -> None:
        """Send byte by byte."""
        await self.say(data, at=range(1, len(data)), pause=pause)

    def reset(self) -> None:
        """Break the connection: the other side sees a reset."""
        self.keeps = False
        broken: socket.socket = self.writer.get_extra_info("socket")
        with suppress(OSError):
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """Close the connection once all is sent."""
        self.keeps = False
        self.writer.close()

    async def client_left(self) -> bool:
        """Wait until the client closes the connection; False if it says something instead."""
        self.keeps = False
        with suppress(ConnectionError):
            return await self.reader.read(1) == b""
        return True


Script = Callable[[Visit], Awaitable[None]]


@dataclass
class HostileUpstream:
    """The running server."""

    script: Script
    port: int = 0
    scheme: str = "http"
    reads_bodies: bool = True
    """False: the script reads the body of a request itself, or does not."""
    visits: list[Visit] = field(default_factory=list)
    """All requests so far; emptied at will."""
    keeps_visits: bool = True
    connections: int = 0
    """How many were ever accepted."""
    open: int = 0
    """How many are open."""
    failures: list[BaseException] = field(default_factory=list)
    """What went wrong in scripts, beyond connections that broke."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.open += 1
        try:
            for turn in itertools.count():
                visit = Visit(number, turn, await reader.readuntil(b"\r\n\r\n"), reader, writer)
                if self.reads_bodies:
                    await visit.read_body()
                if self.keeps_visits:
                    self.visits.append(visit)
                await self.script(visit)
                if not visit.keeps:
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        except Exception as exc:  # a script is wrong: shown where the server is left
            self.failures.append(exc)
        finally:
            self.open -= 1
            writer.transport.abort()


@asynccontextmanager
async def hostile_upstream(
    script: Script,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    reads_bodies: bool = True,
    keeps_visits: bool = True,
) -> AsyncIterator[HostileUpstream]:
    """Serve a script on a free port of the loopback interface."""
    upstream = HostileUpstream(
        script, scheme="http" if tls is None else "https", reads_bodies=reads_bodies, keeps_visits=keeps_visits
    )
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(upstream.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls, limit=1 << 20)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving)
    for failure in upstream.failures:
        raise failure


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK", chunks: Sequence[int] | None = None) -> bytes:
    """A well-formed answer; with `chunks` (sizes, the last one repeated), its body is chunked."""
    head = [f"HTTP/1.1 {status}", *headers]
    if chunks is None:
        return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body
    head.append("Transfer-Encoding: chunked")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + chunked(body, chunks)


def chunked(body: bytes, sizes: Sequence[int]) -> bytes:
    """A body in chunks of the given sizes, the last size repeated."""
    out, rest = [], body
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        if not rest:
            break
        piece, rest = rest[:size], rest[size:]
        out.append(b"%x\r\n%s\r\n" % (len(piece), piece))
    return b"".join([*out, b"0\r\n\r\n"])
