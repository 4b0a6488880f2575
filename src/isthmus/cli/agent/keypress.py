"""One key, read from the terminal without waiting for Enter. Where there is no terminal: the first letter of a line."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Callable, Collection


def key_of(keys: Collection[str], ask: Callable[[], None]) -> str | None:
    """The key that was pressed, one of `keys`; others are passed over.

    Args:
        keys: in small letters.
        ask: shows the question. What was typed before it is no answer to it; what is typed after it is.

    Returns:
        None: nobody is there any more.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
    """
    if not sys.stdin.isatty():
        ask()
        while line := sys.stdin.readline():
            if (key := line.strip()[:1].lower()) in keys:
                return key
        return None
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSAFLUSH)
        ask()
        while pressed := os.read(descriptor, 1).decode("latin-1"):
            if pressed == "\x04":
                return None
            if pressed.lower() in keys:
                return pressed.lower()
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    return None
