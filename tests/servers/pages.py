"""Small sites on loopback: one server, any number of hosts, told apart by name. It records all that it is asked.

Pages are told as functions of a request, by host and path. What no page is told for is a 404, which is recorded too: a
hostile page has reached somebody as soon as it has asked.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    host: str
    method: str
    path: str
    """With the query."""
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer."""

    body: bytes | str = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "text/html; charset=utf-8"
    endless: bytes = b""
    """What is sent again and again after the body, for as long as somebody listens."""
    pause: float = 0.0
    """Seconds between two of them."""


Answer = Callable[[Asked], Page]


@dataclass(kw_only=True)
class Sites:
    """The server, its sites, and what they were asked."""

    port: int = 0
    pages: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By host and path, without the query."""
    asked: list[Asked] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    """The names that were looked up (by `look_up`), which is who was to be connected to."""
    elsewhere: dict[str, list[list[str]]] = field(default_factory=dict)
    """IP addresses of hosts that are not here: one list for each time they are looked up, the last for ever."""
    closing: threading.Event = field(default_factory=threading.Event)

    def put(self, host: str, path: str, page: Page | str | Answer) -> str:
        """Put a page somewhere; returns its address."""
        if isinstance(page, str):
            page = Page(body=page)
        self.pages[host, path] = page if callable(page) else _always(page)
        return self.at(host, path)

    def at(self, host: str, path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"

    def of(self, host: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.host == host]

    def hosts(self) -> set[str]:
        """Whom requests came to."""
        return {asked.host for asked in self.asked}

    def look_up(self, host: str, port: int) -> list[str]:
        """All names lead here, but those that are elsewhere."""
        self.looked_up.append(host)
        if host in self.elsewhere:
            answers = self.elsewhere[host]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        if host.endswith(".missing"):
            raise OSError("no such host")
        return ["127.0.0.1"]

    def clear(self) -> None:
        self.pages.clear()
        self.asked.clear()
        self.looked_up.clear()
        self.elsewhere.clear()


def _always(page: Page) -> Answer:
    return lambda _: page


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sites: Sites

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        asked = Asked(
            host=(self.headers.get("host") or "").rpartition(":")[0] or (self.headers.get("host") or ""),
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self.sites.asked.append(asked)
        answer = self.sites.pages.get((asked.host, urlsplit(self.path).path))
        page = Page(status=404, body="nothing here") if answer is None else answer(asked)
        body = page.body.encode() if isinstance(page.body, str) else page.body
        self.send_response(page.status)
        for name, value in page.headers:
            self.send_header(name, value)
        self.send_header("content-type", page.media_type)
        if page.endless:
            self.close_connection = True
            self.send_header("connection", "close")
        else:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body)
        while page.endless and not self.sites.closing.wait(page.pause):
            self.wfile.write(page.endless)
            self.wfile.flush()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # who asked went away, as they may


@contextlib.contextmanager
def running(*, context: ssl.SSLContext | None = None) -> Iterator[Sites]:
    """A server for as long as the context lasts. With `context` it speaks TLS."""
    sites = Sites()
    handler = type("Handler", (_Handler,), {"sites": sites})
    server = _Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sites.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield sites
    finally:
        sites.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
