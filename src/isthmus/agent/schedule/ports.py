"""What the scheduler needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from isthmus.agent.marks import Mark
from isthmus.agent.schedule.job import Evidence, Job, JobId, Occurrence, Run
from isthmus.agent.schedule.plan import Plan


class Runner(Protocol):
    """Does what is due: tells a reminder, has the agent do a task."""

    async def run(self, occurrence: Occurrence) -> Evidence:
        """Do it.

        Returns:
            That it is done, with the receipt of whoever took it.

        Raises:
            Undelivered, ToolError: it is not done, and nobody saw anything of it.
            ToolUncertain: it cannot be told whether it is.
        """
        ...

    async def find_done(self, occurrence: Occurrence) -> Evidence | None:
        """Whether it was done, after the end of a process in the midst of it. None: it was not, and may be done now.

        Raises:
            Undelivered: it was tried and came to nothing.
            ToolError: it cannot be told.
        """
        ...


class Channel(Protocol):
    """A way to the user: a room, an inbox, a terminal."""

    @property
    def name(self) -> str:
        """As evidence names it: `matrix:@me:example.org`."""
        ...

    async def tell(self, text: str, mark: Mark, *, key: str) -> str:
        """Tell the user something.

        Args:
            text: what.
            mark: of it. Who else can see the channel must be among its readers.
            key: what makes telling it twice telling it once, where the service can do that.

        Returns:
            The receipt of the service: the id of the message.

        Raises:
            ToolError: it was not told.
            ToolUncertain: it cannot be told whether it was.
        """
        ...

    async def find_told(self, key: str) -> str | None:
        """The receipt of what was told under a key. None: nothing was.

        Raises:
            ToolError: this service cannot say.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A job as it stands."""

    job: Job
    next: datetime | None
    """When it is due next. None: never again, or it was cancelled."""
    cancelled: bool
    last: Run | None
    """What became of it the last time. None: it was never due."""


class JobStore(Protocol):
    """Keeps jobs and what became of them. What is said to it is durable when it returns.

    May be used by several threads and processes at once: a time that a job is due is handed to one of them.
    """

    def add(self, job: Job, due: datetime) -> bool:
        """Keep a job, and when it is due first.

        Returns:
            Whether it was not there yet.
        """
        ...

    def find(self, tenant: str, job: str) -> Listed | None: ...

    def list(self, tenant: str, *, ended: bool = False, limit: int = 100) -> Sequence[Listed]:
        """Jobs, those that are due next first.

        Args:
            tenant: whose.
            ended: also those that were cancelled or are never due again.
            limit: how many at most.
        """
        ...

    def cancel(self, tenant: str, job: str) -> bool:
        """From now on it is not due. Returns: whether there was such a job that was not cancelled."""
        ...

    def restore(self, tenant: str, job: str, due: datetime) -> bool:
        """Take back that it was cancelled. Returns: whether it was."""
        ...

    def runs(self, tenant: str, job: str, *, limit: int = 20) -> Sequence[Run]:
        """What became of a job, the newest first."""
        ...

    def soonest(self) -> datetime | None:
        """When a job is due next that is not being done."""
        ...

    def due(self, now: datetime) -> Sequence[tuple[Job, datetime]]:
        """Jobs whose time has come and which are not being done, with that time."""
        ...

    def claim(self, job: Job, due: datetime, plan: Plan, now: datetime) -> bool:
        """Take what was planned upon oneself: what was missed is written down, what is run now is this process' to do.

        Returns:
            Whether there is something to do. Not, where another was faster or that time was served before.
        """
        ...

    def left(self) -> Sequence[Occurrence]:
        """What others took upon themselves and did not live to end; from now on it is this process' to end."""
        ...

    def settle(self, run: Run) -> None:
        """Write down how it ended. Only the first such word counts."""
        ...

    def release(self, occurrence: Occurrence) -> None:
        """Leave to others what this process took upon itself."""
        ...

    def repeated(self) -> Sequence[tuple[Job, datetime]]:
        """Jobs that are due again and again, with the next time."""
        ...

    def move(self, job: JobId, due: datetime, to: datetime) -> None:
        """Change when a job is due next, unless that is no longer `due`."""
        ...
