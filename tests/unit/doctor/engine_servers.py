"""Servers on loopback that answer as engines do: paths, statuses, headers and bodies as published or recorded.

Sources are those of `isthmus.doctor.engines`. llama.cpp, Ray, Chromium and OpenClaw were recorded from the real ones.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from typing_extensions import override


@dataclass(frozen=True)
class Page:
    """What a path answers."""

    body: Any = b""
    status: int = 200
    type: str = "application/json"

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Script:
    """How a server answers."""

    pages: Mapping[str, Page]
    missing: Page = Page({"detail": "Not Found"}, 404)
    headers: Mapping[str, str] = field(default_factory=dict)
    cors: Callable[[str], str | None] = lambda _origin: None
    """Access-Control-Allow-Origin for an origin."""
    host: Callable[[str], Page | None] = lambda _host: None
    """What a request for a host is refused with."""


class Served:
    """A server and what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, str]] = []
        """Method and path."""


@contextmanager
def serving(script: Script, address: str = "127.0.0.1") -> Iterator[Served]:
    """Serve on a free port. 127.0.0.2 stands for an address that other machines reach."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        @override
        def version_string(self) -> str:
            return script.headers.get("Server", "test")

        def do_GET(self) -> None:
            served.asked.append((self.command, self.path))
            host = self.headers["Host"].rpartition(":")[0] or self.headers["Host"]
            page = script.host(host) or script.pages.get(self.path, script.missing)
            self.send_response(page.status)
            self.send_header("Content-Type", page.type)
            self.send_header("Content-Length", str(len(page.data)))
            for name, value in script.headers.items():
                if name != "Server":
                    self.send_header(name, value)
            allowed = script.cors(self.headers["Origin"]) if "Origin" in self.headers else None
            if allowed:
                self.send_header("Access-Control-Allow-Origin", allowed)
            self.end_headers()
            self.wfile.write(page.data)

        @override
        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    served = Served(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _models(owner: str) -> Page:
    return Page({"object": "list", "data": [{"id": "some-model", "object": "model", "owned_by": owner}]})


def _own_names(host: str) -> Page | None:
    """As Ollama and Chromium look at `Host` when they listen on loopback."""
    return None if host == "localhost" or host.replace(".", "").isdigit() else Page(b"", 403, "text/plain")


OLLAMA = Script(
    {
        "/": Page(b"Ollama is running", type="text/plain; charset=utf-8"),
        "/api/version": Page({"version": "0.34.1"}),
        "/api/tags": Page({"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest", "size": 2019393189}]}),
        "/v1/models": _models("library"),
    },
    missing=Page(b"404 page not found", 404, "text/plain"),
    host=_own_names,
)
OLLAMA_FOR_ALL_ORIGINS = Script(OLLAMA.pages, OLLAMA.missing, cors=lambda _origin: "*", host=_own_names)
OLLAMA_ON_ALL_ADDRESSES = Script(OLLAMA.pages, OLLAMA.missing)

VLLM = Script(
    {
        "/v1/models": _models("vllm"),
        "/version": Page({"version": "0.28.0"}),
        "/ping": Page(),
        "/health": Page(),
        "/metrics": Page(b"# HELP vllm:num_requests_running\n", type="text/plain"),
        "/docs": Page(b"<!DOCTYPE html>", type="text/html"),
        "/invocations": Page({"detail": "Method Not Allowed"}, 405),
        "/tokenize": Page({"detail": "Method Not Allowed"}, 405),
    },
    headers={"Server": "uvicorn"},
    cors=lambda _origin: "*",
)
VLLM_WITH_KEY = Script(
    {**VLLM.pages, "/v1/models": Page({"error": "Unauthorized"}, 401)}, headers=VLLM.headers, cors=VLLM.cors
)

_LLAMA_REFUSAL = Page({"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}, 401)
LLAMA_CPP = Script(
    {
        "/v1/models": _models("llamacpp"),
        "/health": Page({"status": "ok"}),
        "/props": Page({"build_info": "b11549-abcdef0", "total_slots": 1}),
        "/slots": Page([{"id": 0}]),
    },
    missing=Page({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, 404),
    headers={"Server": "llama.cpp"},
    cors=lambda origin: origin,
)
LLAMA_CPP_WITH_KEY = Script({"/health": Page({"status": "ok"})}, _LLAMA_REFUSAL, headers=LLAMA_CPP.headers)
OLDER_LLAMA_CPP_WITH_KEY = Script(
    {"/v1/models": _models("llamacpp"), "/health": Page({"status": "ok"})},
    missing=_LLAMA_REFUSAL,
    headers=LLAMA_CPP.headers,
    cors=LLAMA_CPP.cors,
)
LLAMA_CPP_LOADING = Script(
    {},
    missing=Page({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503),
    headers=LLAMA_CPP.headers,
)

SGLANG = Script(
    {
        "/v1/models": _models("sglang"),
        "/get_model_info": Page({"model_path": "qwen/qwen2.5-0.5b-instruct", "is_generation": True}),
    },
    headers={"Server": "uvicorn"},
)

LM_STUDIO = Script(
    {"/v1/models": _models("organization_owner")},
    missing=Page({"error": "Unexpected endpoint or method. (GET /)"}),
)

RAY = Script(
    {
        "/": Page(b"<!doctype html><html><head><title>Ray Dashboard</title></head></html>", type="text/html"),
        "/api/version": Page({"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4259e"}),
    },
    missing=Page(b"404: Not Found", 404, "text/plain"),
    headers={"Server": "Python/3.11 aiohttp/3.14.5"},
)
RAY_WITH_TOKEN = Script(
    {"/": RAY.pages["/"]},
    missing=Page(b"Unauthorized: Missing authentication token", 401, "text/plain"),
    headers=RAY.headers,
)

DEVTOOLS = Script(
    {
        "/": Page(type="text/html; charset=UTF-8"),
        "/json/version": Page(
            {
                "Browser": "Chrome/156.0.8078.79",
                "Protocol-Version": "1.3",
                "webSocketDebuggerUrl": "ws://127.0.0.1:9222/devtools/browser/69f5e520",
            }
        ),
    },
    missing=Page(b"Unknown command", 404, "text/html"),
    host=_own_names,
)

_PANEL = Page(b"<!doctype html><title>OpenClaw Control</title><openclaw-app></openclaw-app>", type="text/html")
_UNAUTHORIZED = Page({"error": {"message": "Unauthorized", "type": "unauthorized"}}, 401)
_HISTORY = "/sessions/isthmus-doctor/history"
OPENCLAW_OPEN = Script(
    {
        "/v1/models": Page(b"Not Found", 404, "text/plain"),
        _HISTORY: Page({"ok": False, "error": {"type": "not_found", "message": "Session not found: x"}}, 404),
        "/control-ui-config.json": Page({"basePath": "", "serverVersion": "2026.9.6"}),
    },
    missing=_PANEL,
)
OPENCLAW_WITH_TOKEN = Script(
    {
        "/v1/models": Page(b"Not Found", 404, "text/plain"),
        _HISTORY: _UNAUTHORIZED,
        "/control-ui-config.json": _UNAUTHORIZED,
    },
    missing=_PANEL,
)
OPENCLAW_THAT_DOES_NOT_TELL = Script({}, missing=_PANEL)

ISTHMUS = Script({"/v1/models": _models("workload")})
ISTHMUS_WITH_KEY = Script(
    {
        "/v1/models": Page(
            {
                "error": {
                    "message": "This endpoint needs a key. Send `Authorization: Bearer <key>`; `isthmus keys add NAME` "
                    "makes one.",
                    "code": "invalid_api_key",
                }
            },
            401,
        )
    }
)

WEB_SERVER = Script({"/": Page(b"<h1>It works!</h1>", type="text/html")}, missing=Page(b"no", 404, "text/html"))
