"""Jobs in the store: sealed, of one tenant, and handed to one process."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.agent.marks import EVERYONE, USER, Mark, Origin, Party, Readers
from isthmus.agent.schedule.job import Evidence, Job, JobId, Occurrence, Rhythm, Run
from isthmus.agent.schedule.plan import Missed, Plan
from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import Store, open_store

KEY = bytes(range(32))
SECRET = "the merger with Initech"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARK = Mark(
    labels=frozenset({Label("phi")}),
    readers=Readers(frozenset({Party("mailto:bob@example.org")})),
    origins=frozenset({USER, Origin("mail:a@b.c")}),
)
JOB = Job(
    id=JobId("job-1"),
    tenant="default",
    kind="task",
    text=SECRET,
    mark=MARK,
    made=NOON,
    repeats=Rhythm("0 * * * *", "Europe/Berlin"),
    profile="privacy-first",
    budget=Decimal("0.10"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'isthmus.db'}")
    yield store
    store.dispose()


@pytest.fixture
def jobs(store: Store) -> SqlJobStore:
    jobs = SqlJobStore(store, KEY)
    jobs.add(JOB, NOON)
    return jobs


def test_a_job_comes_back_as_it_was_marks_included(jobs: SqlJobStore, store: Store) -> None:
    once = replace(
        JOB, id=JobId("job-2"), at=NOON, repeats=None, mark=Mark(readers=EVERYONE), profile=None, budget=None
    )
    assert jobs.add(once, NOON)
    assert not jobs.add(replace(once, text="another"), NOON + HOUR)
    other = SqlJobStore(store, KEY)
    assert [listed.job for listed in other.list("default")] == [JOB, once]
    assert other.due(NOON) == [(JOB, NOON), (once, NOON)]
    assert other.due(NOON - HOUR) == []
    assert other.repeated() == [(JOB, NOON)]


def test_nothing_that_was_said_lies_in_the_file(jobs: SqlJobStore, store: Store) -> None:
    assert jobs.claim(JOB, NOON, Plan(NOON, None, None), NOON)
    evidence = Evidence(at=NOON, says=SECRET, channel="matrix", acknowledgement="$1")
    jobs.settle(Run(job=JOB.id, due=NOON, outcome="failed", evidence=evidence))
    for file in store.path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_what_was_altered_or_sealed_by_another_key_is_not_believed(jobs: SqlJobStore, store: Store) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqlJobStore(store, bytes(32)).list("default")
    jobs.add(replace(JOB, id=JobId("job-2")), NOON)
    with store.transaction(writing=True) as connection:
        connection.exec_driver_sql("UPDATE jobs SET sealed = (SELECT sealed FROM jobs WHERE id = 'job-1')")
    with pytest.raises(LedgerError, match="cannot be opened"):
        jobs.find("default", "job-2")


def test_a_time_is_handed_out_once(jobs: SqlJobStore) -> None:
    planned = Plan(NOON, None, NOON + HOUR)
    assert jobs.claim(JOB, NOON, planned, NOON)
    assert not jobs.claim(JOB, NOON, planned, NOON)
    assert jobs.due(NOON + 2 * HOUR) == []
    assert jobs.soonest() is None
    done = Run(job=JOB.id, due=NOON, outcome="delivered", evidence=Evidence(at=NOON, channel="c"))
    jobs.settle(done)
    jobs.settle(replace(done, outcome="failed"))
    assert jobs.runs("default", JOB.id) == [done]
    assert jobs.soonest() == NOON + HOUR
    # A clock that is set back brings the time again; it is not served again.
    jobs.move(JOB.id, NOON + HOUR, NOON)
    assert not jobs.claim(JOB, NOON, planned, NOON)
    assert jobs.soonest() == NOON + HOUR


def test_what_was_missed_is_written_down_with_what_is_done(jobs: SqlJobStore) -> None:
    missed = Missed(NOON, NOON + HOUR, 2)
    assert jobs.claim(JOB, NOON, Plan(NOON + 2 * HOUR, missed, NOON + 3 * HOUR), NOON + 2 * HOUR)
    running, passed = jobs.runs("default", JOB.id)
    assert (running.due, running.outcome, running.evidence) == (NOON + 2 * HOUR, None, None)
    assert (passed.due, passed.outcome, passed.last, passed.count) == (NOON, "missed", NOON + HOUR, 2)


def test_a_cancelled_job_is_due_no_more_until_that_is_taken_back(jobs: SqlJobStore) -> None:
    assert jobs.cancel("default", JOB.id)
    assert not jobs.cancel("default", JOB.id)
    assert not jobs.claim(JOB, NOON, Plan(NOON, None, None), NOON)
    assert jobs.list("default") == []
    assert [listed.cancelled for listed in jobs.list("default", ended=True)] == [True]
    assert jobs.restore("default", JOB.id, NOON + HOUR)
    assert not jobs.restore("default", JOB.id, NOON)
    assert jobs.soonest() == NOON + HOUR


def test_the_jobs_of_one_tenant_are_not_anothers(jobs: SqlJobStore) -> None:
    assert jobs.find("other", JOB.id) is None
    assert jobs.list("other", ended=True) == []
    assert jobs.runs("other", JOB.id) == []
    assert not jobs.cancel("other", JOB.id)


def begin(path: str, claimed: "multiprocessing.SimpleQueue[bool]") -> None:
    jobs = SqlJobStore(open_store(f"sqlite:///{path}"), KEY)
    claimed.put(jobs.claim(JOB, NOON, Plan(NOON, None, None), NOON))


def test_what_a_process_did_not_live_to_end_is_handed_to_the_next(jobs: SqlJobStore, store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    claimed = context.SimpleQueue()
    process = context.Process(target=begin, args=(str(store.path), claimed))
    process.start()
    assert claimed.get()
    process.join()
    assert jobs.left() == [Occurrence(JOB, NOON)]
    assert jobs.left() == []
    jobs.release(Occurrence(JOB, NOON))
    assert jobs.left() == [Occurrence(JOB, NOON)]
