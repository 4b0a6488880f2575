"""The machine the figures come from: what it is, and which of its cores does what."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


class CannotMeasure(Exception):
    """The machine lacks something without which there are no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """The gateway has a core for itself; upstream, load generator and this programme share another."""

    gateway: int
    load: int


def choose_cores() -> Cores:
    """The first two cores this process may run on.

    Raises:
        CannotMeasure: there is only one; sharing it would measure the load generator too.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise CannotMeasure("Two cores are needed: one for the gateway, one for the load.")
    return Cores(gateway=usable[0], load=usable[1])


@contextmanager
def running_on(core: int) -> Iterator[None]:
    """Processes started meanwhile stay on this core, whatever they start in turn."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def open_many_files() -> None:
    """Take all the file descriptors that are allowed; child processes inherit them. A stream needs two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compile_helper(name: str, into: Path) -> Path:
    """Compile `bench/<name>.c`.

    Raises:
        CannotMeasure: no C compiler.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise CannotMeasure("A C compiler is needed for the two small helpers (Debian: apt-get install gcc libc6-dev).")
    subprocess.run([compiler, "-O2", "-o", into / name, HERE / f"{name}.c"], check=True)
    return into / name


def description() -> dict[str, str]:
    """What a reader must know of the machine to judge the figures."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu,
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}",
        "memory": f"{memory_kb / 1024**2:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
