"""Finding engines and keys, against servers on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typing_extensions import override

from isthmus.domain.offer import SecretRef
from isthmus.providers.discovery import find_engines, find_keys, usual_ports

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers `GET /v1/models` as told; returns its port."""
    running: list[ThreadingHTTPServer] = []
    waiting = threading.Event()

    def serve(body: object, *, status: int = 200, headers: dict[str, str] | None = None, silent: bool = False) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if silent:
                    waiting.wait(10)
                    return
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status if self.path == "/v1/models" else 404)
                for name, value in {**(headers or {}), "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return server.server_port

    yield serve
    waiting.set()
    for server in running:
        server.shutdown()
        server.server_close()


def models(*names: str, owner: str = "library") -> dict[str, object]:
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner} for name in names]}


def test_an_engine_is_found_with_its_chat_models(serve: Serve) -> None:
    port = serve(models("qwen3:8b", "nomic-embed-text", "qwen3:8b", "llama3.2:3b"))
    (engine,) = find_engines({"ollama": port})
    assert engine.service.name == "ollama"
    assert engine.base_url == f"http://127.0.0.1:{port}/v1"
    assert engine.models == ("qwen3:8b", "llama3.2:3b")


def test_an_engine_on_the_port_of_another_is_told_by_what_it_says(serve: Serve) -> None:
    (engine,) = find_engines({"llama-cpp": serve(models("m", owner="vllm"))})
    assert engine.service.name == "vllm"


def test_engines_come_in_the_order_asked(serve: Serve) -> None:
    ports = {"vllm": serve(models("a", owner="?")), "lm-studio": serve(models("b", owner="?"))}
    assert [engine.service.name for engine in find_engines(ports)] == ["vllm", "lm-studio"]


def test_an_isthmus_is_no_engine(serve: Serve) -> None:
    assert find_engines({"vllm": serve(models("auto"), headers={"isthmus-request": "1"})}) == ()
    assert find_engines({"vllm": serve(models("auto", owner="workload"))}) == ()


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"data": {}}', b'{"data": [3]}', b'{"data": [{"id": 3}]}', b"[" * 100_000, b"\xff"]
)
def test_some_other_server_is_no_engine(serve: Serve, body: bytes) -> None:
    assert find_engines({"vllm": serve(body)}) == ()


def test_an_engine_that_refuses_is_no_engine(serve: Serve) -> None:
    assert find_engines({"vllm": serve(models("m"), status=401)}) == ()


def test_nothing_on_the_port_is_nothing_found() -> None:
    assert find_engines({"vllm": 1}) == ()
    assert find_engines({}) == ()


def test_a_silent_server_does_not_hold_up_the_others(serve: Serve) -> None:
    ports = {"vllm": serve(None, silent=True), "ollama": serve(models("m"))}
    start = time.monotonic()
    found = find_engines(ports, seconds=0.3)
    assert [engine.service.name for engine in found] == ["ollama"]
    assert time.monotonic() - start < 2


def test_keys_are_found_in_the_order_of_the_table() -> None:
    found = find_keys({"MISTRAL_API_KEY": "x", "OPENAI_API_KEY": "x", "GROQ_API_KEY": "  ", "GOOGLE_API_KEY": "x"})
    assert [(key.service.name, key.key) for key in found] == [
        ("openai", SecretRef("env", "OPENAI_API_KEY")),
        ("gemini", SecretRef("env", "GOOGLE_API_KEY")),
        ("mistral", SecretRef("env", "MISTRAL_API_KEY")),
    ]


def test_the_usual_ports_are_those_of_the_engines_people_run() -> None:
    assert usual_ports() == {"vllm": 8000, "sglang": 30000, "llama-cpp": 8080, "ollama": 11434, "lm-studio": 1234}
