"""Reading documents in a process of their own, whose time and memory are bounded.

A document may be made to eat memory or to send a parser round in circles. Then the process that reads it dies, the
document is refused with a sentence, and the next one is read by a new process.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from isthmus.connectors.documents.child import Answer
from isthmus.connectors.documents.refusal import MAX_TEXT, Refused

SECONDS = 120.0
"""For one document. pypdf takes some 10 to 50 ms a page."""
_MAX_ANSWER = 12 * MAX_TEXT
"""Bytes: a character takes at most 12 in JSON."""
_PIECE = 1 << 20


class DocumentReader:
    """Gives the texts of files. One thread at a time; a context manager, which ends the process."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def texts(self, path: Path) -> list[str]:
        """The texts of a document, which may be short but are not all empty.

        Raises:
            Refused: they cannot be had.
        """
        try:
            answer = self._ask(path)
        except BaseException:
            self._stop()
            raise
        if answer.refused is not None:
            raise Refused(answer.refused)
        return answer.texts

    def _ask(self, path: Path) -> Answer:
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        end = time.monotonic() + self._seconds
        try:
            child.stdin.write(msgspec.json.encode(os.fspath(path)) + b"\n")
            child.stdin.flush()
        except UnicodeEncodeError:
            raise Refused("its name is not written in UTF-8") from None
        except BrokenPipeError:
            raise Refused("the process that reads it was ended") from None
        pieces: list[bytes] = []
        size = 0
        while not (pieces and pieces[-1].endswith(b"\n")):
            left = end - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                raise Refused(f"reading it takes longer than {self._seconds:g} s")
            piece = os.read(child.stdout.fileno(), _PIECE)
            size += len(piece)
            if not piece:
                raise Refused("the process that reads it was ended by it")
            if size > _MAX_ANSWER:
                raise Refused("its text has no end")
            pieces.append(piece)
        return msgspec.json.decode(b"".join(pieces), type=Answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._stop()
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "isthmus.connectors.documents.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Parsers complain of what they meet, and quote it.
                stderr=subprocess.DEVNULL,
            )
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            with child:  # closes the pipes and waits
                pass
