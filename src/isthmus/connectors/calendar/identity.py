"""By which names events are known.

An event is named by its calendar and its name there, and by the version that was seen: whoever agreed to a change of
an event agreed to a change of exactly what was seen, and where it was changed meanwhile, that is told. One time of an
event that recurs is named by the time at which the rule puts it, which stays the same when that one is moved.

What isthmus makes has a UID that is derived from the grant, so that it is found again after a crash, and made once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from typing_extensions import override

from isthmus.agent.tool import Grant
from isthmus.domain.errors import ToolError

_EVENT = re.compile(
    r"(?P<calendar>[^/\s]{1,200})/(?P<resource>[^/\s]{1,500})~(?P<version>[0-9a-f]{8})"
    r"(?:@(?P<time>[0-9]{8}(?:T[0-9]{6}Z?)?))?\Z"
)
_MADE = re.compile(r"isthmus-[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class EventId:
    """One event as it was seen: `work/8f3a.ics~0c1d2e3f`; one time of it: `work/8f3a.ics~0c1d2e3f@20261124T080000Z`."""

    calendar: str
    """The last part of its calendar's address, as it stands there."""
    resource: str
    """Likewise of its own."""
    version: str
    time: str | None = None
    """Which of its times, by the rule. None: all of it."""

    @override
    def __str__(self) -> str:
        return f"{self.calendar}/{self.resource}~{self.version}" + (f"@{self.time}" if self.time else "")

    @staticmethod
    def of(text: object) -> EventId:
        """Read an id.

        Raises:
            ToolError: it is none.
        """
        if not isinstance(text, str) or (match := _EVENT.match(text)) is None:
            raise ToolError("That is no event.", hint="Name an event by its id, as cal_list shows it.")
        return EventId(match["calendar"], match["resource"], match["version"], match["time"])


def version(etag: str) -> str:
    """Of what a server calls so."""
    return hashlib.sha256(etag.encode()).hexdigest()[:8]


def uid(grant: Grant) -> str:
    """The UID of the event that a call makes, the same whenever it is asked for."""
    return f"isthmus-{trace(grant)}"


def trace(grant: Grant) -> str:
    """What a call leaves in the event that it changes, to be found by it after a crash."""
    return hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:32]


def made_here(identity: str) -> bool:
    """Whether a UID looks like one that isthmus gave. Anybody can write such a one, and gains nothing by it."""
    return _MADE.match(identity) is not None


def fingerprint(identity: str) -> str:
    """What an event is known by wherever it lies, and whichever of its times: `Made.content_sha256`."""
    return hashlib.sha256(f"uid:{identity}".encode()).hexdigest()
