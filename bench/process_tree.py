"""CPU time and memory of a process with all its descendants, read from /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """The process `root` and its descendants."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Seconds on a CPU, user and system, of all threads of the tree: the nanosecond counters of the scheduler.

    Threads that ended are not in it, so a difference over a window needs threads that live through the window.
    """
    nanoseconds = 0
    for pid in tree(root):
        try:
            for thread in (PROC / str(pid) / "task").iterdir():
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            continue  # it ended while we read
    return nanoseconds / 1e9


def pss_kb(root: int) -> int:
    """Memory of the tree in kB, shared pages divided among their sharers, without the kernel's socket buffers."""
    return sum(_pss_kb(pid) for pid in tree(root))


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                after_name = (folder / "stat").read_text().rpartition(")")[2]
            except OSError:
                continue
            yield int(folder.name), int(after_name.split()[1])


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
