"""What this machine has for an engine: memory, cores, and how fast they read memory."""

from __future__ import annotations

import ctypes
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from isthmus.providers.embedded.launch import cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is, within the limits set on this process."""

    memory_total: int
    """Bytes."""
    memory_available: int
    """Bytes that are free or can be freed at once."""
    cores: int
    read_bandwidth: float
    """Bytes per second that all cores together read from memory."""


def this_machine() -> Machine:
    """Look, and measure for a quarter of a second."""
    total, available = memory()
    count = cores()
    return Machine(memory_total=total, memory_available=available, cores=count, read_bandwidth=_measure_reading(count))


def memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> tuple[int, int]:
    """Bytes in all and bytes available, the limits of the control groups of this process taken into account.

    Source:
        proc_meminfo(5); Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the Linux kernel.
    """
    found = re.finditer(r"^(\w+):\s+(\d+) kB$", (proc / "meminfo").read_text("ascii"), re.MULTILINE)
    told = {match[1]: int(match[2]) * 1024 for match in found}
    total, available = told["MemTotal"], told["MemAvailable"]
    for limit, used in _limits(proc, cgroups):
        total = min(total, limit)
        available = min(available, max(0, limit - used))
    return total, available


def _limits(proc: Path, cgroups: Path) -> list[tuple[int, int]]:
    """Limit and use, in bytes, of each control group that this process is in, outer ones included."""
    found = []
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = cgroups, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = root / path.lstrip("/")
        # Inside a container the path may be the one outside; then only the root of the mount is there to be read.
        for group in [root, *(parent for parent in [folder, *folder.parents] if root in parent.parents)]:
            limit, used = _read(group / names[0]).strip(), _read(group / names[1]).strip()
            if limit.isdigit() and used.isdigit():
                found.append((int(limit), int(used)))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""


_BLOCK = 64 << 20
_STEP = 1 << 20
_MEASURE_SECONDS = 0.25


def _measure_reading(threads: int) -> float:
    """Bytes per second read when every core compares its way through two blocks that are too large for most caches."""
    compare = ctypes.CDLL(None).memcmp  # called so, the interpreter's lock is released
    compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    blocks = [ctypes.create_string_buffer(_BLOCK) for _ in range(2)]
    left, right = (ctypes.addressof(block) for block in blocks)
    for start in (left, right):
        ctypes.memset(start, 1, _BLOCK)  # pages that were never written to are all the same one
    read = [0] * threads
    end = time.perf_counter() + _MEASURE_SECONDS

    def work(index: int) -> None:
        # Each at another place, so that no thread finds in the shared cache what another has just read.
        place = index * (_BLOCK // threads) // _STEP * _STEP
        while time.perf_counter() < end:
            compare(left + place, right + place, _STEP)
            read[index] += 2 * _STEP
            place = (place + _STEP) % _BLOCK

    began = time.perf_counter()
    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(read) / (time.perf_counter() - began)
