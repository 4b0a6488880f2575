import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.road import offer

from isthmus.domain.errors import Overloaded
from isthmus.domain.offer import Deadlines, Engine, Weights
from isthmus.routing.concurrency import (
    BATCH_TURN,
    CEILING,
    LEAST_BY_LATENCY,
    QUEUE_LEAST,
    QUIET,
    USUAL_AFTER,
    Lane,
)

pytestmark = pytest.mark.anyio


def lane(places: int, *, first_byte: float | None = 120.0) -> Lane:
    one = Lane()
    one.fit(offer("a", max_in_flight=places, deadlines=Deadlines(first_byte=first_byte)))
    return one


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_offer_of_which_nothing_is_said_has_plenty_of_places() -> None:
    one = Lane()
    one.fit(offer("a"))
    assert (one.ceiling, one.limit) == (CEILING, CEILING)


def test_an_own_engine_is_given_no_more_than_it_works_on_at_once() -> None:
    one = Lane()
    one.fit(offer("home", engine=Engine(weights=Weights(ref="x"), parallel=3)))
    assert one.ceiling == 3


def test_no_more_enter_than_there_are_places() -> None:
    one = lane(2)
    assert [one.enter(), one.enter(), one.enter()] == [True, True, False]
    one.leave(0.1)
    assert one.enter()
    assert one.in_flight == 2


async def test_those_who_wait_come_in_the_order_in_which_they_came() -> None:
    one, came = lane(1), list[int]()
    assert one.enter()

    async def request(number: int) -> None:
        await one.wait()
        came.append(number)
        one.leave(0.1)

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(request(number))
        await settled()
        assert one.waiting == 4
        assert not one.enter()  # nobody overtakes
        one.leave(0.1)
    assert came == [0, 1, 2, 3]
    assert one.in_flight == 0


async def test_one_that_leaves_while_it_waits_loses_no_place() -> None:
    one = lane(1)
    assert one.enter()
    waiting = asyncio.create_task(one.wait())
    await settled()
    waiting.cancel()
    one.leave(0.1)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (one.in_flight, one.waiting) == (0, 0)
    waiting = asyncio.create_task(one.wait())  # and where the place came in the very moment it left
    assert one.enter()
    await settled()
    one.leave(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (one.in_flight, one.waiting) == (0, 0)


async def test_who_would_wait_longer_than_it_may_is_told_at_once_when_to_come_back() -> None:
    one = lane(1, first_byte=3.0)
    assert one.enter()
    one.leave(10.0)
    assert one.enter()
    with pytest.raises(Overloaded, match="has all it can take") as caught:
        await one.wait()
    assert caught.value.retry_after == 10.0
    assert caught.value.status == 503


async def test_who_waits_in_vain_is_told_in_the_end() -> None:
    one = lane(1, first_byte=0.02)
    assert one.enter()
    with pytest.raises(Overloaded, match=r"within 0\.02 s"):
        await one.wait()
    assert one.waiting == 0


async def test_a_full_queue_refuses_and_sheds_batch_requests_first() -> None:
    one = lane(1)
    assert one.enter()
    batch = [asyncio.create_task(one.wait(batch=True)) for _ in range(QUEUE_LEAST // 2)]
    await settled()
    with pytest.raises(Overloaded):  # batch requests have half of the queue
        await one.wait(batch=True)
    foreground = [asyncio.create_task(one.wait()) for _ in range(QUEUE_LEAST)]
    await settled()
    assert all(isinstance(task.exception(), Overloaded) for task in batch)
    assert not any(task.done() for task in foreground)
    with pytest.raises(Overloaded, match=f"{QUEUE_LEAST} requests wait already"):
        await one.wait()
    for task in foreground:
        task.cancel()
    await asyncio.wait(foreground)
    assert one.waiting == 0


def test_batch_requests_leave_places_free() -> None:
    one = lane(8)
    entered = 0
    while one.enter(batch=True):
        entered += 1
    assert (entered, one.is_idle) == (6, True)
    assert one.enter()
    assert not one.is_idle


async def test_batch_requests_go_behind_the_others_and_still_come_to_their_turn() -> None:
    one, came = lane(1), list[str]()
    assert one.enter()

    async def request(kind: str) -> None:
        await one.wait(batch=kind == "batch")
        came.append(kind)
        one.leave(0.001, batch=kind == "batch")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(request("batch"))
        await settled()
        for _ in range(2 * BATCH_TURN - 1):
            tasks.create_task(request("other"))
        await settled()
        one.leave(0.001)
    assert came.index("batch") == BATCH_TURN - 1
    assert (one.in_flight, one.batches) == (0, 0)


def test_a_sign_of_overload_lowers_the_limit_once_for_all_that_was_sent_before() -> None:
    one = lane(100)
    for _ in range(20):
        assert one.enter()
    one.overloaded(began=1.0, now=2.0)
    assert one.limit == pytest.approx(14)
    one.overloaded(began=1.5, now=2.1)
    assert one.limit == pytest.approx(14)
    one.overloaded(began=2.5, now=3.0)
    assert one.limit == pytest.approx(0.7 * 14)


def test_success_raises_the_limit_again_slowly_then_quickly_and_never_above_the_ceiling() -> None:
    one = lane(10)
    for _ in range(10):
        one.enter()
    one.overloaded(began=0.0, now=1.0)
    assert one.limit == pytest.approx(7)
    one.served(now=1.1)
    assert one.limit == pytest.approx(7 + 1 / 7)
    one.served(now=1.2 + QUIET)
    assert one.limit == pytest.approx(8 + 1 / 7)
    for _ in range(100):
        one.served(now=100.0)
    assert one.limit == 10


def test_a_limit_that_is_not_used_is_not_raised() -> None:
    one = lane(100)
    for _ in range(20):
        one.enter()
    one.overloaded(began=0.0, now=1.0)
    for _ in range(20):
        one.leave(0.1)
    limit = one.limit
    one.served(now=100.0)
    assert one.limit == limit


def test_first_tokens_that_come_late_lower_the_limit_a_little_but_never_far() -> None:
    one = lane(CEILING)
    for _ in range(30):
        one.enter()
    for _ in range(USUAL_AFTER + 1):
        one.served(1.0, 0.1)
    assert one.limit == CEILING
    now = 100.0
    for _ in range(10):
        one.served(now, 2.0)
        now += 10
    assert LEAST_BY_LATENCY <= one.limit < 30
    for _ in range(200):
        one.served(now, 2.0)
        now += 10
    assert one.limit >= LEAST_BY_LATENCY


steps = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.booleans()),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("overload"), st.integers(0, 20)),
        st.tuples(st.just("served"), st.floats(0.001, 5)),
        st.tuples(st.just("give up"), st.integers(0, 20)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), steps)
def test_places_are_never_exceeded_and_all_who_wait_are_served_or_told(
    places: int, script: Sequence[tuple[str, object]]
) -> None:
    async def play() -> None:
        one = lane(places)
        inside: list[bool] = []
        waiting: list[tuple[asyncio.Task[None], bool]] = []
        told = now = 0.0

        def look() -> None:
            nonlocal told
            for task, batch in list(waiting):
                if task.done():
                    waiting.remove((task, batch))
                    if not task.cancelled() and task.exception() is None:
                        inside.append(batch)
                    else:
                        told += 1
            assert one.in_flight == len(inside)
            assert one.batches == sum(inside)
            assert one.in_flight <= places
            assert 1 <= one.limit <= places

        for step, value in script:
            now += 0.01
            match step:
                case "come":
                    batch = bool(value)
                    before = one.in_flight
                    if one.enter(batch=batch):
                        assert before + 1 <= one.limit
                        inside.append(batch)
                    else:
                        waiting.append((asyncio.create_task(one.wait(batch=batch)), batch))
                case "leave" if inside:
                    assert isinstance(value, int)
                    one.leave(0.01, batch=inside.pop(value % len(inside)))
                case "overload" if inside:
                    one.overloaded(now - 0.005, now)
                case "served" if inside:
                    assert isinstance(value, float)
                    one.served(now, value)
                case "give up" if waiting:
                    assert isinstance(value, int)
                    waiting[value % len(waiting)][0].cancel()
            await settled()
            look()
        while waiting:  # as long as places come free, nobody waits for ever
            assert inside
            one.leave(0.01, batch=inside.pop())
            await settled()
            look()
        assert one.waiting == 0

    asyncio.run(play())
