"""Reading usage, errors and the end off a passing stream of this dialect.

To look into every event costs more than to pass it on. The last event tells usage and state, so only where its name is
found, or that of an error, is an event parsed: text cannot hold these names, for its quotes are escaped.
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.openai_responses.faults import refusal
from isthmus.dialects.openai_responses.usage import WireUsage
from isthmus.dialects.sse import Frame
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage

_LAST = frozenset({"response.completed", "response.incomplete"})
_TELLING = (b'response.completed"', b'response.incomplete"', b'response.failed"', b'"error"')


class _Response(msgspec.Struct):
    usage: WireUsage | None = None
    error: Json = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    error: Json = None
    code: Json = None
    message: Json = None


_event = msgspec.json.Decoder(_Event)


class EventReader:
    """Fulfils `Reader`. Usage is part of the last event, which every client is sent."""

    __slots__ = ("_complete", "_usage")

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._complete = False

    def tells(self, events: bytes) -> bool:
        return any(name in events for name in _TELLING)

    def read(self, frame: Frame) -> bool:
        try:
            event = _event.decode(frame.data)
        except UNREADABLE:
            return True
        response = event.response
        if event.type == "response.failed":
            raise refusal({"error": None if response is None else response.error})
        if event.type == "error" or (event.error and not event.type):
            raise refusal({"error": event.error, "code": event.code, "message": event.message})
        if event.type in _LAST:
            self._complete = True
            if response is not None and response.usage is not None:
                self._usage = response.usage.to_domain()
        return True

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def complete(self) -> bool:
        return self._complete
