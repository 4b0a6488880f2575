"""Server-sent events: cutting a byte stream into events, and writing events.

The rules are those of the WHATWG HTML standard, section 9.2.6, as far as model providers use them: lines end with LF
or CRLF (a lone CR, which the standard allows too, ends no line here: no provider sends it), an empty line ends an
event, lines that begin with a colon are comments, several `data` lines are joined by LF. Two leniences: what is left
at the end of the body is an event even without its empty line, and a byte order mark is skipped.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from isthmus.domain.errors import UpstreamMalformed

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes an event may have. Images in answers are base64 in one event; no event seen comes near this."""

BOUNDARY = re.compile(rb"\n\r?\n")
"""Where an event ends, with the line end of its last line."""

_BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event. `event` is empty where the stream names none."""

    event: bytes
    data: bytes


def frame(data: bytes, event: bytes = b"") -> bytes:
    """Write one event. Neither `data` nor `event` may hold a line end."""
    if event:
        return b"event: " + event + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


class Frames:
    """Cuts one stream into frames. Bytes may be cut anywhere; events without data are left out."""

    __slots__ = ("_begun", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes.

        Raises:
            UpstreamMalformed: an event is larger than `EVENT_LIMIT`.
        """
        held = self._held
        if not self._begun:
            data = self._begin(data)
        elif not held and data[:6] == b"data: " and data.find(b"\n") == len(data) - 2 and data[-1:] == b"\n":
            return [Frame(b"", data[6:-2].rstrip(b"\r"))]  # one whole event: how nearly every piece comes
        if held:
            # Only the seam and what is new can hold a boundary: an event in many pieces is not searched over and over.
            seam = max(0, len(held) - 2)
            held += data
            if BOUNDARY.search(held, seam) is None:
                self._check_size()
                return []
            data = bytes(held)
            held.clear()
        blocks = BOUNDARY.split(data) if b"\r" in data else data.split(b"\n\n")
        if rest := blocks.pop():
            held += rest
            self._check_size()
        return [parsed for block in blocks if (parsed := _parse(block)) is not None]

    def close(self) -> list[Frame]:
        """The frame of a last event that lacks its empty line, if any."""
        rest = bytes(self._held)
        self._held.clear()
        parsed = _parse(rest)
        return [] if parsed is None else [parsed]

    def _begin(self, data: bytes) -> bytes:
        data = bytes(self._held) + data
        self._held.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._held += data
            return b""
        self._begun = True
        return data.removeprefix(_BOM)

    def _check_size(self) -> None:
        if len(self._held) > EVENT_LIMIT:
            raise UpstreamMalformed(f"The upstream sent a stream event of more than {EVENT_LIMIT} bytes.")


def _parse(block: bytes) -> Frame | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        return Frame(b"", block[6:].rstrip(b"\r"))
    event = b""
    lines: list[bytes] = []
    for raw in block.split(b"\n"):
        name, _, value = raw.removesuffix(b"\r").partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            lines.append(value)
        elif name == b"event":
            event = value
    return Frame(event, b"\n".join(lines)) if lines else None
