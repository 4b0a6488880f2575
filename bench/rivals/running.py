"""A command as a person starts it: at a terminal of its own, where nobody answers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROWS, _COLUMNS = 50, 200
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\r")
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of it."""

    screen: str
    """All that was shown, without control sequences."""
    status: int | None
    """None: it did not end by itself, and was stopped."""
    seconds: float


def at_a_terminal(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float) -> Ran:
    """Run it until it ends or its time is over. What it started ends with it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = bytearray()
    end = began + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([ours], [], [], min(left, 0.2))
            if ready:
                try:
                    piece = os.read(ours, 1 << 16)
                except OSError:  # EIO: the last one who had the terminal has closed it
                    break
                if not piece:
                    break
                shown += piece
            elif process.poll() is not None:
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(_GRACE_SECONDS, end - time.monotonic())))
        status = process.poll()
        took = time.monotonic() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: it, and what it left behind
        process.wait()
        os.close(ours)
    return Ran(screen=readable(bytes(shown)), status=status, seconds=took)


def readable(shown: bytes) -> str:
    """What a terminal was sent, without what moves its cursor and colours it."""
    return _CONTROL.sub("", shown.decode("utf-8", "replace"))
