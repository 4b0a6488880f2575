"""Each check has a state of the machine that it tells of, and a near one that it does not."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.doctor.scenes import Machine, found, severities
from typing_extensions import override

from isthmus.doctor.advisories import online
from isthmus.doctor.advisories.components import code_in_pth
from isthmus.doctor.advisories.matching import Component
from isthmus.doctor.scene import Scene
from isthmus.domain.errors import UpstreamMalformed, UpstreamUnreachable


class Server:
    """A server on loopback that answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            @override
            def log_message(self, format: str, *args: object) -> None: ...

            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body: Any) -> None:
                owner.asked.append((self.path, body))
                answer = owner.answers.get(self.path)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200 if answer is not None else 404)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def with_packages(machine: Machine, **versions: str) -> Scene:
    folder = machine.folder / "site-packages"
    folder.mkdir(exist_ok=True)
    for name, version in versions.items():
        (folder / f"{name}-{version}.dist-info").mkdir()
    return machine.scene(site_packages=(folder,))


# ---- SC-1


def test_a_package_with_known_vulnerabilities_is_told_once_with_the_version_that_mends_all(machine: Machine) -> None:
    (one,) = found("SC-1", with_packages(machine, vllm="0.8.4", rich="14.0"))
    assert one.subject.startswith("vllm 0.8.4")
    assert one.severity == "critical"
    assert "CVE-2026-48746" in one.found
    assert "more" in one.found
    assert one.remedy == "Update to a version after 0.28.0."


def test_packages_without_any_are_not_told(machine: Machine) -> None:
    assert found("SC-1", with_packages(machine, vllm="0.29.0", transformers="5.10.0", torch="2.9.1")) == []


def test_an_engine_that_answers_with_a_version_is_compared(machine: Machine, server: Server) -> None:
    server.answers = {"/": b"Ollama is running", "/api/version": {"version": "0.17.0"}, "/api/tags": {"models": []}}
    scene = machine.scene(ports={"ollama": server.port})
    (one,) = found("SC-1", scene)
    assert "CVE-2026-7482" in one.found
    assert f"127.0.0.1:{server.port}" in one.subject


def test_what_no_update_mends_is_told_as_a_warning(machine: Machine, server: Server) -> None:
    """That Ollama's API wants no key is how it is made, say its advisories."""
    server.answers = {"/": b"Ollama is running", "/api/version": {"version": "0.34.0"}, "/api/tags": {"models": []}}
    (one,) = found("SC-1", machine.scene(ports={"ollama": server.port}))
    assert one.severity == "warn"
    assert "CVE-2026-7482" not in one.found
    assert one.remedy == "Keep it from strangers: no version is known that mends all of it."


def test_only_where_the_operator_wants_it_osv_is_asked(
    machine: Machine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online.ask, "__kwdefaults__", {"endpoint": server.url})
    monkeypatch.setattr(online.details, "__kwdefaults__", {"endpoint": server.url})
    scene = with_packages(machine, rich="14.0")
    server.answers = {
        "/v1/querybatch": {"results": [{"vulns": [{"id": "GHSA-new"}]}]},
        "/v1/vulns/GHSA-new": {"id": "GHSA-new", "affected": []},
    }
    assert found("SC-1", scene) == []
    assert server.asked == []
    (one,) = found("SC-1", replace(scene, online=True))
    assert "GHSA-new" in one.found
    assert server.asked[0] == (
        "/v1/querybatch",
        {"queries": [{"package": {"name": "rich", "ecosystem": "PyPI"}, "version": "14.0"}]},
    )


HERE = Component("PyPI", "vllm", "1.0", "here")


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"results": []}', b'{"results": 7}', b"\xff"])
def test_an_answer_that_is_none_is_no_pass(server: Server, answer: bytes) -> None:
    server.answers = {"/v1/querybatch": answer}
    with pytest.raises(UpstreamMalformed):
        online.ask([HERE], endpoint=server.url)


def test_nobody_there_is_told_as_such(server: Server) -> None:
    with pytest.raises(UpstreamMalformed, match="status 404"):
        online.ask([HERE], endpoint=server.url)
    with pytest.raises(UpstreamUnreachable):
        online.ask([HERE], endpoint="http://127.0.0.1:1")


def test_osv_is_asked_at_its_own_host_over_tls_and_builds_of_llama_cpp_are_not_asked_about(server: Server) -> None:
    assert online.ENDPOINT == "https://api.osv.dev"
    server.answers = {"/v1/querybatch": {"results": []}}
    assert online.ask([Component("llama.cpp", "llama.cpp", "b1", "")], endpoint=server.url) == {}


# ---- SC-2


def test_a_malicious_version_is_critical(machine: Machine) -> None:
    scene = with_packages(machine, litellm="1.82.8", openai="2.20.0")
    (one,) = found("SC-2", scene)
    assert "MAL-2026-2144" in one.found
    assert severities("SC-2", scene) == ["critical"]


def test_the_version_before_a_malicious_one_is_not_told_as_such(machine: Machine) -> None:
    assert found("SC-2", with_packages(machine, litellm="1.82.6")) == []


@pytest.mark.parametrize(
    "line",
    [
        "/srv/project/src",
        "# import os",
        "import _virtualenv",
        "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
        "enabled and __import__('_distutils_hack');",
        "import __editable___isthmus_0_1_0_finder; __editable___isthmus_0_1_0_finder.install()",
    ],
)
def test_the_usual_pth_files_are_let_through(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.pth"
    path.write_text(f"\n{line}\n")
    assert code_in_pth(path) is None


@pytest.mark.parametrize(
    "line",
    [
        "import os, base64; exec(base64.b64decode('cHJpbnQoMSk='))",
        "import\tsubprocess",
        "import _virtualenv; import os",
        "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
        "enabled and __import__('os').system('x');",
        "import __editable___x_finder; __editable___y_finder.install()",
    ],
)
def test_code_that_runs_at_every_start_is_told(machine: Machine, line: str) -> None:
    scene = with_packages(machine)
    (scene.site_packages[0] / "litellm_init.pth").write_text(line)
    (one,) = found("SC-2", scene)
    assert one.subject.endswith("litellm_init.pth")
    assert one.severity == "high"
    assert "No package says that it is its own" in one.found


def test_whose_it_is_is_told_where_a_package_says_so(machine: Machine) -> None:
    scene = with_packages(machine, urllib3_future="2.13")
    folder = scene.site_packages[0]
    (folder / "urllib3_future.pth").write_text("import os, sys")
    (folder / "urllib3_future-2.13.dist-info" / "RECORD").write_text("a.py,,\nurllib3_future.pth,sha256=x,14\n")
    (one,) = found("SC-2", scene)
    assert one.severity == "warn"
    assert "It came with urllib3_future 2.13" in one.found


def test_the_line_of_a_namespace_package_is_a_known_one_and_one_with_more_behind_it_is_not(tmp_path: Path) -> None:
    line = (
        "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1)."
        "f_locals['sitedir'], *('google',));importlib = has_mfs and __import__('importlib.util');has_mfs and "
        "__import__('importlib.machinery');m = has_mfs and sys.modules.setdefault('google', importlib.util."
        "module_from_spec(importlib.machinery.PathFinder.find_spec('google', [os.path.dirname(p)])));m = m or "
        "sys.modules.setdefault('google', types.ModuleType('google'));mp = (m or []) and m.__dict__.setdefault("
        "'__path__',[]);(p not in mp) and mp.append(p)"
    )
    path = tmp_path / "x-nspkg.pth"
    path.write_text(line)
    assert code_in_pth(path) is None
    path.write_text(f"{line};os.system('x')")
    assert code_in_pth(path) is not None


# ---- SC-3


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("ollama/ollama", ["high"]),
        ("ollama/ollama:latest", ["high"]),
        ("vllm/vllm-openai:v0.28.1", ["warn"]),
        (f"vllm/vllm-openai:v0.28.1@sha256:{'a' * 64}", []),
        ("postgres:17", []),
    ],
)
def test_images_of_engines_are_to_be_named_by_their_digest(machine: Machine, image: str, told: list[str]) -> None:
    (machine.folder / "compose.yaml").write_text(json.dumps({"services": {"engine": {"image": image}}}))
    assert severities("SC-3", machine.scene()) == told


@pytest.mark.parametrize("content", ["", "[", "services: 7", "services: {a: 7}", "services: {a: {image: [ollama]}}"])
def test_a_file_of_compose_that_is_none_is_no_failure(machine: Machine, content: str) -> None:
    (machine.folder / "compose.yaml").write_text(content)
    assert found("SC-3", machine.scene()) == []


# ---- SC-4


def test_ollama_beside_windows_is_told(machine: Machine, server: Server) -> None:
    server.answers = {"/": b"Ollama is running", "/api/version": {"version": "0.34.0"}, "/api/tags": {"models": []}}
    assert found("SC-4", machine.scene(ports={"ollama": server.port})) == []
    (machine.proc / "version").write_text("Linux version 6.6 (oe-user@oe-host) microsoft-standard-WSL2")
    assert severities("SC-4", machine.scene(ports={"ollama": server.port})) == ["warn"]


# ---- SC-5


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("npx", ["-y", "@scope/server"], 1),
        ("npx", ["-y", "server@latest"], 1),
        ("npx", ["-y", "@scope/server@1.2.3"], 0),
        ("uvx", ["mcp-server-fetch"], 1),
        ("uvx", ["mcp-server-fetch==2026.1.1"], 0),
        ("/usr/bin/python3", ["server.py"], 0),
        ("npx", [], 0),
    ],
)
def test_servers_of_tools_are_to_be_pinned(machine: Machine, command: str, arguments: list[str], told: int) -> None:
    servers = {"mcpServers": {"fetch": {"command": command, "args": arguments}}}
    (machine.folder / ".mcp.json").write_text(json.dumps(servers))
    assert len(found("SC-5", machine.scene())) == told


@pytest.mark.parametrize(
    ("install", "told"),
    [
        ({"source": "npm", "spec": "@openclaw/x", "integrity": "sha512-…"}, 1),
        ({"source": "npm", "spec": "@openclaw/x@1.0.0"}, 1),
        ({"source": "npm", "spec": "@openclaw/x@1.0.0", "integrity": "sha512-…"}, 0),
        ({"source": "path"}, 0),
    ],
)
def test_plugins_of_openclaw_are_to_be_pinned(machine: Machine, install: dict[str, str], told: int) -> None:
    file = machine.folder / ".openclaw" / "openclaw.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"plugins": {"installs": {"x": install}}}))
    assert len(found("SC-5", machine.scene(environ={"HOME": str(machine.folder)}))) == told


@pytest.mark.parametrize("content", ["", "{", "[]", '{"mcpServers": []}', '{"mcpServers": {"x": 1}, "plugins": 2}'])
def test_files_that_say_nothing_usable_are_no_failure(machine: Machine, content: str) -> None:
    (machine.folder / ".mcp.json").write_text(content)
    assert found("SC-5", machine.scene()) == []
