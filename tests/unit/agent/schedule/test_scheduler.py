"""The loop: what is due is done once, and ends with evidence, whatever happens to clocks, processes and channels."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from typing_extensions import override

from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.schedule.job import CatchUp, Evidence, Job, JobId, Occurrence, Rhythm, Run, Undelivered
from isthmus.agent.schedule.plan import first_due, plan
from isthmus.agent.schedule.ports import Runner
from isthmus.agent.schedule.scheduler import Scheduler
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import Store

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    """A clock that is set by hand, and the time that passes meanwhile."""

    def __init__(self) -> None:
        self.now = NOON
        self.passed = 0.0

    def pass_by(self, time: timedelta) -> None:
        self.now += time
        self.passed += time.total_seconds()


class Recorder(Runner):
    """Does what a test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.ran: list[datetime] = []
        self.done: Evidence | Exception | None = None
        self.on_run: Callable[[Occurrence], Awaitable[Evidence]] | None = None

    @override
    async def run(self, occurrence: Occurrence) -> Evidence:
        self.ran.append(occurrence.due)
        if self.on_run is not None:
            return await self.on_run(occurrence)
        return Evidence(at=occurrence.due, channel="here", acknowledgement=occurrence.key)

    @override
    async def find_done(self, occurrence: Occurrence) -> Evidence | None:
        if isinstance(self.done, Exception):
            raise self.done
        return self.done


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runner() -> Recorder:
    return Recorder()


def add(jobs: SqlJobStore, name: str = "j", *, cron: str | None = None, catch_up: CatchUp = "once") -> Job:
    job = Job(
        id=JobId(name),
        tenant="default",
        kind="reminder",
        text="Tea",
        mark=USERS_WORDS,
        made=NOON,
        at=NOON + timedelta(minutes=1) if cron is None else None,
        repeats=None if cron is None else Rhythm(cron, "UTC"),
        catch_up=catch_up,
    )
    due = first_due(job, NOON)
    assert due is not None
    jobs.add(job, due)
    return job


@asynccontextmanager
async def running(jobs: SqlJobStore, runner: Runner, clock: Clock) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(jobs, runner, clock=lambda: clock.now, passing=lambda: clock.passed)
    async with anyio.create_task_group() as group:
        group.start_soon(scheduler.run)
        yield scheduler
        group.cancel_scope.cancel()


async def ended(jobs: SqlJobStore, count: int, name: str = "j") -> list[Run]:
    """What became of a job, the oldest first, when so much has."""
    with anyio.fail_after(10):
        while True:
            runs = [run for run in jobs.runs("default", name) if run.outcome is not None]
            if len(runs) >= count:
                return sorted(runs, key=lambda run: run.due)
            await anyio.sleep(0.01)


async def test_what_is_due_is_done_when_it_is_due_and_no_earlier(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    add(jobs)
    async with running(jobs, runner, clock) as scheduler:
        await anyio.sleep(0.1)
        assert runner.ran == []
        clock.pass_by(timedelta(minutes=1))
        scheduler.wake()
        (run,) = await ended(jobs, 1)
    assert run.outcome == "delivered"
    assert run.evidence is not None
    assert run.evidence.channel == "here"
    assert run.evidence.acknowledgement
    assert jobs.soonest() is None


async def test_it_wakes_by_itself_when_a_job_is_due(jobs: SqlJobStore, runner: Recorder) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    job = Job(id=JobId("j"), tenant="default", kind="reminder", text="Tea", mark=USERS_WORDS, made=soon, at=soon)
    jobs.add(job, soon)
    scheduler = Scheduler(jobs, runner)
    async with anyio.create_task_group() as group:
        group.start_soon(scheduler.run)
        await ended(jobs, 1)
        group.cancel_scope.cancel()
    assert timedelta(0) <= datetime.now(UTC) - soon < timedelta(seconds=5)


async def test_what_was_missed_while_down_is_found_at_the_start(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    add(jobs, cron="0 * * * *")
    add(jobs, "skipped", cron="0 * * * *", catch_up="skip")
    clock.pass_by(timedelta(hours=5, minutes=30))
    async with running(jobs, runner, clock):
        missed, run = await ended(jobs, 2)
        (skipped,) = await ended(jobs, 1, "skipped")
    assert (missed.outcome, missed.due, missed.count) == ("missed", NOON + timedelta(hours=1), 4)
    assert (run.outcome, run.due) == ("delivered", NOON + timedelta(hours=5))
    assert (skipped.outcome, skipped.count) == ("missed", 5)
    assert runner.ran == [NOON + timedelta(hours=5)]


async def test_each_late_time_is_made_up_for_in_order_where_that_is_wanted(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    add(jobs, cron="0 * * * *", catch_up="late")
    clock.pass_by(timedelta(hours=3))
    async with running(jobs, runner, clock):
        await ended(jobs, 3)
    assert runner.ran == [NOON + timedelta(hours=hour) for hour in (1, 2, 3)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ToolError("The room is gone."), "failed"),
        (Undelivered(Evidence(at=NOON, says="It waits.")), "failed"),
        (ToolUncertain("Nobody knows."), "uncertain"),
        (RuntimeError("content"), "failed"),
    ],
)
async def test_an_error_is_told_as_what_it_is(
    jobs: SqlJobStore, runner: Recorder, clock: Clock, error: Exception, outcome: str
) -> None:
    async def fail(_: Occurrence) -> Evidence:
        raise error

    runner.on_run = fail
    add(jobs)
    clock.pass_by(timedelta(minutes=1))
    async with running(jobs, runner, clock):
        (run,) = await ended(jobs, 1)
    assert run.outcome == outcome
    assert run.evidence is not None
    assert run.evidence.says
    assert "content" not in run.evidence.says


async def test_after_an_unknown_error_the_channel_has_the_word(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    async def fail(_: Occurrence) -> Evidence:
        raise RuntimeError

    runner.on_run = fail
    for name, found, outcome in (
        ("a", Evidence(at=NOON, channel="here", acknowledgement="1"), "delivered"),
        ("b", ToolError("It cannot be told."), "uncertain"),
        ("c", OSError(), "uncertain"),
    ):
        runner.done = found
        add(jobs, name)
        clock.now = NOON + timedelta(minutes=1)
        async with running(jobs, runner, clock):
            (run,) = await ended(jobs, 1, name)
        assert run.outcome == outcome


async def test_a_job_never_overlaps_itself(jobs: SqlJobStore, runner: Recorder, clock: Clock) -> None:
    let_go = anyio.Event()

    async def slowly(occurrence: Occurrence) -> Evidence:
        await let_go.wait()
        return Evidence(at=occurrence.due)

    runner.on_run = slowly
    add(jobs, cron="* * * * *")
    clock.pass_by(timedelta(minutes=1))
    async with running(jobs, runner, clock) as scheduler:
        await anyio.sleep(0.1)
        for _ in range(3):
            clock.pass_by(timedelta(minutes=1))
            scheduler.wake()
            await anyio.sleep(0.05)
        assert len(runner.ran) == 1
        let_go.set()
        runs = await ended(jobs, 3)
    assert [(run.outcome, run.count) for run in runs] == [("delivered", 1), ("missed", 2), ("delivered", 1)]


async def test_two_schedulers_do_a_job_once(jobs: SqlJobStore, runner: Recorder, clock: Clock) -> None:
    names = [f"j{number}" for number in range(12)]
    for name in names:
        add(jobs, name)
    clock.pass_by(timedelta(minutes=1))
    async with running(jobs, runner, clock), running(jobs, runner, clock):
        for name in names:
            await ended(jobs, 1, name)
    assert len(runner.ran) == len(names)


async def test_what_is_interrupted_is_gone_on_with_by_the_next_one(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    started = anyio.Event()

    async def forever(_: Occurrence) -> Evidence:
        started.set()
        await anyio.sleep_forever()
        raise AssertionError

    runner.on_run = forever
    add(jobs)
    clock.pass_by(timedelta(minutes=1))
    async with running(jobs, runner, clock):
        with anyio.fail_after(5):
            await started.wait()
    assert [run.outcome for run in jobs.runs("default", "j")] == [None]
    runner.done = Evidence(at=NOON, channel="here", acknowledgement="1")
    async with running(jobs, runner, clock):
        (run,) = await ended(jobs, 1)
    assert run.outcome == "delivered"
    assert len(runner.ran) == 1


@pytest.mark.parametrize(
    ("found", "outcome", "runs"),
    [(None, "delivered", 1), (ToolError("It cannot be told."), "uncertain", 0), (ToolUncertain("?"), "uncertain", 0)],
)
async def test_what_was_left_is_done_only_where_it_is_known_not_to_be(
    jobs: SqlJobStore, runner: Recorder, clock: Clock, found: Exception | None, outcome: str, runs: int
) -> None:
    leave(jobs, add(jobs))
    runner.done = found
    clock.pass_by(timedelta(days=3))
    async with running(jobs, runner, clock):
        (run,) = await ended(jobs, 1)
    assert (run.outcome, len(runner.ran)) == (outcome, runs)


async def test_what_was_left_is_missed_where_it_was_cancelled_or_is_not_made_up_for(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    leave(jobs, add(jobs))
    leave(jobs, add(jobs, "skipped", catch_up="skip"))
    jobs.cancel("default", "j")
    clock.pass_by(timedelta(days=3))
    async with running(jobs, runner, clock):
        outcomes = [(await ended(jobs, 1, name))[0].outcome for name in ("j", "skipped")]
    assert outcomes == ["missed", "missed"]
    assert runner.ran == []


def leave(jobs: SqlJobStore, job: Job) -> None:
    """A job that was begun by somebody who is gone."""
    due = NOON + timedelta(minutes=1)
    assert jobs.claim(job, due, plan(job, due, due), due)
    jobs.release(Occurrence(job, due))


async def test_a_clock_that_is_set_back_takes_no_job_along_and_repeats_none(
    jobs: SqlJobStore, runner: Recorder, clock: Clock
) -> None:
    add(jobs, cron="0 * * * *")
    async with running(jobs, runner, clock) as scheduler:
        clock.now = NOON + timedelta(days=4 * 365)  # set wrongly
        scheduler.wake()
        await ended(jobs, 2)
        clock.now = NOON + timedelta(minutes=10)  # and set right
        scheduler.wake()
        with anyio.fail_after(5):
            while jobs.soonest() != NOON + timedelta(hours=1):
                await anyio.sleep(0.01)
        clock.pass_by(timedelta(hours=2))
        scheduler.wake()
        with anyio.fail_after(5):
            while NOON + timedelta(hours=2) not in runner.ran:
                await anyio.sleep(0.01)
        clock.now -= timedelta(minutes=20)
        scheduler.wake()
        await anyio.sleep(0.1)
        clock.pass_by(timedelta(minutes=20))
        scheduler.wake()
        await anyio.sleep(0.1)
    assert len(runner.ran) == len(set(runner.ran))


async def test_a_store_that_is_gone_for_a_while_stops_nothing(
    jobs: SqlJobStore, runner: Recorder, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(jobs)
    aside = tmp_path / "aside"
    aside.mkdir()
    async with running(jobs, runner, clock) as scheduler:
        await anyio.sleep(0.1)
        for file in tmp_path.glob("isthmus.db*"):  # noqa: ASYNC240
            file.rename(aside / file.name)
        scheduler.wake()
        await anyio.sleep(0.1)
        for file in aside.iterdir():
            file.rename(tmp_path / file.name)
        clock.pass_by(timedelta(minutes=1))
        scheduler.wake()
        await ended(jobs, 1)
    assert "cannot be looked up" in caplog.text


async def test_nothing_is_asked_while_nothing_is_due(
    jobs: SqlJobStore, runner: Recorder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(jobs)
    asked: list[None] = []
    transaction = Store.transaction

    def counted(self: Store, *, writing: bool) -> object:
        asked.append(None)
        return transaction(self, writing=writing)

    monkeypatch.setattr(Store, "transaction", counted)
    async with running(jobs, runner, clock):
        await anyio.sleep(1.0)
    assert len(asked) <= 4
    assert runner.ran == []
