"""What the watches of all dialects do alike: they let whole events of a stream pass, and hear of errors among them."""

from __future__ import annotations

import re
from typing import Protocol

from isthmus.dialects.sse import BOUNDARY, Frame, Frames
from isthmus.domain.errors import ProviderError
from isthmus.domain.usage import Usage

HELD_LIMIT = 1024 * 1024
"""Bytes an event may have before it is let through unread."""

_EVENT = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|\n)data:")


class Reader(Protocol):
    """Reads the events of one dialect."""

    def tells(self, events: bytes) -> bool:
        """Whether these events may hold something to read: quick, and rather too often than too seldom."""
        ...

    def read(self, frame: Frame) -> bool:
        """Read one event; returns whether the client is to be sent it.

        Raises:
            ProviderError: it tells of an error.
        """
        ...

    @property
    def usage(self) -> Usage | None: ...

    @property
    def complete(self) -> bool: ...


class Passing:
    """One stream on its way through.

    Whole events pass at once. Of one that is cut by the border of a piece the beginning waits for its end, so that a
    stream that breaks off can be ended with an error event of its own. Comments before the first event wait for it:
    an upstream that has sent nothing else has not begun to answer.
    """

    __slots__ = ("_begun", "_failure", "_held", "_reader")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._held = bytearray()
        self._begun = False
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> bytes:
        if self._held or not self._begun or self._failure is not None or data[-2:] != b"\n\n":
            data = self._whole(data)
        return self._read(data) if self._reader.tells(data) else data

    def close(self) -> bytes:
        """What was held back: a last event may lack its empty line."""
        rest = bytes(self._held)
        self._held.clear()
        passed = self._read(rest) if self._reader.tells(rest) else rest
        if self._failure is not None:
            raise self._failure
        return passed

    @property
    def usage(self) -> Usage | None:
        return self._reader.usage

    @property
    def complete(self) -> bool:
        return self._failure is None and self._reader.complete

    def _whole(self, data: bytes) -> bytes:
        """The whole events that `data` completes; what comes after them is held."""
        if self._failure is not None:
            raise self._failure
        held = self._held
        seam = max(0, len(held) - 3)  # only here and in what is new can an event end
        held += data
        end = max(held.rfind(b"\n\n", seam) + 2, held.rfind(b"\n\r\n", seam) + 3)
        if end < 3 or (not self._begun and _EVENT.search(held[:end]) is None):
            end = len(held) if len(held) > HELD_LIMIT else 0
        else:
            self._begun = True
        whole = bytes(held[:end])
        del held[:end]
        return whole

    def _read(self, events: bytes) -> bytes:
        """Events without those that are not for the client. An error after others is raised with the next call."""
        kept: list[bytes] = []
        start = 0
        ends = [found.end() for found in BOUNDARY.finditer(events)]
        if not ends or ends[-1] < len(events):
            ends.append(len(events))
        for end in ends:
            event, start = events[start:end], end
            try:
                if all(self._reader.read(frame) for frame in _frames(event)):
                    kept.append(event)
            except ProviderError as exc:
                self._failure = exc
                passed = b"".join(kept)
                if _EVENT.search(passed) is None:
                    raise
                return passed
        return b"".join(kept)


def _frames(event: bytes) -> list[Frame]:
    frames = Frames()
    return [*frames.feed(event), *frames.close()]
