"""A stand-in for management interfaces, on loopback: it plays the published shapes, and shows who asked what."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme
from typing_extensions import override

from isthmus.domain.offer import Offer, SecretRef

ACCOUNT_KEY = "key-that-reads-settings"
OFFER_KEY = "key-of-the-offer"


@dataclass
class Standin:
    """What is answered at which path, and what was asked."""

    address: str = ""
    routes: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Status and body: JSON, or bytes as they are. A status of 3xx has its target as the body."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and `authorization` of every request."""
    keys: tuple[str, ...] = (ACCOUNT_KEY, OFFER_KEY)
    """Those that are let in."""
    hold: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def serve() -> Iterator[Callable[..., Standin]]:
    """Starts stand-ins."""
    running: list[tuple[ThreadingHTTPServer, Standin]] = []

    def start(routes: dict[str, tuple[int, Any]], *, ca: trustme.CA | None = None) -> Standin:
        standin = Standin(routes=routes)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
        scheme = "http"
        if ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ca.issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        standin.address = f"{scheme}://127.0.0.1:{server.server_port}"
        running.append((server, standin))
        return standin

    yield start
    for server, standin in running:
        standin.hold.set()
        server.shutdown()
        server.server_close()


def _handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.headers.get("authorization", "")
            standin.asked.append((self.path, key))
            status, body = standin.routes.get(self.path, (404, {"error": "not found"}))
            if key.removeprefix("Bearer ") not in standin.keys:
                status, body = 401, {"error": {"message": f"wrong key {key}"}}
            if body == "hold":
                self.send_response(200)
                self.send_header("content-length", "10")
                self.end_headers()
                self.wfile.write(b"{")
                self.wfile.flush()
                standin.hold.wait(10)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", body)
                body = b""
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def offer() -> Callable[..., Offer]:
    """Makes an offer at an address."""

    def make(base_url: str, *, provider: str = "openai", model: str = "gpt-5.4-mini", **said: Any) -> Offer:
        return Offer(
            name="mine",
            model=model,
            provider=provider,
            dialect="openai-chat",
            base_url=base_url,
            side="closed",
            key=SecretRef("env", "OFFER_KEY"),
            **said,
        )

    return make
