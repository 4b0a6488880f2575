"""Requests share the places of an offer, spill over to others, wait, and are told when that is of no use."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.road import Late, RoadScene, call, offer, streaming
from tests.fakes.sender import Behaviour, FakeResponse, completion, refusal

from isthmus.domain.errors import IsthmusError, Overloaded
from isthmus.domain.offer import Deadlines, Offer, Workload

pytestmark = pytest.mark.anyio


def slow(seconds: float = 0.02) -> Behaviour:
    def answer(_: Offer, __: object) -> FakeResponse:
        return Late(pieces=completion("x").pieces, after=seconds)

    return answer


def scene(behaviours: dict[str, list[Behaviour]], *offers: Offer, attempts: int = 3) -> RoadScene:
    return RoadScene(behaviours, offers, Workload(name="w", offers=(), attempts=attempts))


async def test_no_more_requests_are_at_an_offer_than_it_takes_and_all_are_served() -> None:
    one = scene({"a": [slow()]}, offer("a", max_in_flight=2))
    answers = await asyncio.gather(*(one.ask(call(str(number))) for number in range(7)))
    assert len(answers) == 7
    assert one.sender.most["a"] == 2
    assert one.road.health.in_flight("a") == 0


async def test_where_the_first_offer_is_full_the_next_serves() -> None:
    one = scene({"a": [slow()], "b": [slow()]}, offer("a", max_in_flight=1), offer("b"))
    await asyncio.gather(*(one.ask(call(str(number))) for number in range(3)))
    assert sorted(one.sender.asked) == ["a", "b", "b"]


async def test_a_batch_request_waits_for_the_first_offer_rather_than_go_to_the_next() -> None:
    one = scene({"a": [slow()], "b": [slow()]}, offer("a", max_in_flight=1), offer("b"))
    batch = call("batch")
    batch.priority = "batch"
    await asyncio.gather(one.ask(call("first")), one.ask(batch))
    assert one.sender.asked == ["a", "a"]


async def test_a_stream_has_its_place_until_it_ends() -> None:
    one = scene({"a": [streaming("x")]}, offer("a", max_in_flight=1))
    async with await one.road.serve(call(stream=True)) as answer:
        assert one.road.health.in_flight("a") == 1
        assert not one.road.health.is_idle("a")
        while await answer.piece():
            pass
    assert one.road.health.in_flight("a") == 0
    assert one.road.health.is_idle("a")


async def test_batch_requests_alone_leave_an_offer_idle() -> None:
    one = scene({"a": [streaming("x")]})
    asked = call(stream=True)
    asked.priority = "batch"
    async with await one.road.serve(asked):
        assert one.road.health.in_flight("a") == 1
        assert one.road.health.is_idle("a")


async def test_what_would_wait_too_long_is_refused_at_once_and_on_record() -> None:
    one = scene({"a": [slow(0.2)]}, offer("a", max_in_flight=1, deadlines=Deadlines(first_byte=0.3)))
    await one.ask(call("to learn how long answers take"))
    results = await asyncio.gather(*(one.ask(call(str(number))) for number in range(4)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert len(refused) == 2  # one is served, one waits 0.2 s, the others would wait longer than 0.3 s
    assert all(error.retry_after >= 1.0 and error.request_id is not None for error in refused)
    assert [entry.outcome for entry in one.ledger.entries].count("refused") == 2
    assert all(entry.error == "overloaded" for entry in one.ledger.entries if entry.outcome == "refused")
    assert one.ledger.balanced


async def test_answers_that_say_overload_lower_the_limit() -> None:
    one = scene({"a": [refusal(503)], "b": [completion("b")]})
    before = one.road.health.lane(one.road.roster.offers["a"]).limit
    await one.ask(call())
    assert one.road.health.lane(one.road.roster.offers["a"]).limit < before


async def test_one_who_leaves_while_waiting_takes_no_place_along() -> None:
    one = scene({"a": [slow(0.05)]}, offer("a", max_in_flight=1))
    first = asyncio.create_task(one.ask(call("1")))
    await asyncio.sleep(0.01)
    with anyio.move_on_after(0.01):
        await one.ask(call("2"))
    await first
    assert one.sender.asked == ["a"]
    assert one.road.health.in_flight("a") == 0
    assert sorted(entry.outcome for entry in one.ledger.entries) == ["client_gone", "completed"]


def _good(_: Offer, __: object) -> FakeResponse:
    return completion("b")


async def test_an_offer_that_fails_now_and_then_goes_behind_its_peers() -> None:
    good = cycle((True, False))

    def flaky(_: Offer, __: object) -> FakeResponse:
        return completion("a") if next(good) else refusal(500)

    one = scene({"a": [flaky], "b": [_good]})
    for number in range(60):
        await one.ask(call(str(number)))
    tail = one.sender.asked[-20:]
    assert tail == ["b"] * 20
    entry = one.ledger.entries[-1]
    assert [(r.offer, r.code) for r in entry.rejected] == [("a", "preferred_other")]
    assert "failed much more often than its peers" in entry.rejected[0].sentence


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(
            st.sampled_from(["good", "503", "broken", "slow"]), st.booleans(), st.sampled_from([None, 0.0, 0.003])
        ),
        min_size=1,
        max_size=10,
    ),
)
def test_whatever_happens_no_offer_has_more_than_it_takes_and_every_place_comes_back(
    places: int, script: Sequence[tuple[str, bool, float | None]]
) -> None:
    def behaviour(kind: str) -> FakeResponse:
        match kind:
            case "good":
                return streaming("x")
            case "503":
                return refusal(503)
            case "broken":
                return FakeResponse(pieces=streaming("x").pieces[:2])
            case _:
                return Late(pieces=streaming("x").pieces, after=0.004)

    async def play() -> None:
        kinds = cycle(kind for kind, _, _ in script)

        def answer(_: Offer, __: object) -> FakeResponse:
            return behaviour(next(kinds))

        one = scene(
            {"a": [answer], "b": [answer]},
            offer("a", max_in_flight=places),
            offer("b", max_in_flight=1),
            attempts=4,
        )

        async def ask(number: int, batch: bool, leaves: float | None) -> None:
            asked = call(str(number), stream=True)
            asked.priority = "batch" if batch else "interactive"
            with anyio.move_on_after(5.0 if leaves is None else leaves):
                with suppress(IsthmusError):
                    await one.ask(asked)

        await asyncio.gather(*(ask(number, batch, leaves) for number, (_, batch, leaves) in enumerate(script)))
        for name, most in (("a", places), ("b", 1)):
            assert one.sender.most.get(name, 0) <= most
            assert one.road.health.in_flight(name) == 0
            assert one.road.health.is_idle(name)
        assert len(one.ledger.entries) == len(script)
        assert one.ledger.balanced

    asyncio.run(play())
