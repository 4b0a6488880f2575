"""Reading usage, errors and the end off a passing stream of this dialect.

To look into every event costs more than to pass it on. Usage and errors are looked for as bytes, and only where their
names are found is an event parsed: text cannot hold these names, for its quotes are escaped. The end of the stream is
kept, and parsed when somebody asks whether it was complete.
"""

from __future__ import annotations

import re

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.openai_chat.faults import refusal
from isthmus.dialects.openai_chat.usage import WireUsage
from isthmus.dialects.sse import Frame, Frames
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage

KEPT = 4096
"""Bytes of the stream's end that are kept: room for the finish, the usage, timings and the end marker."""

_TELLS_USAGE = re.compile(rb'"usage"\s*:\s*\{')


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Json = None


_chunk = msgspec.json.Decoder(_Chunk)


class EventReader:
    """Fulfils `Reader`."""

    __slots__ = ("_complete", "_known", "_single", "_strips", "_tail", "_usage")

    def __init__(self, *, single: bool, strips: bool) -> None:
        """What is read for one stream.

        Args:
            single: there is one choice, so its finish is the end of the answer even where no `[DONE]` follows.
            strips: the client did not ask for usage: the event that tells nothing else is not for it.
        """
        self._single = single
        self._strips = strips
        self._tail = bytearray()
        self._known = True
        self._usage: Usage | None = None
        self._complete = False

    def tells(self, events: bytes) -> bool:
        tail = self._tail
        tail += events
        if len(tail) > 2 * KEPT:
            # The last event whole: Perplexity says all of the answer again in each, and no `[DONE]`.
            last = max(tail.rfind(b"\n\n", 0, -4), tail.rfind(b"\n\r\n", 0, -4), 0)
            del tail[: min(last, len(tail) - KEPT)]
        self._known = False
        return b'"error"' in events or _tells_usage(events)

    def read(self, frame: Frame) -> bool:
        if (chunk := _read(frame.data)) is None:
            return True
        if chunk.error:
            raise refusal({"error": chunk.error})
        if chunk.usage is None:
            return True
        self._usage = chunk.usage.to_domain()
        return bool(chunk.choices) or not self._strips

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def complete(self) -> bool:
        """`[DONE]` passed; or, as some servers leave it out, the finish of the only choice did."""
        self._look()
        return self._complete

    def _look(self) -> None:
        if self._known or self._complete:
            return
        self._known = True
        frames = Frames()
        for frame in [*frames.feed(bytes(self._tail)), *frames.close()]:
            if frame.data.startswith(b"[DONE]"):
                self._complete = True
            elif self._single and (chunk := _read(frame.data)) is not None and chunk.choices:
                self._complete = self._complete or bool(chunk.choices[0].finish_reason)


def _tells_usage(events: bytes) -> bool:
    at = events.find(b'"usage"')
    while at >= 0:  # most servers that tell usage say null in every event before
        if not events.startswith(b":null", at + 7):
            return _TELLS_USAGE.search(events, at) is not None
        at = events.find(b'"usage"', at + 7)
    return False


def _read(data: bytes) -> _Chunk | None:
    try:
        return _chunk.decode(data)
    except UNREADABLE:
        return None
