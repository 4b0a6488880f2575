"""A job: what is to be done when its time comes, and what became of it each time that it came."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, NewType

from isthmus.agent.happenings import Trigger
from isthmus.agent.marks import Mark
from isthmus.agent.profiles import Profile

JobId = NewType("JobId", str)

Kind = Literal["reminder", "task"]
"""reminder   its text is told to the user
task       its text is what the agent is to do
"""

CatchUp = Literal["late", "once", "skip"]
"""What is done about times that passed while nobody was there to do it.

late   each is made up for, as long as they are few; else the newest alone
once   the newest is made up for, and stands for all
skip   none is
"""

Outcome = Literal["delivered", "failed", "missed", "uncertain"]
"""How it ended, when its time had come.

delivered   it was done, and whoever it went to has acknowledged it
failed      it was tried, and was not done
missed      its time passed, and it was not tried
uncertain   it was tried, and nobody can tell whether it was done; it is not tried again
"""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A cron expression and the time zone whose clocks it speaks of."""

    expression: str
    """Minute, hour, day of the month, month, day of the week."""
    zone: str
    """As in the IANA database: `Europe/Berlin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done once at a time, or again and again."""

    id: JobId
    tenant: str
    kind: Kind
    text: str
    mark: Mark
    """Of the text, for as long as the job lives: what others could have written is no order when it wakes either."""
    made: datetime
    at: datetime | None = None
    """When it is due, if once."""
    repeats: Rhythm | None = None
    """When it is due, if again and again."""
    catch_up: CatchUp = "once"
    profile: Profile | None = None
    """By which the agent does it. None: the one it is run with."""
    budget: Decimal | None = None
    """Dollars that it may cost each time. None: the bound of its trigger alone."""

    def __post_init__(self) -> None:
        if (self.at is None) == (self.repeats is None):
            raise ValueError("a job is due once or repeatedly")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("a time without a zone is no instant")

    @property
    def trigger(self) -> Trigger:
        """What the budget of its turns is called."""
        return "reminder" if self.kind == "reminder" else "schedule"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a job is due."""

    job: Job
    due: datetime

    @property
    def key(self) -> str:
        """The same whenever it is asked for, and of no other: what makes delivering it twice delivering it once."""
        name = f"{self.job.tenant}\n{self.job.id}\n{self.due.astimezone(UTC).isoformat()}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of how it ended."""

    at: datetime
    channel: str = ""
    """By which way it was done: `matrix:@me:example.org`, `agent`. Empty: none was tried."""
    acknowledgement: str = ""
    """What whoever took it gave as a receipt: the id of a message, of a mail, of a turn."""
    says: str = ""
    """In a sentence. Never content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a job at one time that it was due, or at several that were missed in a row."""

    job: JobId
    due: datetime
    outcome: Outcome | None
    """None: it is being done."""
    evidence: Evidence | None = None
    """None as long as there is no outcome."""
    last: datetime | None = None
    """Of several that were missed in a row, when the last was due."""
    count: int | None = 1
    """How many they are. None: too many to count."""


class Undelivered(Exception):
    """It was tried and is known not to be done. The evidence says why."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence.says)
        self.evidence = evidence
