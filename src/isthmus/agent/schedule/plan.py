"""What is done about a job whose time has come, and about its times that passed while nobody was there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from isthmus.agent.schedule.job import Job
from isthmus.agent.schedule.rhythm import all_due, next_due

GRACE = timedelta(seconds=90)
"""By how much it may be late and still be in time: a busy machine, a loop that looks every half minute."""

MOST_LATE = 24
"""Times that were missed up to which each is made up for."""

_MOST_COUNTED = 1_000
_MOMENT = timedelta(microseconds=1)
_SPANS = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=367))


@dataclass(frozen=True, slots=True)
class Missed:
    """Times that passed and are not made up for."""

    first: datetime
    last: datetime
    count: int | None
    """None: more than are counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done now, and when to look again."""

    run: datetime | None
    """The time that is served now. None: none is."""
    missed: Missed | None
    next: datetime | None
    """When it is due next; that may have passed as well. None: never again."""


def first_due(job: Job, after: datetime) -> datetime | None:
    """When a job is due first, later than an instant. One that is due once is due whether or not that has passed."""
    return job.at if job.repeats is None else next_due(job.repeats, after)


def plan(job: Job, due: datetime, now: datetime) -> Plan:
    """What is done about a job.

    Args:
        job: whose time has come.
        due: its earliest time that nothing was done about yet; not later than `now`.
        now: by the clock.
    """
    if job.repeats is None:
        late = now - due > GRACE and job.catch_up == "skip"
        return Plan(None, Missed(due, due, 1), None) if late else Plan(due, None, None)
    passed = len(list(islice(_all(job, due, now), MOST_LATE + 1)))
    if job.catch_up == "late" and passed <= MOST_LATE:
        return Plan(due, None, next_due(job.repeats, due))
    newest = _newest(job, due, now)
    following = next_due(job.repeats, newest)
    if job.catch_up == "skip" and now - newest > GRACE:
        return Plan(None, _missed(job, due, newest), following)
    return Plan(newest, None if newest == due else _missed(job, due, newest - _MOMENT), following)


def _all(job: Job, due: datetime, until: datetime) -> Iterator[datetime]:
    """The times from one that is due on."""
    assert job.repeats is not None
    yield due
    yield from all_due(job.repeats, due, until)


def _newest(job: Job, due: datetime, until: datetime) -> datetime:
    """The last time not later than an instant. Looked for backwards in growing spans: years may have passed."""
    assert job.repeats is not None
    for span in (*_SPANS, until - due):
        newest = None
        for newest in all_due(job.repeats, max(due, until - span), until):  # noqa: B007 - the last one is wanted
            pass
        if newest is not None:
            return newest
    return due


def _missed(job: Job, due: datetime, until: datetime) -> Missed:
    counted = len(list(islice(_all(job, due, until), _MOST_COUNTED + 1)))
    return Missed(due, _newest(job, due, until), counted if counted <= _MOST_COUNTED else None)
