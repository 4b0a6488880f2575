"""Which process this is, and whether another one still lives.

A pid alone does not say: it is given again. A pid with the boot of the machine and the time at which the process
started does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE, _START_TIME = 0, 19
"""Places of `state` and `starttime` in /proc/PID/stat, counted after the name in parentheses; proc(5)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one machine."""

    host: str
    pid: int
    started: str | None
    """Boot of the machine and clock ticks since; None: this system does not tell."""


def this_process() -> Process:
    pid = os.getpid()
    return Process(host=os.uname().nodename, pid=pid, started=_started(pid))


def is_gone(process: Process) -> bool:
    """Whether a process has certainly ended. False where it cannot be told: on other hosts."""
    if process.host != os.uname().nodename:
        return False
    if process.started is not None:
        return _started(process.pid) != process.started
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _started(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(") ")[2].split()
    # A zombie has ended, though its parent has not taken note.
    return None if fields[_STATE] in "ZX" else f"{boot}/{fields[_START_TIME]}"
