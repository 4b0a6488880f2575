"""What runs at a port is told by what it answers, and by GET alone."""

import socket
import time
from threading import Thread

import pytest
from tests.unit.doctor import engine_servers as engines
from tests.unit.doctor.engine_servers import Script, serving

from isthmus.doctor.engines import EngineName, Target, engine_at, engine_of
from isthmus.doctor.listeners import Process


def target(port: int, usual: EngineName | None = None) -> Target:
    return Target(host="127.0.0.1", port=port, network=False, here=True, usual=usual)


@pytest.mark.parametrize(
    ("script", "name", "is_open", "version"),
    [
        (engines.OLLAMA, "ollama", True, "0.34.1"),
        (engines.VLLM, "vllm", True, "0.28.0"),
        (engines.VLLM_WITH_KEY, "vllm", False, "0.28.0"),
        (engines.LLAMA_CPP, "llama-cpp", True, "b11549-abcdef0"),
        (engines.LLAMA_CPP_WITH_KEY, "llama-cpp", False, None),
        (engines.OLDER_LLAMA_CPP_WITH_KEY, "llama-cpp", False, None),
        (engines.LLAMA_CPP_LOADING, "llama-cpp", None, None),
        (engines.SGLANG, "sglang", True, None),
        (engines.LM_STUDIO, "lm-studio", True, None),
        (engines.RAY, "ray", True, "2.60.0"),
        (engines.RAY_WITH_TOKEN, "ray", False, None),
        (engines.DEVTOOLS, "cdp", True, "Chrome/156.0.8078.79"),
        (engines.OPENCLAW_OPEN, "openclaw", True, "2026.9.6"),
        (engines.OPENCLAW_WITH_TOKEN, "openclaw", False, None),
        (engines.OPENCLAW_THAT_DOES_NOT_TELL, "openclaw", None, None),
        (engines.ISTHMUS, "isthmus", True, None),
        (engines.ISTHMUS_WITH_KEY, "isthmus", False, None),
    ],
)
def test_an_engine_is_known_by_what_it_answers(
    script: Script, name: EngineName, is_open: bool | None, version: str | None
) -> None:
    with serving(script) as served:
        answer = engine_at(target(served.port))
    assert answer is not None
    assert (answer.engine, answer.is_open, answer.version) == (name, is_open, version)
    assert {method for method, _ in served.asked} == {"GET"}
    assert len(served.asked) <= 20


def test_another_server_is_none() -> None:
    with serving(engines.WEB_SERVER) as served:
        assert engine_at(target(served.port, usual="vllm")) is None


def test_a_refusal_at_the_usual_port_is_a_server_that_wants_a_key() -> None:
    script = Script({}, missing=engines.Page({"error": "Unauthorized"}, 401))
    with serving(script) as served:
        answer = engine_at(target(served.port, usual="sglang"))
        assert answer is not None
        assert (answer.engine, answer.is_open) == ("openai-compatible", False)
        assert engine_at(target(served.port)) is None


def test_paths_that_answer_beside_the_door_are_told() -> None:
    with serving(engines.VLLM_WITH_KEY) as served:
        answer = engine_at(target(served.port))
    assert answer is not None
    assert answer.beside == ("/metrics", "/docs", "/invocations", "/tokenize")


@pytest.mark.parametrize(
    ("script", "pages"),
    [
        (engines.OLLAMA, ()),
        (engines.OLLAMA_FOR_ALL_ORIGINS, ("origin",)),
        (engines.OLLAMA_ON_ALL_ADDRESSES, ("host",)),
        (engines.LLAMA_CPP, ("origin", "host")),
        (engines.LLAMA_CPP_WITH_KEY, ()),
        (engines.RAY, ("host",)),
        (engines.DEVTOOLS, ()),
    ],
)
def test_how_a_web_page_could_use_it_is_told_of_what_is_open(script: Script, pages: tuple[str, ...]) -> None:
    with serving(script) as served:
        answer = engine_at(target(served.port))
    assert answer is not None
    assert answer.pages == pages


def test_nobody_there_is_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert engine_at(target(port, usual="ollama")) is None


def test_a_silent_port_is_the_rpc_server_only_where_that_is_expected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                connection.recv(1)  # a command that is none: the real one closes, too
                connection.close()

        Thread(target=hang_up, daemon=True).start()
        port = server.getsockname()[1]
        assert engine_at(target(port, usual="ollama")) is None
        answer = engine_at(target(port, usual="llama-cpp-rpc"))
    assert answer is not None
    assert (answer.engine, answer.is_open) == ("llama-cpp-rpc", True)


def test_a_server_that_drips_bytes_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.doctor.engines._FIRST_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    pass

        Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        assert engine_at(target(server.getsockname()[1])) is None
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("name", "arguments", "engine"),
    [
        ("ollama", ("/usr/local/bin/ollama", "serve"), "ollama"),
        ("llama-server", ("/opt/llama.cpp/llama-server", "-m", "x.gguf"), "llama-cpp"),
        ("rpc-server", ("./rpc-server", "-H", "0.0.0.0"), "llama-cpp-rpc"),
        ("python3", ("python3", "/venv/bin/vllm", "serve", "qwen"), "vllm"),
        ("VLLM::EngineCor", ("VLLM::EngineCore",), "vllm"),
        ("python3", ("python3", "-m", "sglang.launch_server"), "sglang"),
        ("raylet", ("/venv/ray/core/src/ray/raylet/raylet", "--node_ip"), "ray"),
        ("chrome", ("/opt/chrome", "--headless", "--remote-debugging-port=9222"), "cdp"),
        ("openclaw-gatewa", ("openclaw-gateway",), "openclaw"),
        ("python3", ("python3", "-m", "http.server"), None),
        ("vim", ("vim", "notes-on-ollama.txt"), None),
    ],
)
def test_a_process_is_known_by_its_name_or_command(
    name: str, arguments: tuple[str, ...], engine: EngineName | None
) -> None:
    assert engine_of(Process(pid=1, name=name, arguments=arguments)) == engine
