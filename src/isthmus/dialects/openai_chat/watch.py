"""Reading usage off a passing stream of this dialect.

What is kept is the end of the stream, and it is parsed once, when somebody asks: to look into every event costs more
than to pass it on.
"""

from __future__ import annotations

import re

import msgspec
from typing_extensions import override

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.openai_chat.usage import WireUsage
from isthmus.dialects.sse import BOUNDARY, Frames
from isthmus.domain.usage import Usage

KEPT = 4096
"""Bytes of the stream's end that are kept: room for the last events with their usage, timings and the end marker."""

HELD_LIMIT = 1024 * 1024
"""Bytes an event may have before it is let through as certainly no usage event."""

_TELLS_USAGE = re.compile(rb'"usage"\s*:\s*\{')


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None


_chunk = msgspec.json.Decoder(_Chunk)


def _read(data: bytes) -> _Chunk | None:
    try:
        return _chunk.decode(data)
    except UNREADABLE:
        return None


class PassingUsage:
    """The client asked for usage: every byte passes as it came."""

    __slots__ = ("_complete", "_cut", "_known", "_single", "_tail", "_usage")

    def __init__(self, *, single: bool) -> None:
        """`single`: there is one choice, so its finish is the end of the answer even where no `[DONE]` follows."""
        self._single = single
        self._tail = bytearray()
        self._cut = False
        self._known = True
        self._usage: Usage | None = None
        self._complete = False

    def feed(self, data: bytes) -> bytes:
        tail = self._tail
        tail += data
        if len(tail) > 2 * KEPT:
            del tail[:-KEPT]
            self._cut = True
        self._known = False
        return data

    def close(self) -> bytes:
        return b""

    @property
    def usage(self) -> Usage | None:
        self._look()
        return self._usage

    @property
    def complete(self) -> bool:
        """`[DONE]` passed; or, as some servers leave it out, the finish of the only choice did."""
        self._look()
        return self._complete

    def _look(self) -> None:
        if self._known:
            return
        self._known = True
        data = bytes(self._tail)
        if self._cut:  # begins in the middle of an event
            first = BOUNDARY.search(data)
            data = data[first.end() :] if first else b""
        frames = Frames()
        for frame in [*frames.feed(data), *frames.close()]:
            if frame.data.startswith(b"[DONE]"):
                self._complete = True
            elif (chunk := _read(frame.data)) is not None:
                if chunk.usage is not None:
                    self._usage = chunk.usage.to_domain()
                if self._single and chunk.choices and chunk.choices[0].finish_reason:
                    self._complete = True


class StrippedUsage(PassingUsage):
    """The client did not ask for usage: the event that tells nothing else is taken out.

    Whole events pass at once; of one that is cut by the border of a piece, the beginning waits for its end.
    """

    __slots__ = ("_held",)

    def __init__(self, *, single: bool) -> None:
        super().__init__(single=single)
        self._held = bytearray()

    @override
    def feed(self, data: bytes) -> bytes:
        super().feed(data)
        held = self._held
        if held:
            held += data
            data = bytes(held)
            held.clear()
        if not data.endswith((b"\n\n", b"\n\r\n")):
            data = self._hold(data)
        if _TELLS_USAGE.search(data) is None:
            return data
        return _without_usage_events(data)

    @override
    def close(self) -> bytes:
        rest = bytes(self._held)
        self._held.clear()
        return _without_usage_events(rest)

    def _hold(self, data: bytes) -> bytes:
        """Keeps the unfinished event at the end of `data` back; returns what comes before."""
        end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3)
        end = end if end >= 3 else 0
        if len(data) - end > HELD_LIMIT:
            return data
        self._held += data[end:]
        return data[:end]


def _without_usage_events(data: bytes) -> bytes:
    kept: list[bytes] = []
    start = 0
    ends = [found.end() for found in BOUNDARY.finditer(data)]
    if not ends or ends[-1] < len(data):
        ends.append(len(data))
    for end in ends:
        event = data[start:end]
        start = end
        if not _is_usage_event(event):
            kept.append(event)
    return b"".join(kept)


def _is_usage_event(event: bytes) -> bool:
    if _TELLS_USAGE.search(event) is None:
        return False
    frames = Frames()
    return any(
        (chunk := _read(frame.data)) is not None and chunk.usage is not None and not chunk.choices
        for frame in [*frames.feed(event), *frames.close()]
    )
