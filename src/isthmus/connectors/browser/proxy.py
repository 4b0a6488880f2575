"""The only way out of Chromium: a proxy on loopback, which keeps to the border.

Chromium looks no names up and connects to nobody but this proxy, which looks a name up once, checks what it found, and
connects to that. So the border holds for everything that Chromium does, whether or not Playwright tells of it:
redirects, workers, beacons sent while a page is left, prefetching, Chromium's own doings.

What goes through a tunnel is encrypted and not seen here: the border is one of hosts and ports.

It runs on asyncio itself, as Playwright does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from anyio import to_thread

from isthmus.connectors.browser.border import CLOSED, Border
from isthmus.connectors.web.addresses import Address, address
from isthmus.connectors.web.reach import Reach
from isthmus.domain.errors import ToolError

MOST_BYTES = 100 * 1024 * 1024
"""Taken in for one page, until the next is opened. An endless answer ends here."""
_HEAD_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_SECONDS = 15.0
"""For a connection to be made, and for a request's head to be told."""
_TOLD_SECONDS = 1.0
_MOST_CONNECTIONS = 256
_HOP = ("connection", "proxy-connection", "proxy-authorization", "keep-alive", "te", "upgrade")


@dataclass(eq=False)
class _Way:
    """A connection that was let through."""

    place: tuple[str, int]
    writers: tuple[asyncio.StreamWriter, ...]

    def cut(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(Exception):  # it may be half closed already
                writer.transport.abort()


@dataclass(kw_only=True)
class Seen:
    """What went on since the border was last opened for a page."""

    expected: set[str] = field(default_factory=set)
    """Hosts that a request of the page is for."""
    met: set[str] = field(default_factory=set)
    """Hosts that were connected to."""
    refused: Counter[str] = field(default_factory=Counter)
    """Hosts that were not, though a request of the page was for them, and how often."""
    taken: int = 0
    """Bytes."""

    @property
    def full(self) -> bool:
        return self.taken > MOST_BYTES


class Proxy:
    """The proxy of one browser."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._border = CLOSED
        self._ways: set[_Way] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.user = "isthmus"
        self.password = secrets.token_urlsafe(24)
        """Other programmes on this machine do not know it, so this is no way out for them."""
        self.seen = Seen()

    @property
    def border(self) -> Border:
        return self._border

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)

    async def aclose(self) -> None:
        self.hold(CLOSED)
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self, border: Border) -> None:
        """Keep to another border from now on. What it does not let through is cut off at once."""
        self._border = border
        for way in list(self._ways):
            if not border.lets(*way.place):
                way.cut()

    def begin(self, border: Border) -> None:
        """Keep to another border for a new page: nothing of the last one goes on."""
        self.hold(CLOSED)
        self.seen = Seen()
        self._border = border

    def expect(self, host: str) -> None:
        """Take note that a page makes a request to a host.

        Where none is made, nobody has any business: not Chromium itself, nor a page by ways that are no requests.
        """
        self.seen.expected.add(host)

    async def _is_expected(self, asked: Address) -> bool:
        """Whether a page makes a request there. Of a redirect that may be told a moment after it is followed."""
        end = time.monotonic() + _TOLD_SECONDS
        while asked.host not in self.seen.expected and asked.place not in self._border.own:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    # -- one connection -----------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # one side went away, or spoke no HTTP: Chromium is told by the closed connection
        except asyncio.CancelledError:
            pass  # the browser is closed; the server's own task has nobody to tell
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_SECONDS):
            first, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        if not self._known(headers):
            await _answer(writer, "407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=isthmus\r\n")
            return
        method, target, _ = first.split(" ", 2)
        try:
            asked = address(f"https://{target}" if method == "CONNECT" else target)
            upstream = await self._connected(asked)
        except ToolError:
            await _answer(writer, "403 Forbidden")
            return
        except (OSError, TimeoutError):
            await _answer(writer, "502 Bad Gateway")
            return
        way = _Way(asked.place, (writer, upstream[1]))
        self._ways.add(way)
        try:
            if not self._border.lets(*asked.place):  # it was tightened while the connection was made
                return
            if method == "CONNECT":
                await _answer(writer, "200 Connection Established", close=False)
                await self._both(reader, writer, *upstream)
            else:
                await self._one(f"{method} {asked.rest} HTTP/1.1", headers, reader, writer, *upstream)
        finally:
            self._ways.discard(way)
            way.cut()

    def _known(self, headers: list[tuple[str, str]]) -> bool:
        expected = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        given = next((value for name, value in headers if name.lower() == "proxy-authorization"), "")
        return secrets.compare_digest(given.encode(), expected.encode())

    async def _connected(self, asked: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a place, where the border lets it.

        Raises:
            ToolError: it does not, or the place may not be reached.
            OSError, TimeoutError: nobody is there.
        """
        elsewhere = ToolError(f"{asked.host} is not connected to from here.")
        if not await self._is_expected(asked):
            raise elsewhere
        if not self._border.lets(*asked.place) or self.seen.full:
            self.seen.refused[asked.host] += 1
            raise elsewhere
        try:
            found = await to_thread.run_sync(partial(self._reach.addresses, asked.host, asked.port))
        except ToolError:
            self.seen.refused[asked.host] += 1
            raise
        self.seen.met.add(asked.host)
        failure: OSError | TimeoutError = OSError("nobody is there")
        for ip in found[:4]:
            try:
                async with asyncio.timeout(_SECONDS):
                    # The address is one of digits: nothing is looked up again.
                    return await asyncio.open_connection(ip, asked.port, flags=socket.AI_NUMERICHOST)
            except (OSError, TimeoutError) as error:
                failure = error
        raise failure

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        """A tunnel, until either side ends it."""
        ends = [
            asyncio.ensure_future(self._pump(reader, up_writer, counted=False)),
            asyncio.ensure_future(self._pump(up_reader, writer, counted=True)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _one(
        self,
        first: str,
        headers: list[tuple[str, str]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        """One request without TLS, and its answer. The connection serves no second, which might be for elsewhere."""
        kept = [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP]
        up_writer.write("\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1"))
        left = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        while left > 0:
            piece = await reader.read(min(left, _CHUNK))
            if not piece:
                return
            left -= len(piece)
            up_writer.write(piece)
            await up_writer.drain()
        async with asyncio.timeout(4 * _SECONDS):
            first, headers = _head(await up_reader.readuntil(b"\r\n\r\n"))
        kept = [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP]
        writer.write("\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1"))
        await self._pump(up_reader, writer, counted=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        while piece := await reader.read(_CHUNK):
            if counted:
                self.seen.taken += len(piece)
                if self.seen.full:
                    return
            writer.write(piece)
            await writer.drain()


def _head(data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The first line and the header fields of a request or an answer."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("a line that is no header field")
        headers.append((name, value.strip()))
    return first, headers


async def _answer(writer: asyncio.StreamWriter, status: str, headers: str = "", *, close: bool = True) -> None:
    ends = "Content-Length: 0\r\nConnection: close\r\n" if close else ""
    writer.write(f"HTTP/1.1 {status}\r\n{headers}{ends}\r\n".encode("latin-1"))
    await writer.drain()
