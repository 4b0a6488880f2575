"""Putting a running target under load: one run, the search for its capacity, its memory with streams open."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import process_tree
from bench.machine import Cores, running_on
from bench.results import Capacity, Level, LoadReport, Measurement, Memory
from bench.running import RunningTarget
from bench.scenarios import LONG, PACED, RENAMED, Scenario

LAG_LIMIT_US = 20_000
"""A stream is carried when 99 % of its events come within this of being sent."""
FEWEST, START, MOST = 4, 200, 3200
"""Streams: where the search for the capacity gives up, begins and ends."""
SETTLE_S = 15.0
"""At most: how long a target may go on working for clients that left, before the next load begins."""
EVENTS_PER_S = 97
"""Of a stream paced at 10 ms, its pauses between two answers included."""


class NoReport(Exception):
    """The load generator printed nothing to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """The load generator and the core it runs on."""

    load: Path
    cores: Cores

    def run(
        self, running: RunningTarget, scenario: Scenario, *, number: int, seconds: float, warm: float = 1.0
    ) -> Measurement:
        """One closed-loop run. CPU is taken over the counted part only, without its last 0.4 seconds.

        Returns when the target is at rest again, so that what it still does for this load's clients, who are gone,
        is not counted in the next.

        Args:
            number: of the round.
            seconds: counted.
            warm: seconds before them, in which the connections start one after the other.

        Raises:
            NoReport: the load generator failed.
        """
        model = running.model((RENAMED if scenario.renamed else "") + scenario.model)
        arguments = (running.port, scenario.connections, seconds, int(scenario.stream), model, scenario.body_bytes)
        with running_on(self.cores.load):
            process = subprocess.Popen(
                [self.load, *map(str, arguments), running.target.path],
                stdout=subprocess.PIPE,
                env={**os.environ, "WARM": str(warm), "TAG": scenario.model},
            )
        time.sleep(warm + 0.05)
        cpu, clock = process_tree.cpu_seconds(running.pid), time.monotonic()
        time.sleep(max(0.1, seconds - 0.4))
        cores = (process_tree.cpu_seconds(running.pid) - cpu) / (time.monotonic() - clock)
        memory = process_tree.pss_kb(running.pid)
        printed, _ = process.communicate(timeout=60)
        try:
            load = msgspec.json.decode(printed, type=LoadReport)
        except msgspec.DecodeError as error:
            raise NoReport(f"load generator in {scenario.name}: {printed[:200]!r}") from error
        _settle(running.pid)
        running.sent += load.sent
        running.answered += load.answered
        return Measurement(round=number, load=load, cores=cores, pss_kb=memory)

    def capacity(self, running: RunningTarget, *, number: int, seconds: float) -> Capacity:
        """The most 10 ms-paced streams that the target carries: doubling, then halving the gap to within a tenth."""
        levels: list[Level] = []
        carried, failed, streams = 0, None, START
        while FEWEST <= streams <= MOST:
            if self._carries(running, streams, number, seconds, levels):
                carried = streams
            else:
                failed = streams
            if failed is None:
                streams *= 2
            elif failed - carried <= max(3, failed // 10):
                break
            else:
                streams = (carried + failed) // 2
        return Capacity(round=number, streams=carried, levels=levels)

    def memory(self, running: RunningTarget, *, streams: int) -> Memory:
        """Memory with nothing open, after a first load, and with `streams` open. Start the target anew before."""
        self.run(running, Scenario(name="first", connections=8, stream=True, model=PACED), number=0, seconds=2)
        base = process_tree.pss_kb(running.pid)
        held = Scenario(name="held", connections=streams, stream=True, model=LONG)
        measured = self.run(running, held, number=0, seconds=6, warm=4)
        seen = round(measured.load.chunks_per_s / 2)  # an event every 500 ms
        return Memory(base_kb=base, open_kb=measured.pss_kb, streams=min(seen, streams))

    def _carries(self, running: RunningTarget, streams: int, number: int, seconds: float, levels: list[Level]) -> bool:
        """A level fails only when it fails twice: one stall of the machine is not the target's."""
        scenario = Scenario(name="capacity", connections=streams, stream=True, model=PACED)
        for _ in range(2):
            measured = self.run(running, scenario, number=number, seconds=seconds, warm=1.5)
            load = measured.load
            quick = 0 < load.lag_p99_us < LAG_LIMIT_US
            carried = quick and load.err == 0 and load.chunks_per_s > 0.93 * streams * EVENTS_PER_S
            levels.append(Level(streams=streams, carried=carried, lag_p99_us=load.lag_p99_us, cores=measured.cores))
            if carried:
                return True
        return False


def _settle(pid: int) -> None:
    """Wait until the target uses less than a tenth of a core."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        before = process_tree.cpu_seconds(pid)
        time.sleep(0.2)
        if process_tree.cpu_seconds(pid) - before < 0.02:
            return
