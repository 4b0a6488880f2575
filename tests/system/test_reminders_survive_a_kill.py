"""A kill in the midst of a reminder: it is told once, or it is said that nobody knows."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.telling import KEY, FileChannel

from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.schedule.job import Job, JobId, Outcome, Run
from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import open_store

FOREVER = 60.0


@contextmanager
def telling(folder: Path, *, before: float = 0.0, after: float = 0.0, knows: bool = True) -> Iterator[None]:
    """A process that tells what is due, and is killed in the end."""
    store, told = str(folder / "isthmus.db"), str(folder / "told")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.telling", store, told, str(before), str(after), "knows" if knows else "not"]
    )
    try:
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("before", "after", "knows", "told_first", "told", "outcome"),
    [
        pytest.param(FOREVER, 0.0, True, 0, 1, "delivered", id="before it is told"),
        pytest.param(0.0, FOREVER, True, 1, 1, "delivered", id="after it is told"),
        pytest.param(0.0, FOREVER, False, 1, 1, "uncertain", id="after it is told, where the channel cannot say"),
        pytest.param(FOREVER, 0.0, False, 0, 0, "uncertain", id="before it is told, where the channel cannot say"),
    ],
)
def test_a_kill_tells_nothing_twice(
    tmp_path: Path, before: float, after: float, knows: bool, told_first: int, told: int, outcome: Outcome
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'isthmus.db'}")
    jobs, channel = SqlJobStore(store, KEY), FileChannel(tmp_path / "told")
    now = datetime.now(UTC)
    job = Job(id=JobId("j"), tenant="default", kind="reminder", text="Tea", mark=USERS_WORDS, made=now, at=now)
    jobs.add(job, now)

    def run(*, ended: bool) -> Run:
        end = time.monotonic() + 20
        while not ((runs := jobs.runs("default", "j")) and (runs[0].outcome is not None) == ended):
            assert time.monotonic() < end, runs
            time.sleep(0.02)
        return runs[0]

    with telling(tmp_path, before=before, after=after, knows=knows):
        run(ended=False)
        end = time.monotonic() + 10
        while len(channel.told()) < told_first:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert run(ended=False).outcome is None
    both = telling(tmp_path, knows=knows) if knows and told_first else nullcontext()
    with telling(tmp_path, knows=knows), both:
        found = run(ended=True)
        time.sleep(0.3)
    assert found.outcome == outcome
    assert found.evidence is not None
    assert (found.evidence.channel == "file") == (outcome == "delivered")
    assert [one["text"] for one in channel.told()] == ["Tea"] * told
    store.dispose()
