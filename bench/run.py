"""Compare isthmus with other gateways in one run: CPU, latency, streams, memory. `make bench` runs it.

    python bench/run.py                     three rounds, the better part of an hour
    python bench/run.py --quick             one short round without the search for capacity, some minutes
    python bench/run.py --gate              ends with status 1 when a goal is missed or was not measured

The gateway under test has one core for itself; the mock upstream and the load generator share another. Rounds go over
all targets in turn, so that noise of the machine hits them alike, and ratios are taken within a round. How to read
the tables: docs/reference/benchmark.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)  # as a script this folder is the path's first entry; the modules are `bench.…`

from bench import machine, peers  # noqa: E402
from bench.goals import judge  # noqa: E402
from bench.ledger_count import count_entries  # noqa: E402
from bench.measure import NoReport, Rig  # noqa: E402
from bench.results import Measurement, Results, TargetResult  # noqa: E402
from bench.running import DidNotStart, RunningTarget, mock_upstream  # noqa: E402
from bench.scenarios import SCENARIOS  # noqa: E402
from bench.table import report  # noqa: E402
from bench.targets import TARGETS, USUAL, Target  # noqa: E402


class Options(argparse.Namespace):
    target: list[str]
    scenario: list[str]
    rounds: int
    seconds: float
    quick: bool
    capacity: bool
    memory: int
    gate: bool
    out: Path


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped from outside, we stop what we started, too
    os.nice(int(os.environ.get("BENCH_NICE", "0")))
    machine.open_many_files()
    results = Results(
        machine=machine.description(),
        began=datetime.now(UTC).isoformat(timespec="minutes"),
        rounds=options.rounds,
        seconds=options.seconds,
    )
    print(", ".join(f"{name}: {value}" for name, value in results.machine.items()), flush=True)
    began = time.monotonic()
    try:
        compare(options, results)
    except machine.CannotMeasure as reason:
        print(reason, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; what was measured so far:", file=sys.stderr)
    results.took_s = time.monotonic() - began
    return finish(results, options)


def compare(options: Options, results: Results) -> None:
    """Measure into `results`, round by round, all targets in turn."""
    cores = machine.choose_cores()
    targets = _obtain(options.target, results)
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-", ignore_cleanup_errors=True) as folder:
        rig = Rig(load=machine.compile_helper("load", Path(folder)), cores=cores)
        program = machine.compile_helper("mock_upstream", Path(folder))
        with mock_upstream(program, cores) as mock:
            assert mock.stdout is not None
            port = int(mock.stdout.readline())
            for number in range(options.rounds):
                for target in targets:
                    running = RunningTarget(target, Path(folder) / f"{target.name}-{number}", port, mock.pid)
                    visit(running, rig, number, options, results.targets[target.name])


def visit(running: RunningTarget, rig: Rig, number: int, options: Options, result: TargetResult) -> None:
    """One target's turn in a round. What goes wrong is written down, and the others go on."""
    name = running.target.name
    try:
        running.start(rig.cores)
        if running.target.command:
            result.start_s.append(running.start_s)
        if result.streams_whole is None:
            result.streams_whole = running.streams_whole()
        for scenario in (s for s in SCENARIOS.values() if s.name in running.target.scenarios):
            if scenario.name in options.scenario:
                measured = rig.run(running, scenario, number=number, seconds=options.seconds)
                result.measurements.setdefault(scenario.name, []).append(measured)
                print(_line(number, name, scenario.name, measured), flush=True)
        if options.capacity and (number == 0 or name in {"nginx", "isthmus"}):
            capacity = rig.capacity(running, number=number, seconds=min(options.seconds, 3.0))
            result.capacities.append(capacity)
            print(f"[{number + 1}] {name:18} carries {capacity.streams} streams", flush=True)
        if options.memory and number == 0 and running.target.command:
            running.stop()
            running.start(rig.cores)
            result.memory = rig.memory(running, streams=options.memory)
            print(f"[{number + 1}] {name:18} memory: {result.memory}", flush=True)
    except (DidNotStart, NoReport, OSError) as error:
        result.failures.append(f"{type(error).__name__}: {error}")
        print(f"[{number + 1}] {name}: {error}", flush=True)
    finally:
        running.stop()
    if running.target.ledger and running.answered:
        count = count_entries(
            running.folder, running.target.ledger, number=number, sent=running.sent, answered=running.answered
        )
        result.ledger.append(count)
        print(f"[{number + 1}] {name:18} ledger: {count}", flush=True)


def finish(results: Results, options: Options) -> int:
    """Write and print the report; the exit status."""
    verdicts = judge(results)
    text = report(results, verdicts)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "compare.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    (options.out / "compare.md").write_text(text)
    print("\n" + text)
    print(f"Written to {options.out}/compare.json and compare.md; {results.took_s:.0f} seconds in all.")
    missed = [verdict for verdict in verdicts if verdict.met is not True]
    return int(options.gate and bool(missed))


def _obtain(names: list[str], results: Results) -> list[Target]:
    """The targets that can be had; the others are noted with the reason."""
    found = []
    for name in names:
        try:
            target = TARGETS[name]()
        except peers.PeerMissing as missing:
            results.skipped[name] = str(missing)
            print(f"{name} is left out: {missing}", flush=True)
        else:
            found.append(target)
            results.targets[name] = TargetResult(does=target.does, version=target.version)
    return found


def _line(number: int, name: str, scenario: str, measured: Measurement) -> str:
    load = measured.load
    cpu = measured.cpu_us_per_event or measured.cpu_us_per_request or 0.0
    delays = f"delay p50 {load.lag_p50_us:8.0f}" if load.chunks_per_s else f"p50 {load.p50_us:14.0f}"
    told = f" FAILED {load.err + load.incomplete} {load.error}" if load.err or load.error else ""
    return f"[{number + 1}] {name:18} {scenario:11} CPU {cpu:8.1f} us  {delays} us  core {measured.cores:.2f}{told}"


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--target", action="append", choices=TARGETS, help=f"may be repeated; without it: {', '.join(USUAL)}")
    add("--scenario", action="append", choices=SCENARIOS, help="may be repeated; without it: all")
    add("--rounds", type=int)
    add("--seconds", type=float, help="counted seconds of each load")
    add("--quick", action="store_true", help="one round of 1.5 s, no search for capacity")
    add(
        "--no-capacity",
        dest="capacity",
        action="store_false",
        help="leave out the search for the streams a core carries",
    )
    add("--memory", type=int, default=1000, metavar="N", help="streams to hold open; 0: leave it out")
    add("--gate", action="store_true", help="status 1 when a goal is missed or was not measured")
    add("--out", type=Path, default=HERE / "out", help="folder for compare.json and compare.md")
    options = parser.parse_args(namespace=Options())
    options.target = options.target or list(USUAL)
    options.scenario = options.scenario or list(SCENARIOS)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1.5 if options.quick else 3.0)
    options.capacity = options.capacity and not options.quick
    return options


if __name__ == "__main__":
    sys.exit(main())
