"""What is done about times that passed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.schedule.job import CatchUp, Job, JobId, Rhythm
from isthmus.agent.schedule.plan import GRACE, MOST_LATE, plan
from isthmus.agent.schedule.rhythm import all_due

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def job(expression: str | None, catch_up: CatchUp = "once", at: datetime | None = None) -> Job:
    return Job(
        id=JobId("j"),
        tenant="default",
        kind="task",
        text="x",
        mark=USERS_WORDS,
        made=NOON,
        at=at,
        repeats=None if expression is None else Rhythm(expression, "UTC"),
        catch_up=catch_up,
    )


def test_what_is_due_in_time_is_done_whatever_the_policy() -> None:
    for policy in ("late", "once", "skip"):
        planned = plan(job("0 * * * *", policy), NOON, NOON + GRACE / 2)
        assert (planned.run, planned.missed) == (NOON, None)
        assert planned.next == NOON + timedelta(hours=1)


def test_late_makes_up_for_each() -> None:
    planned = plan(job("0 * * * *", "late"), NOON, NOON + timedelta(hours=5))
    assert (planned.run, planned.missed, planned.next) == (NOON, None, NOON + timedelta(hours=1))


def test_once_makes_up_for_the_newest_and_tells_of_the_rest() -> None:
    planned = plan(job("0 * * * *"), NOON, NOON + timedelta(hours=5, minutes=30))
    assert planned.run == NOON + timedelta(hours=5)
    assert planned.missed is not None
    assert (planned.missed.first, planned.missed.last, planned.missed.count) == (NOON, NOON + timedelta(hours=4), 5)
    assert planned.next == NOON + timedelta(hours=6)


def test_skip_makes_up_for_none_and_does_what_is_in_time() -> None:
    late = plan(job("0 * * * *", "skip"), NOON, NOON + timedelta(hours=5, minutes=30))
    assert late.run is None
    assert late.missed is not None
    assert late.missed.count == 6
    in_time = plan(job("0 * * * *", "skip"), NOON, NOON + timedelta(hours=5))
    assert in_time.run == NOON + timedelta(hours=5)
    assert in_time.missed is not None
    assert in_time.missed.count == 5


def test_a_single_time_that_passed_is_made_up_for_or_missed() -> None:
    week_later = NOON + timedelta(days=7)
    assert plan(job(None, "once", NOON), NOON, week_later).run == NOON
    skipped = plan(job(None, "skip", NOON), NOON, week_later)
    assert skipped.run is None
    assert skipped.missed is not None


def test_years_that_passed_are_not_gone_through_minute_by_minute() -> None:
    planned = plan(job("* * * * *", "late"), NOON, NOON + timedelta(days=2000))
    assert planned.run == NOON + timedelta(days=2000)
    assert planned.missed is not None
    assert planned.missed.count is None
    assert planned.missed.last == NOON + timedelta(days=2000, minutes=-1)


@given(
    st.sampled_from(["*/7 * * * *", "0 */3 * * *", "30 8 * * *", "0 9 * * 1", "15 10 1 * *"]),
    st.sampled_from(["late", "once", "skip"]),
    st.integers(0, 40 * 24 * 60),
)
@settings(max_examples=60, deadline=None)
def test_every_time_is_served_missed_or_still_to_come(expression: str, policy: CatchUp, minutes: int) -> None:
    one = job(expression, policy)
    assert one.repeats is not None
    due = next(all_due(one.repeats, NOON, NOON + timedelta(days=60)))
    now = due + timedelta(minutes=minutes)
    past = [due, *all_due(one.repeats, due, now)]
    served: list[datetime] = []
    missed = 0
    at: datetime | None = due
    while at is not None and at <= now:
        planned = plan(one, at, now)
        served += [] if planned.run is None else [planned.run]
        if planned.missed is not None:
            assert planned.missed.count is None or planned.missed.count >= 1
            missed = -(10**6) if planned.missed.count is None else missed + planned.missed.count
        assert planned.next is not None
        assert planned.next > at
        at = planned.next
    assert served == sorted(set(served))
    assert set(served) <= set(past)
    if missed >= 0:
        assert len(served) + missed == len(past)
    if policy == "late" and len(past) <= MOST_LATE:
        assert served == past
    if policy == "once" or (now - past[-1]) <= GRACE:
        assert served[-1] == past[-1]
