"""What each endpoint costs, towards offers of its own dialect and of others: `python -m bench.endpoints`.

CPU a request and, for streams, an event, of the isthmus process alone, all in one run with nginx before and after, so
that the figures are ratios to what merely handing bytes on costs on this machine. Responses and embeddings have no
stand-in in C to be passed through to: they are asked towards offers of the other dialects, or not at all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import machine, process_tree
from bench.machine import Cores, running_on
from bench.results import LoadReport
from bench.running import RunningTarget, mock_upstream
from bench.scenarios import PLAIN
from bench.targets import TARGETS, Target
from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.domain.message import CompletionRequest, Message, Text

CONNECTIONS = 16
EVENTS = 100
"""Of a stream of the mock upstream, for a model of the name `PLAIN`."""
OFFERS = {"openai-chat": "openai", "anthropic-messages": "anthropic", "gemini-generate": "gemini"}
"""Dialects that the mock upstream speaks, and whose provider it plays."""
PREFIX = {"openai-chat": "/v1", "openai-responses": "/v1", "anthropic-messages": "", "gemini-generate": ""}

OFFER = """
[offers."{dialect}"]
model = "{model}"
provider = "{provider}"
url = "http://127.0.0.1:{upstream_port}{base}"
key = "env:UPSTREAM_KEY"
price = { input = "0.15", output = "0.60" }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One thing that is measured."""

    client: str
    offer: str
    stream: bool

    @property
    def path(self) -> str:
        return PREFIX[self.client] + dialect_of(self.client).request_path(self.offer, stream=self.stream)

    @property
    def body(self) -> bytes:
        system = "You are a helpful assistant. Answer briefly and cite the documents you used."
        words = "Summarise the following report in three points and say what it leaves open. " * 7
        request = CompletionRequest(
            model=self.offer,
            messages=(
                Message(role="system", parts=(Text(text=f"{system} {PLAIN}"),)),
                Message(role="user", parts=(Text(text=words.strip()),)),
            ),
            max_output_tokens=256,
            temperature=0.7,
            stream=self.stream,
        )
        return dialect_of(self.client).encode_request(request, model=self.offer)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU."""

    request: float
    failed: int


def askings() -> Iterator[Asking]:
    for stream in (False, True):
        for client in NAMES:
            for offer in OFFERS:
                yield Asking(client=client, offer=offer, stream=stream)


def target() -> Target:
    """isthmus with an offer of each dialect, all played by the mock upstream."""
    usual = TARGETS["isthmus"]()
    offers = (
        OFFER.replace("{dialect}", dialect)
        .replace("{model}", PLAIN)
        .replace("{provider}", provider)
        .replace("{base}", "/v1" if provider == "openai" else "")
        for dialect, provider in OFFERS.items()
    )
    head = usual.files["isthmus.toml"].partition("\n[offers")[0]
    default = '\n[workloads."' + PLAIN + '"]\noffers = ["openai-chat"]\n'
    return Target(
        name="isthmus",
        does=usual.does,
        command=usual.command,
        files={"isthmus.toml": head + "".join(offers) + default},
        environment=usual.environment,
    )


def measured(running: RunningTarget, load: Path, cores: Cores, asking: Asking, seconds: float) -> Cost:
    """CPU a request of a target under one load.

    Raises:
        RuntimeError: nothing was answered.
    """
    body = running.folder / "body.json"
    body.parent.mkdir(parents=True, exist_ok=True)
    body.write_bytes(asking.body)
    arguments = [str(one) for one in (running.port, CONNECTIONS, seconds, int(asking.stream), PLAIN, 700, asking.path)]
    with running_on(cores.load):
        process = subprocess.Popen(
            [load, *arguments], stdout=subprocess.PIPE, env={**os.environ, "WARM": "0.5", "BODY_FILE": str(body)}
        )
    time.sleep(0.5 + 0.05)
    began, cpu = time.monotonic(), process_tree.cpu_seconds(running.pid)
    time.sleep(max(0.1, seconds - 0.3))
    cores_used = (process_tree.cpu_seconds(running.pid) - cpu) / (time.monotonic() - began)
    printed, _ = process.communicate(timeout=60)
    report = msgspec.json.decode(printed, type=LoadReport)
    if not report.ok:
        raise RuntimeError(f"{asking}: nothing was answered: {printed[:300]!r}")
    # The load generator knows the end mark of OpenAI's chat completions alone.
    incomplete = report.incomplete if asking.client == "openai-chat" else 0
    return Cost(cores_used / report.rps * 1e6, report.err + incomplete)


def table(costs: dict[Asking, list[Cost]], nginx: dict[bool, list[Cost]]) -> str:
    """The page's tables."""
    lines: list[str] = []
    for stream in (False, True):
        base = statistics.median(cost.request for cost in nginx[stream])
        what = f"Streams of {EVENTS} events" if stream else "Whole answers"
        lines += [f"\n{what} (nginx: {base:.0f} µs)\n", f"| client | {' | '.join(OFFERS)} |", "|---" * 4 + "|"]
        for client in NAMES:
            cells = []
            for offer in OFFERS:
                found = costs[Asking(client=client, offer=offer, stream=stream)]
                cost = statistics.median(one.request for one in found)
                failed = sum(one.failed for one in found)
                cells.append(f"{cost:.0f} µs, {cost / base:.1f} x" + (f", {failed} failed" if failed else ""))
            lines.append(f"| {client} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    cores = machine.choose_cores()
    costs: dict[Asking, list[Cost]] = {asking: [] for asking in askings()}
    nginx: dict[bool, list[Cost]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="isthmus-endpoints-") as name:
        folder = Path(name)
        load = machine.compile_helper("load", folder)
        with mock_upstream(machine.compile_helper("mock_upstream", folder), cores) as mock:
            assert mock.stdout is not None
            port = int(mock.stdout.readline())
            for number in range(options.rounds):
                proxy = RunningTarget(TARGETS["nginx"](), folder / f"nginx-{number}", port, mock.pid)
                ours = RunningTarget(target(), folder / f"isthmus-{number}", port, mock.pid)
                for running in (proxy, ours):
                    running.start(cores)
                    try:
                        for asking in askings():
                            if running is ours:
                                costs[asking].append(measured(running, load, cores, asking, options.seconds))
                            elif asking.client == asking.offer == "openai-chat":
                                nginx[asking.stream].append(measured(running, load, cores, asking, options.seconds))
                    finally:
                        running.stop()
                print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {options.rounds} rounds of {options.seconds:g} s, {CONNECTIONS} connections.")
    print(table(costs, nginx))
    return 0


if __name__ == "__main__":
    sys.exit(main())
