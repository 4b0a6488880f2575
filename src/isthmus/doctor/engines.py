"""What runs at a port, told by what it answers: local engines, their control ports, isthmus itself.

Only GET is asked, of paths that read, at most some twenty a port. Where a server could be several, nothing is said.

Sources of the marks:
    Ollama          `Ollama is running` at `/`, `/api/version`, `/api/tags` (ollama/ollama, server/routes.go)
    llama.cpp       `Server: llama.cpp`, `/props`; until some time in 2026 a key left `/v1/models` open (tools/server)
    vLLM            `owned_by`, `/version`; a key covers `/v1` and little more (docs/usage/security.md)
    SGLang          `owned_by`, `/get_model_info` (docs, native API)
    LM Studio       `owned_by`; any other path is answered 200 with an error (lmstudio-bug-tracker 1323)
    Ray             `/api/version` with `ray_version`, with token authentication 401 (Ray Jobs REST API)
    DevTools        `/json/version` (Chrome DevTools Protocol, HTTP endpoints)
    OpenClaw        the page of its control panel at `/`, `/sessions/ID/history` (recorded from 2026.9.6)
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.doctor import asking
from isthmus.doctor.asking import Reply
from isthmus.doctor.listeners import Process

EngineName = Literal[
    "ollama",
    "vllm",
    "llama-cpp",
    "llama-cpp-rpc",
    "sglang",
    "lm-studio",
    "ray",
    "cdp",
    "openclaw",
    "isthmus",
    "openai-compatible",
]

TITLES: Mapping[EngineName, str] = {
    "ollama": "Ollama",
    "vllm": "vLLM",
    "llama-cpp": "llama.cpp's server",
    "llama-cpp-rpc": "llama.cpp's RPC server",
    "sglang": "SGLang",
    "lm-studio": "LM Studio",
    "ray": "Ray's dashboard",
    "cdp": "a browser's DevTools",
    "openclaw": "OpenClaw's gateway",
    "isthmus": "isthmus",
    "openai-compatible": "a server of OpenAI's dialect",
}

USUAL_PORTS: Mapping[EngineName, int] = {
    "ollama": 11434,
    "vllm": 8000,
    "llama-cpp": 8080,
    "llama-cpp-rpc": 50052,
    "sglang": 30000,
    "lm-studio": 1234,
    "ray": 8265,
    "cdp": 9222,
    "openclaw": 18789,
}
"""Where each listens unless it is told otherwise."""

CONTROLS: frozenset[EngineName] = frozenset({"ray", "cdp", "llama-cpp-rpc"})
"""Whoever reaches these runs programmes on the machine, drives its browser, or reads and writes its memory."""

_FIRST_SECONDS = 5.0
"""For the first question to a port: who is busy answers late, and must not be taken for nobody."""

_SECONDS = 10.0
"""For all questions to one port."""

_STRANGER = "doctor.invalid"
"""A name that is nobody's (RFC 6761): as which a web page would come."""

_OPEN_PATHS: Mapping[EngineName, tuple[str, ...]] = {
    "llama-cpp": ("/v1/models", "/metrics", "/slots"),
    "vllm": ("/metrics", "/docs", "/server_info", "/tokenizer_info", "/invocations", "/tokenize", "/score"),
    "sglang": ("/metrics", "/docs", "/get_server_info"),
    "openai-compatible": ("/metrics", "/docs"),
}
"""Asked where the main door wants a key."""

WORKING_PATHS = frozenset({"/invocations", "/tokenize", "/score"})
"""Those that do work for whoever asks. They take POST alone, so a GET that gets past the key is told 405."""

Page = Literal["origin", "host"]
"""How a web page gets at it: it is told that its origin may read; it comes under a name of its own (DNS rebinding)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A port to be asked."""

    host: str
    port: int
    network: bool
    """Whether the host is an address that other machines reach, as far as this one knows."""
    here: bool
    """Whether it is this machine."""
    usual: EngineName | None = None
    """What usually has this port."""
    owner: Process | None = None
    """Who listens, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An engine that answers at an address."""

    engine: EngineName
    target: Target
    is_open: bool | None
    """Whether it serves whoever asks. None: it does not tell."""
    beside: tuple[str, ...] = ()
    """Paths that answer without a key although the main door asks for one."""
    pages: tuple[Page, ...] = ()
    """How any web page that somebody here opens could use it; only of what is open."""
    version: str | None = None

    @property
    def title(self) -> str:
        return TITLES[self.engine]

    @property
    def place(self) -> str:
        host, port = self.target.host, self.target.port
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_MODELS = "/v1/models"


class _Door:
    """One port of one host: each path is asked once, until the time is up."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._end = time.monotonic() + _SECONDS
        self._known: dict[str, Reply | None] = {}

    @property
    def models(self) -> tuple[dict[str, Any], ...]:
        """The rows of a list of models in OpenAI's manner; empty where there is none."""
        rows = self.json(_MODELS).get("data")
        known = rows if isinstance(rows, list) else ()
        return tuple(row for row in known if isinstance(row, dict) and "id" in row)

    def get(self, path: str) -> Reply | None:
        if path not in self._known:
            self._known[path] = self._ask(path, {})
        return self._known[path]

    def as_stranger(self, path: str, header: str) -> Reply | None:
        return self._ask(path, {header: f"https://{_STRANGER}" if header == "Origin" else _STRANGER})

    def status(self, path: str) -> int | None:
        reply = self.get(path)
        return None if reply is None else reply.status

    def json(self, path: str) -> dict[str, Any]:
        """What a path answers with success, where it is a JSON object; else an empty one."""
        reply = self.get(path)
        found = None if reply is None or reply.status != 200 else reply.json
        return found if isinstance(found, dict) else {}

    def text(self, path: str) -> str:
        reply = self.get(path)
        return "" if reply is None else reply.text

    def header(self, path: str, name: str) -> str:
        reply = self.get(path)
        return "" if reply is None else reply.headers.get(name, "")

    def _ask(self, path: str, headers: Mapping[str, str]) -> Reply | None:
        left = self._end - time.monotonic()
        if left <= 0:
            return None
        most = asking.SECONDS if self._known else _FIRST_SECONDS
        return asking.get(self._host, self._port, path, headers, seconds=min(left, most))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    engine: EngineName
    is_open: bool | None
    probe: str = _MODELS
    """A path that answers whoever is let in."""
    version: str | None = None


def engine_at(target: Target) -> Answer | None:
    """What answers at a port; None: nothing, or nothing that is known here."""
    door = _Door(target.host, target.port)
    status = door.status(_MODELS)
    if status is None:
        silent = "llama-cpp-rpc" in {target.usual, None if target.owner is None else engine_of(target.owner)}
        if silent and asking.is_open(target.host, target.port):
            return Answer(engine="llama-cpp-rpc", target=target, is_open=True)
        return None
    seen = next((found for look in _LOOKS if (found := look(door)) is not None), None)
    if seen is None and target.usual is not None and target.usual not in CONTROLS and status in {401, 403}:
        seen = _Seen(engine="openai-compatible", is_open=False)
    if seen is None:
        return None
    return Answer(
        engine=seen.engine,
        target=target,
        is_open=seen.is_open,
        beside=_beside(door, seen) if seen.is_open is False else (),
        pages=_pages(door, seen) if seen.is_open else (),
        version=seen.version,
    )


def _isthmus(door: _Door) -> _Seen | None:
    if any(row.get("owned_by") == "workload" for row in door.models):
        return _Seen(engine="isthmus", is_open=True)
    if door.status(_MODELS) == 401 and "`isthmus keys add " in door.text(_MODELS):
        return _Seen(engine="isthmus", is_open=False)
    return None


def _llama_cpp(door: _Door) -> _Seen | None:
    if not door.header(_MODELS, "server").startswith("llama.cpp"):
        return None
    build = door.json("/props").get("build_info")
    # While it loads a model it answers 503 to everybody, whether it has a key or not.
    is_open = {200: True, 401: False, 403: False}.get(door.status("/props") or 0)
    return _Seen(engine="llama-cpp", is_open=is_open, probe="/props", version=_text(build))


def _devtools(door: _Door) -> _Seen | None:
    told = door.json("/json/version")
    if not ("webSocketDebuggerUrl" in told or {"Browser", "Protocol-Version"} <= told.keys()):
        return None
    return _Seen(engine="cdp", is_open=True, probe="/json/version", version=_text(told.get("Browser")))


def _ray(door: _Door) -> _Seen | None:
    told = door.json("/api/version")
    if "ray_version" in told:
        return _Seen(engine="ray", is_open=True, probe="/api/version", version=_text(told["ray_version"]))
    if door.status("/api/version") in {401, 403} and "<title>Ray Dashboard</title>" in door.text("/"):
        return _Seen(engine="ray", is_open=False)
    return None


def _ollama(door: _Door) -> _Seen | None:
    if not door.text("/").startswith("Ollama is running"):
        return None
    version = _text(door.json("/api/version").get("version"))
    return _Seen(engine="ollama", is_open=door.status("/api/tags") == 200, probe="/api/tags", version=version)


def _openclaw(door: _Door) -> _Seen | None:
    page = door.text("/")
    if "<title>OpenClaw Control</title>" not in page and "<openclaw-app" not in page:
        return None
    # Its door is a WebSocket, which is not opened here, and the page is shown to anybody. Whoever may not ask for the
    # history of a session is told so; whoever may is told that there is no such session.
    asked = door.get("/sessions/isthmus-doctor/history")
    told = None if asked is None else asked.json
    known = isinstance(told, dict) and isinstance(told.get("error"), dict) and told["error"].get("type")
    is_open = {"not_found": True, "unauthorized": False}.get(str(known))
    config = "/control-ui-config.json"
    return _Seen(
        engine="openclaw", is_open=is_open, probe=config, version=_text(door.json(config).get("serverVersion"))
    )


def _by_owner(door: _Door) -> _Seen | None:
    """Engines that say in the list of models whose it is."""
    owners = {row.get("owned_by") for row in door.models}
    for owner, engine in _OWNERS.items():
        if owner in owners:
            version = _text(door.json("/version").get("version")) if engine == "vllm" else None
            return _Seen(engine=engine, is_open=True, version=version)
    return None


def _locked_vllm(door: _Door) -> _Seen | None:
    """With a key the list of models is closed, and the version is not."""
    if door.status(_MODELS) != 401:
        return None
    version = _text(door.json("/version").get("version"))
    if version is None or door.status("/ping") != 200:
        return None
    return _Seen(engine="vllm", is_open=False, version=version)


def _sglang(door: _Door) -> _Seen | None:
    if "model_path" not in door.json("/get_model_info"):
        return None
    return _Seen(engine="sglang", is_open=door.status(_MODELS) == 200, probe="/get_model_info")


def _lm_studio(door: _Door) -> _Seen | None:
    if "Unexpected endpoint or method. (GET /" not in door.text("/"):
        return None
    return _Seen(engine="lm-studio", is_open=bool(door.models))


def _compatible(door: _Door) -> _Seen | None:
    return _Seen(engine="openai-compatible", is_open=True) if door.models else None


_OWNERS: Mapping[str, EngineName] = {"vllm": "vllm", "sglang": "sglang", "organization_owner": "lm-studio"}

_LOOKS: tuple[Callable[[_Door], _Seen | None], ...] = (
    _isthmus,
    _llama_cpp,
    _by_owner,
    _ollama,
    _ray,
    _devtools,
    _openclaw,
    _locked_vllm,
    _sglang,
    _lm_studio,
    _compatible,
)


def _beside(door: _Door, seen: _Seen) -> tuple[str, ...]:
    def answers(path: str) -> bool:
        return door.status(path) == (405 if path in WORKING_PATHS else 200)

    return tuple(path for path in _OPEN_PATHS.get(seen.engine, ()) if answers(path))


def _pages(door: _Door, seen: _Seen) -> tuple[Page, ...]:
    found: list[Page] = []
    reply = door.as_stranger(seen.probe, "Origin")
    allowed = "" if reply is None else reply.headers.get("access-control-allow-origin", "")
    if reply is not None and reply.status == 200 and (allowed == "*" or _STRANGER in allowed):
        found.append("origin")
    renamed = door.as_stranger(seen.probe, "Host")
    if renamed is not None and renamed.status == 200:
        found.append("host")
    return tuple(found)


def _text(value: object) -> str | None:
    return value[:60] if isinstance(value, str) and value.isprintable() else None


_PROCESSES: tuple[tuple[EngineName, re.Pattern[str]], ...] = (
    ("llama-cpp-rpc", re.compile(r"(?:^|[/\s])(?:ggml-)?rpc-server(?:\s|$)")),
    ("llama-cpp", re.compile(r"(?:^|[/\s])llama-server(?:\s|$)|llama_cpp\.server")),
    ("ollama", re.compile(r"(?:^|/)ollama(?:\s|$)")),
    ("vllm", re.compile(r"(?:^|[/\s])vllm(?:\s|$)|vllm\.entrypoints|^VLLM::")),
    ("sglang", re.compile(r"sglang[./]launch_server|(?:^|[/\s])sglang serve|^sglang::")),
    ("ray", re.compile(r"(?:^|/)(?:raylet|gcs_server)(?:\s|$)|/ray/dashboard/|ray/_private/|^ray::")),
    ("cdp", re.compile(r"--remote-debugging-port=\d")),
    ("openclaw", re.compile(r"(?:^|[/\s])openclaw(?:-gateway)?(?:\s|$|/)")),
    ("lm-studio", re.compile(r"(?:^|/)LM Studio|lm-studio|(?:^|/)lms(?:\s|$)")),
)


def engine_of(process: Process) -> EngineName | None:
    """The engine that a process is, by its name and the beginning of its command line."""
    line = " ".join(process.arguments)[:4000]
    return next((name for name, form in _PROCESSES if form.search(line) or form.search(process.name)), None)
