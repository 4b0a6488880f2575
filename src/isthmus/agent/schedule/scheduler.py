"""The loop that does what is due, when it is due, once, and writes down how it ended.

It sleeps until the next job is due or `wake` is called. It looks at clock and store every half minute all the same:
the clock may have been set, and another process may have made a job. That is one small query; no model is ever asked
whether there is something to do.

What a process took upon itself and did not live to end is found by the next one, which asks whoever it went to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from isthmus.agent.schedule.job import Evidence, Occurrence, Outcome, Run, Undelivered
from isthmus.agent.schedule.plan import GRACE, plan
from isthmus.agent.schedule.ports import JobStore, Runner
from isthmus.agent.schedule.rhythm import next_due
from isthmus.domain.errors import IsthmusError, LedgerError, ToolUncertain

log = logging.getLogger("isthmus.agent.schedule")

_LOOK_SECONDS = 30.0
_AT_ONCE = 4
"""Jobs that are done at the same time; a job is never done twice at the same time."""
_SET_BACK = timedelta(seconds=2)
"""By how much a clock that is set back is worth looking at all jobs again."""


class Scheduler:
    """Does what is due. Several may run at once, in one process or several."""

    def __init__(
        self,
        jobs: JobStore,
        runner: Runner,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        passing: Callable[[], float] = time.monotonic,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            jobs: what is due, and when.
            runner: does it.
            clock: tells the time.
            passing: tells how much time passes, in seconds, whoever sets the clock.
            look_seconds: how long it sleeps at most.
        """
        self._jobs = jobs
        self._runner = runner
        self._clock = clock
        self._passing = passing
        self._look_seconds = look_seconds
        self._changed = anyio.Event()
        self._ahead: timedelta | None = None
        """By how much the clock was ahead of the time that passes, when it was last looked at."""

    def wake(self) -> None:
        """Look again: a job was made, changed or done."""
        self._changed.set()

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as group:
            while True:
                self._changed = anyio.Event()
                try:
                    await self._look(group, limiter)
                    soonest = await run_sync(self._jobs.soonest)
                except LedgerError as error:
                    log.error("what is due cannot be looked up: %s", error.sentence)
                    soonest = None
                with anyio.move_on_after(self._until(soonest)):
                    await self._changed.wait()

    async def _look(self, group: TaskGroup, limiter: anyio.CapacityLimiter) -> None:
        if self._was_set_back():
            await run_sync(self._move_up, self._clock())
        for occurrence in await run_sync(self._jobs.left):
            group.start_soon(self._carry, limiter, occurrence, self._finish)
        now = self._clock()
        for job, due in await run_sync(self._jobs.due, now):
            planned = await run_sync(plan, job, due, now)
            if await run_sync(self._jobs.claim, job, due, planned, now) and planned.run is not None:
                group.start_soon(self._carry, limiter, Occurrence(job, planned.run), self._begin)
            if planned.missed is not None:
                log.warning("job %s was missed", job.id)

    def _until(self, soonest: datetime | None) -> float:
        """Seconds to sleep."""
        if soonest is None:
            return self._look_seconds
        return max(0.0, min(self._look_seconds, (soonest - self._clock()).total_seconds()))

    # --------------------------------------------------------------------------------------------------- one occurrence

    async def _carry(
        self,
        limiter: anyio.CapacityLimiter,
        occurrence: Occurrence,
        how: Callable[[Occurrence], Awaitable[tuple[Outcome, Evidence]]],
    ) -> None:
        """Do what this process took upon itself, and write down how it ended."""
        settled = False
        try:
            async with limiter:
                outcome, evidence = await how(occurrence)
            with anyio.CancelScope(shield=True):
                run = Run(job=occurrence.job.id, due=occurrence.due, outcome=outcome, evidence=evidence)
                await run_sync(self._jobs.settle, run)
            settled = True
            log.info("job %s: %s", occurrence.job.id, outcome)
        except LedgerError as error:
            log.error("how job %s ended cannot be written down: %s", occurrence.job.id, error.sentence)
        finally:
            if not settled:
                with anyio.CancelScope(shield=True):
                    await self._let_go(occurrence)
            self.wake()

    async def _let_go(self, occurrence: Occurrence) -> None:
        try:
            await run_sync(self._jobs.release, occurrence)
        except LedgerError as error:  # it is found when this process is gone
            log.error("job %s cannot be let go: %s", occurrence.job.id, error.sentence)

    async def _begin(self, occurrence: Occurrence) -> tuple[Outcome, Evidence]:
        try:
            return "delivered", await self._runner.run(occurrence)
        except Undelivered as undelivered:
            return "failed", undelivered.evidence
        except ToolUncertain as error:
            return "uncertain", self._evidence(error.sentence)
        except IsthmusError as error:
            return "failed", self._evidence(error.sentence)
        except Exception as error:  # the boundary to foreign code: whatever it is, it is asked what came of it
            log.error("job %s: %s", occurrence.job.id, type(error).__name__)
            return await self._asked(occurrence, f"It failed ({type(error).__name__}).")

    async def _finish(self, occurrence: Occurrence) -> tuple[Outcome, Evidence]:
        """What another process began."""
        job = occurrence.job
        late = job.catch_up == "skip" and self._clock() - occurrence.due > GRACE
        gone = await run_sync(lambda: (listed := self._jobs.find(job.tenant, job.id)) is None or listed.cancelled)
        if late or gone:
            says = (
                "It was cancelled." if gone else "It was interrupted before anything was done, and is not made up for."
            )
            outcome, evidence = await self._asked(occurrence, says)
            return ("missed", evidence) if outcome == "failed" and evidence.says == says else (outcome, evidence)
        try:
            found = await self._runner.find_done(occurrence)
        except Undelivered as undelivered:
            return "failed", undelivered.evidence
        except Exception as error:
            return "uncertain", self._unknown(error)
        return ("delivered", found) if found is not None else await self._begin(occurrence)

    async def _asked(self, occurrence: Occurrence, otherwise: str) -> tuple[Outcome, Evidence]:
        """How it ended, by whoever it went to; if it went to nobody, it failed, and `otherwise` says why."""
        try:
            found = await self._runner.find_done(occurrence)
        except Undelivered as undelivered:
            return "failed", undelivered.evidence
        except Exception as error:
            return "uncertain", self._unknown(error)
        return ("delivered", found) if found is not None else ("failed", self._evidence(otherwise))

    def _unknown(self, error: Exception) -> Evidence:
        why = error.sentence if isinstance(error, IsthmusError) else f"It cannot be told ({type(error).__name__})."
        return self._evidence(f"It was interrupted while it was done. {why}")

    def _evidence(self, says: str) -> Evidence:
        return Evidence(at=self._clock(), says=says)

    # ------------------------------------------------------------------------------------------------------- the clock

    def _was_set_back(self) -> bool:
        """Whether the clock was set back since it was last looked at; the first time nobody knows."""
        ahead = self._clock() - datetime.fromtimestamp(0, UTC) - timedelta(seconds=self._passing())
        before, self._ahead = self._ahead, ahead
        return before is None or before - ahead > _SET_BACK

    def _move_up(self, now: datetime) -> None:
        """A clock that ran ahead took jobs along; what is due earlier by the clock as it is now is due then."""
        for job, due in self._jobs.repeated():
            earlier = None if job.repeats is None else next_due(job.repeats, now)
            if earlier is not None and earlier < due:
                self._jobs.move(job.id, due, earlier)
