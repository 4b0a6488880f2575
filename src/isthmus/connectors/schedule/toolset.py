"""Runs the tools for reminders and repeated tasks.

A job keeps the mark of what it was made of. Its text is taken as the user's own words when it wakes only where the
user said exactly that: a model that has read nothing but the user's words can still make up a task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, UNKNOWN, Mark, Party
from isthmus.agent.schedule.job import Job, JobId, Rhythm
from isthmus.agent.schedule.plan import first_due
from isthmus.agent.schedule.ports import JobStore, Listed
from isthmus.agent.schedule.rhythm import checked, zone_of
from isthmus.agent.tool import Field, Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.schedule.specs import SPECS
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.principal import DEFAULT_TENANT

_MOST_JOBS = 500
_MOST_TEXT = 4_000
_LISTED = 50
_HINT_WHEN = "Write it as in 2026-11-21T15:30, or say in how many minutes."


class ScheduleToolset(Toolset):
    """The reminders and repeated tasks of one user."""

    def __init__(
        self,
        jobs: JobStore,
        *,
        zone: str,
        labels: frozenset[Label] = frozenset(),
        tenant: str = DEFAULT_TENANT,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is looked at yet.

        Args:
            jobs: where they are kept.
            zone: the user's time zone, as in `Europe/Berlin`.
            labels: that all jobs bear.
            tenant: whose they are.
            changed: is told that a job was made or changed: `Scheduler.wake`.
            clock: tells the time.

        Raises:
            ToolError: there is no such time zone.
        """
        self._jobs = jobs
        self._zone: ZoneInfo = zone_of(zone)
        self._labels = labels
        self._tenant = tenant
        self._changed = changed
        self._clock = clock
        self._tools: dict[str, Callable[[Grant], ToolResult]] = {
            "remind_me": self._remind,
            "schedule_add": self._add,
            "schedule_list": self._list,
            "schedule_cancel": self._cancel,
        }

    @property
    @override
    def name(self) -> str:
        return "schedule"

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return SPECS

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        raise ToolError("A reminder goes to the user alone.")

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if grant.tool not in self._tools:
            raise ToolError(f"There is no tool {grant.tool} for reminders and tasks.")
        result = await run_sync(self._tools[grant.tool], grant)
        self._changed()
        return result

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        return await run_sync(self._done, grant) if grant.tool in {"remind_me", "schedule_add"} else None

    @override
    async def aclose(self) -> None:
        pass

    # ------------------------------------------------------------------------------------------------------- making

    def _remind(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        return self._keep(grant, self._job(grant, "text", at=self._when(given.get("when"), given.get("minutes"))))

    def _add(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        rhythm = Rhythm(given["cron"], given.get("zone") or self._zone.key)
        return self._keep(grant, self._job(grant, "task", repeats=checked(rhythm, self._clock())))

    def _job(self, grant: Grant, text: str, *, at: datetime | None = None, repeats: Rhythm | None = None) -> Job:
        given = grant.plain()
        if not given[text].strip() or len(given[text]) > _MOST_TEXT:
            raise ToolError(f"The text has to have one to {_MOST_TEXT:,} characters.")
        said = grant.arguments[text]
        # What the user said is an order whatever else the call was made of; what a model made of it is none.
        mark = said.mark if said.endorsed else replace(grant.mark, origins=grant.mark.origins | {UNKNOWN})
        mark = replace(mark, labels=mark.labels | grant.mark.labels | self._labels)
        budget = given.get("budget")
        return Job(
            id=_id(grant),
            tenant=self._tenant,
            kind="reminder" if repeats is None else "task",
            text=given[text],
            mark=mark,
            made=self._clock(),
            at=at,
            repeats=repeats,
            catch_up=given.get("missed") or "once",
            profile=given.get("profile"),
            budget=None if budget is None else Decimal(str(budget)),
        )

    def _keep(self, grant: Grant, job: Job) -> ToolResult:
        if len(self._jobs.list(self._tenant, limit=_MOST_JOBS)) >= _MOST_JOBS:
            raise ToolError(f"There are {_MOST_JOBS} jobs already.", hint="Cancel some first.")
        due = first_due(job, self._clock())
        assert due is not None
        self._jobs.add(job, due)
        done = self._done(grant)
        assert done is not None
        return done

    def _done(self, grant: Grant) -> ToolResult | None:
        listed = self._jobs.find(self._tenant, _id(grant))
        if listed is None:
            return None
        when = "" if listed.next is None else f" It is due {listed.next.astimezone(self._zone):%a %Y-%m-%d %H:%M %Z}."
        return ToolResult(items=(self._item(listed),), note=f"Kept.{when}", made=(Made("job", listed.job.id),))

    def _when(self, when: str | None, minutes: int | None) -> datetime:
        now = self._clock()
        if (when is None) == (minutes is None):
            raise ToolError("Say either when or in how many minutes.", hint=_HINT_WHEN)
        if minutes is not None:
            return now + timedelta(minutes=minutes)
        try:
            at = datetime.fromisoformat(str(when))
        except ValueError as error:
            raise ToolError("That is no time.", hint=_HINT_WHEN) from error
        at = (at if at.tzinfo is not None else at.replace(tzinfo=self._zone)).astimezone(UTC)
        if at <= now:
            raise ToolError(f"That has passed: it is {now.astimezone(self._zone):%Y-%m-%dT%H:%M}.", hint=_HINT_WHEN)
        return at

    # ---------------------------------------------------------------------------------------------- looking, cancelling

    def _list(self, grant: Grant) -> ToolResult:
        found = self._jobs.list(self._tenant, ended=bool(grant.plain().get("ended")), limit=_LISTED + 1)
        note = f"These are the first {_LISTED}." if len(found) > _LISTED else ""
        return ToolResult(items=tuple(map(self._item, found[:_LISTED])), note=note)

    def _cancel(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        listed = self._jobs.find(self._tenant, given["job"])
        if listed is None:
            raise ToolError("There is no such job.", hint="schedule_list shows them.")
        if not given.get("undo"):
            self._jobs.cancel(self._tenant, listed.job.id)
            return self._changed_to(listed, "Cancelled.")
        if not listed.cancelled:
            return self._changed_to(listed, "It is not cancelled.")
        due = first_due(listed.job, self._clock())
        if due is None or due <= self._clock():
            raise ToolError("Its time has passed.", hint="Make a new one.")
        self._jobs.restore(self._tenant, listed.job.id, due)
        return self._changed_to(listed, "It is due again.")

    def _changed_to(self, listed: Listed, note: str) -> ToolResult:
        now = self._jobs.find(self._tenant, listed.job.id)
        return ToolResult(items=(self._item(now or listed),), note=note)

    def _item(self, listed: Listed) -> Item:
        """A job: its text and times bear the mark of what it was made of; what became of it, isthmus says."""
        job, last = listed.job, listed.last
        asserted = Mark(labels=job.mark.labels, readers=ONLY_THE_USER, origins=frozenset({ISTHMUS}))
        fields = {"text": Field(value=job.text, kind="text", mark=job.mark)}
        if job.repeats is not None:
            cron = f"{job.repeats.expression} ({job.repeats.zone})"
            fields["repeats"] = Field(value=cron, kind="text", mark=job.mark)
        if listed.next is not None:
            fields["next"] = Field(value=listed.next.astimezone(self._zone), kind="time", mark=job.mark)
        if listed.cancelled:
            fields["cancelled"] = Field(value=True, kind="flag", mark=asserted)
        if last is not None:
            fields["last_due"] = Field(value=last.due.astimezone(self._zone), kind="time", mark=asserted)
            fields["last_outcome"] = Field(value=last.outcome or "being done", kind="choice", mark=asserted)
            if last.count != 1:
                fields["last_count"] = Field(value=last.count or "many", kind="text", mark=asserted)
        if last is not None and last.evidence is not None:
            evidence = last.evidence
            # What others sent may have made its way into a sentence or a receipt.
            for name, value in (
                ("says", evidence.says),
                ("by", evidence.channel),
                ("receipt", evidence.acknowledgement),
            ):
                if value:
                    fields[f"last_{name}"] = Field(value=value, kind="text", mark=job.mark)
        return Item(kind="job", id=job.id, fields=fields)


def _id(grant: Grant) -> JobId:
    """The id of the job that a call makes, the same whenever it is asked for."""
    unique = hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()
    return JobId(f"job-{unique[:12]}")
