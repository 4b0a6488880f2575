"""Everything works without a network, and with one nothing leaves: isthmus on the embedded model, own side only.

The same use of isthmus twice, each in a network namespace of its own (Linux, root):

    isolated   there is loopback and no route at all
    routed     there is loopback, and an interface with default routes into nowhere (IPv4 and IPv6). Whatever is sent to
               any other address, a look-up of a name included, leaves by that interface and is counted

    python -m bench.no_network        ends with 1 unless every step works and not one packet has left

Both runs prove first that they can fail: the isolated one cannot reach an address, and the capture of the routed one
sees a packet that is sent on purpose, after the others were counted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import openai
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PORT = 8090
"""In a namespace of one's own every port is free."""

SETTINGS = """
[server]
bind = "127.0.0.1:{port}"

[store]
url = "sqlite:{folder}/ledger.db"

[offers.home]
provider = "embedded"
model = "smollm2-135m-instruct"
context = 2048

[workloads.chat]
offers = ["home"]

[labels.pii]
detect = ["pii"]
needs = {{ side = ["own"] }}

[labels.secret]
detect = ["credentials"]
needs = {{ side = ["own"] }}
ledger = "strict"

[labels.phi]
detect = ["medical"]
needs = {{ side = ["own"] }}

[labels.private]
detect = ["sensitive_topics"]
needs = {{ side = ["own"] }}

[labels.legal]
detect = ["legal"]
needs = {{ side = ["own"] }}
"""

CLAUSE = (
    "The tenant shall return the premises swept clean, with all keys, on the last working day of the notice period; "
    "what is left behind becomes the property of the landlord, who may have it removed at the tenant's expense."
)
WEATHER: openai.types.chat.ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
COLOUR = {"type": "object", "properties": {"colour": {"enum": ["red", "green"]}}, "required": ["colour"]}

Network = Literal["isolated", "routed"]


@dataclass(slots=True)
class Run:
    """What became of one run."""

    network: Network
    routes: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds of each step that worked."""
    failures: dict[str, str] = field(default_factory=dict)
    left: int | None = None
    """Packets seen on anything but loopback while isthmus ran; None: nothing else was there to be seen on."""
    sent_by_kernel_count: int | None = None
    """The same by the interface's own counter."""
    missed: int = 0
    """Packets the capture could not keep up with."""
    loopback: int = 0
    """Packets on loopback: that there was something to see."""
    control: bool = False
    """The run could have failed: see above."""

    @property
    def passed(self) -> bool:
        return (
            not self.failures
            and bool(self.steps)
            and self.control
            and not self.missed
            and self.loopback > 0
            and self.left in {None, 0}
            and self.sent_by_kernel_count in {None, 0}
            and (self.routes > 0) == (self.network == "routed")
        )


# --------------------------------------------------------------------------------------------------------- the network

_OUT, _NOWHERE = "out", "nowhere"
_ELSEWHERE = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737)."""
_ETH_P_ALL, _SOL_PACKET, _PACKET_STATISTICS = 0x0003, 263, 6
_QUIET_SECONDS = 4.0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def lay_routes() -> None:
    """An interface whose other end answers nobody, with neighbours said once for all, so that packets really go."""
    _ip("link", "add", _OUT, "type", "veth", "peer", "name", _NOWHERE)
    for name in (_OUT, _NOWHERE):
        for key, value in (("router_solicitations", 0), ("accept_ra", 0), ("addr_gen_mode", 1)):
            Path(f"/proc/sys/net/ipv6/conf/{name}/{key}").write_text(str(value))
    _ip("link", "set", _NOWHERE, "up")
    _ip("link", "set", _OUT, "up")
    _ip("addr", "add", "10.98.0.1/24", "dev", _OUT)
    _ip("addr", "add", "fd98::1/64", "dev", _OUT, "nodad")
    for neighbour in ("10.98.0.2", "fd98::2"):
        _ip("neigh", "add", neighbour, "lladdr", "02:00:00:00:00:02", "dev", _OUT, "nud", "permanent")
    _ip("route", "add", "default", "via", "10.98.0.2")
    _ip("-6", "route", "add", "default", "via", "fd98::2")


def routes() -> int:
    """Routes that lead anywhere but to this machine itself."""
    fourth = Path("/proc/net/route").read_text().splitlines()[1:]
    sixth = Path("/proc/net/ipv6_route").read_text().splitlines() if Path("/proc/net/ipv6_route").exists() else []
    return len(fourth) + sum(line.split()[-1] != "lo" for line in sixth)


def packets(interface: str, column: int) -> int:
    """A counter of the kernel: 1 is packets received, 9 packets sent."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == interface:
            return int(counts.split()[column])
    return 0


class Capture:
    """Counts every packet on an interface."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self.seen: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                self.seen.append(self._socket.recv(128))
            except TimeoutError:
                continue

    def wait_for_quiet(self) -> None:
        """Let the kernel say what it says on its own when an interface comes up (groups it listens to)."""
        seen, since = len(self.seen), time.monotonic()
        while time.monotonic() - since < _QUIET_SECONDS:
            time.sleep(0.2)
            if len(self.seen) != seen:
                seen, since = len(self.seen), time.monotonic()

    def missed(self) -> int:
        """Packets since the last time this was asked for that there was no room for."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        missed: int = struct.unpack("II", statistics)[1]
        return missed

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()


def reaches_elsewhere() -> bool:
    """Whether the kernel lets a packet to another address go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.sendto(b"control", _ELSEWHERE)
        except OSError:
            return False
    return True


# ------------------------------------------------------------------------------------------------------------- the use


class Use:
    """What somebody does with isthmus, step by step."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._run = run
        self._folder = folder
        self._file = folder / "isthmus.toml"
        self._file.write_text(SETTINGS.format(port=PORT, folder=folder))
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self._environment = {**kept, "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"}
        self._client = openai.OpenAI(base_url=f"http://127.0.0.1:{PORT}/v1", api_key="none", max_retries=0, timeout=120)

    def all(self) -> None:
        with self._running():
            self._client.models.list()
            for step in (
                self.plain_answer,
                self.streamed_answer,
                self.tool_call,
                self.json_schema,
                self.finding,
                self.strict_label,
                self.document,
                self.question_on_the_command_line,
                self.explanation,
                self.offers,
                self.ledger_while_it_is_written,
            ):
                self._step(step.__name__.replace("_", " "), step)
        self._step("ledger afterwards", self.ledger_while_it_is_written)

    def _step(self, name: str, step: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            step()
        except Exception as error:  # whatever it is: the next step may work, and all that failed is told
            self._run.failures[name] = f"{type(error).__name__}: {error}"[:500]
        else:
            self._run.steps[name] = time.monotonic() - began

    @contextmanager
    def _running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "isthmus", "up", "--config", str(self._file)]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            self._step("start", self._wait_until_ready)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.HTTPError):
                pass
            if time.monotonic() > end:
                raise TimeoutError((self._folder / "log").read_text()[-400:])
            time.sleep(0.1)

    def _ask(self, text: str, **wanted: Any) -> Any:
        return self._client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": text}], temperature=0, max_tokens=48, **wanted
        )

    def _command(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "isthmus", *arguments, "--config", str(self._file)]
        ran = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120)
        if ran.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def _bears(self, label: str, text: str) -> None:
        labels = self._ask(text).headers.get("isthmus-labels", "")
        if label not in labels.split(", "):
            raise AssertionError(f"{label!r} is not among the labels {labels!r}")

    # ------------------------------------------------------------------------------------------------------ the steps

    def plain_answer(self) -> None:
        raw = self._ask("Say hello in one sentence.")
        assert raw.parse().choices[0].message.content
        assert raw.headers["isthmus-side"] == "own"

    def streamed_answer(self) -> None:
        stream = self._client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "Say hello."}], max_tokens=24, stream=True
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert said

    def tool_call(self) -> None:
        wanted = {"type": "function", "function": {"name": "get_weather"}}
        answer = self._ask("What is the weather in Rome?", tools=[WEATHER], tool_choice=wanted).parse()
        [called] = answer.choices[0].message.tool_calls
        assert json.loads(called.function.arguments)["city"] in {"Paris", "Rome"}

    def json_schema(self) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": COLOUR}}
        answer = self._ask("Which colour is grass?", response_format=form).parse()
        assert json.loads(answer.choices[0].message.content)["colour"] in {"red", "green"}

    def finding(self) -> None:
        self._bears("pii", "Write to jane.doe@example.org, please.")

    def strict_label(self) -> None:
        self._bears("secret", "The password: correct-Horse7battery!staple")

    def document(self) -> None:
        lease = self._folder / "lease.txt"
        lease.write_text(CLAUSE)
        self._command("documents", "add", "--label", "legal", str(lease))
        self._bears("legal", f"Translate into French: {CLAUSE.upper()}")

    def question_on_the_command_line(self) -> None:
        assert self._command("ask", "Say hello.").strip()

    def explanation(self) -> None:
        assert "home" in self._command("explain", "My address is jane.doe@example.org")

    def offers(self) -> None:
        assert "home" in self._command("offers")

    def ledger_while_it_is_written(self) -> None:
        assert not json.loads(self._command("ledger", "verify", "--json"))["faults"]


# ---------------------------------------------------------------------------------------------------- in the namespace


def within(network: Network, folder: Path) -> Run:
    """One run. The network namespace is a new one."""
    run = Run(network)
    _ip("link", "set", "lo", "up")
    capture: Capture | None = None
    sent = 0
    if network == "routed":
        lay_routes()
        capture = Capture(_OUT)
        capture.wait_for_quiet()
        capture.missed()
        sent = packets(_OUT, 9)
        before = len(capture.seen)
    run.routes = routes()
    Use(folder, run).all()
    run.loopback = packets("lo", 1)
    if capture is None:
        run.control = not reaches_elsewhere()
        return run
    time.sleep(0.5)
    run.left = len(capture.seen) - before
    run.sent_by_kernel_count = packets(_OUT, 9) - sent
    run.missed = capture.missed()
    reaches_elsewhere()
    time.sleep(0.5)
    run.control = any(b"control" in packet for packet in capture.seen[before + run.left :])
    capture.close()
    return run


def in_a_namespace(network: Network) -> Run:
    """A run in a process of its own, which leaves its namespace with its end."""
    with tempfile.TemporaryDirectory(prefix="isthmus-no-network-") as folder:
        command = ["unshare", "--net", sys.executable, "-m", "bench.no_network", "--within", network, folder]
        ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=900)
        if ran.returncode != 0:
            return Run(network, failures={"all": f"ended with {ran.returncode}"})
        return Run(**json.loads(ran.stdout.splitlines()[-1]))


def shown(runs: list[Run]) -> Table:
    table = Table("", *(run.network for run in runs), title="isthmus without a network, and with one")
    names = list(dict.fromkeys(name for run in runs for name in (*run.steps, *run.failures)))
    for name in names:
        table.add_row(
            name,
            *(
                f"{run.steps[name]:.2f} s" if name in run.steps else run.failures.get(name, "not reached")
                for run in runs
            ),
        )
    table.add_section()
    for title, told in (
        ("routes", [str(run.routes) for run in runs]),
        ("packets on loopback", [str(run.loopback) for run in runs]),
        ("packets that left, captured", ["no way out" if run.left is None else str(run.left) for run in runs]),
        (
            "packets that left, counted by the kernel",
            ["no way out" if run.sent_by_kernel_count is None else str(run.sent_by_kernel_count) for run in runs],
        ),
        ("a packet sent on purpose", ["cannot leave", "is seen"]),
        ("… as expected", [str(run.control) for run in runs]),
        ("passed", [str(run.passed) for run in runs]),
    ):
        table.add_row(title, *told)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--within", nargs=2, metavar=("NETWORK", "FOLDER"), help="for its own use")
    asked = parser.parse_args()
    if asked.within:
        network, folder = asked.within
        run = within(network, Path(folder))
        print(json.dumps({name: getattr(run, name) for name in Run.__slots__}))
        return 0
    if os.geteuid() != 0:
        print("This takes root: it makes network namespaces.")
        return 1
    # While there is a network: the weights are fetched once, and kept.
    subprocess.run([sys.executable, "-m", "isthmus", "models", "pull"], check=True, stdout=subprocess.DEVNULL)
    runs = [in_a_namespace("isolated"), in_a_namespace("routed")]
    Console(width=120).print(shown(runs))
    return 0 if all(run.passed for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
