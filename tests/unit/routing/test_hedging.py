"""A second offer is asked where the first keeps the client waiting."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.road import PRICE, ROLE, Late, RoadScene, call, offer, streaming, texts
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, completion, delta, refusal

from isthmus.domain.errors import UpstreamRefused, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.usage import Usage

pytestmark = pytest.mark.anyio

AFTER = 0.02


def hedged(*behaviours: Behaviour, offers: tuple[Offer, ...] = (), attempts: int = 3) -> RoadScene:
    named: dict[str, list[Behaviour]] = {
        name: [behaviour] for name, behaviour in zip("abcdef", behaviours, strict=False)
    }
    return RoadScene(named, offers, Workload(name="w", offers=(), hedge_after=AFTER, attempts=attempts))


def late(after: float, *said: str) -> Late:
    return Late(pieces=streaming(*said).pieces, after=after)


async def test_who_answers_in_time_is_the_only_one_asked() -> None:
    one = hedged(streaming("from a"), streaming("from b"))
    assert texts(await one.ask(call(stream=True))) == "from a"
    assert one.sender.asked == ["a"]
    assert one.ledger.entry.attempts[0].fate is None


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_first_is_slow_the_second_serves_and_the_first_is_given_up(stream: bool) -> None:
    one = hedged(FakeResponse(pieces=[None]), streaming("from b") if stream else completion("from b"))
    assert b"from b" in await one.ask(call(stream=stream))
    assert one.sender.asked == ["a", "b"]
    assert one.sender.responses[0].aborted
    entry = one.ledger.entry
    assert (entry.outcome, entry.offer) == ("completed", "b")
    assert [(a.offer, a.error, a.fate) for a in entry.attempts] == [("a", None, "outrun"), ("b", None, None)]
    assert one.road.health.in_flight("a") == one.road.health.in_flight("b") == 0
    assert not any(r.offer == "a" and r.code == "failed" for r in entry.rejected)


async def test_a_beginning_that_says_nothing_is_no_first_token() -> None:
    one = hedged(FakeResponse(pieces=[ROLE, None]), streaming("from b"))
    assert texts(await one.ask(call(stream=True))) == "from b"


async def test_the_first_may_still_win_after_the_second_was_asked() -> None:
    one = hedged(late(3 * AFTER, "from a"), FakeResponse(pieces=[None]))
    assert texts(await one.ask(call(stream=True))) == "from a"
    assert [(a.offer, a.fate) for a in one.ledger.entry.attempts] == [("a", None), ("b", "outrun")]


async def test_a_first_that_fails_makes_room_for_the_next_at_once() -> None:
    one = hedged(UpstreamUnreachable("no."), streaming("from b"))
    assert texts(await one.ask(call(stream=True))) == "from b"
    assert [a.fate for a in one.ledger.entry.attempts] == [None, None]


async def test_a_second_that_fails_does_not_disturb_the_first() -> None:
    one = hedged(late(3 * AFTER, "from a"), refusal(500))
    assert texts(await one.ask(call(stream=True))) == "from a"
    assert [(a.offer, a.error) for a in one.ledger.entry.attempts] == [("a", None), ("b", "upstream_error")]


async def test_both_may_fail_and_a_third_serve() -> None:
    slow_failure = Late(pieces=[UpstreamUnreachable("gone.")], after=2 * AFTER)
    one = hedged(slow_failure, refusal(503), streaming("from c"))
    assert texts(await one.ask(call(stream=True))) == "from c"
    assert sorted(a.offer for a in one.ledger.entry.attempts) == ["a", "b", "c"]


async def test_a_request_that_is_to_blame_is_told_and_the_other_given_up() -> None:
    one = hedged(FakeResponse(pieces=[None]), refusal(400, "bad temperature"))
    with pytest.raises(UpstreamRefused, match="bad temperature"):
        await one.ask(call(stream=True))
    assert one.sender.responses[0].aborted
    assert one.road.health.in_flight("a") == 0


async def test_no_more_are_asked_than_the_workload_allows_tries() -> None:
    one = hedged(late(3 * AFTER, "from a"), streaming("from b"), attempts=1)
    assert texts(await one.ask(call(stream=True))) == "from a"
    assert one.sender.asked == ["a"]


async def test_only_a_cleared_offer_is_asked_beside_the_first() -> None:
    own = [offer(name, clearance=Clearance(frozenset({Label("pii")}))) for name in "ac"]
    one = hedged(
        FakeResponse(pieces=[None]), streaming("from b"), streaming("from c"), offers=(own[0], offer("b"), own[1])
    )
    assert texts(await one.ask(call(stream=True, labels=["pii"]))) == "from c"
    assert one.sender.asked == ["a", "c"]


async def test_a_client_that_leaves_gives_up_both() -> None:
    one = hedged(FakeResponse(pieces=[None]), FakeResponse(pieces=[None]))
    with anyio.move_on_after(3 * AFTER):
        await one.ask(call(stream=True))
    assert [response.aborted for response in one.sender.responses] == [True, True]
    entry = one.ledger.entry
    assert (entry.outcome, len(entry.attempts)) == ("client_gone", 2)
    assert one.road.health.in_flight("a") == one.road.health.in_flight("b") == 0


async def test_what_the_outrun_offer_told_of_its_usage_is_paid_once() -> None:
    def event(kind: str, **fields: object) -> bytes:
        return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"

    begun = event("message_start", message={"id": "m", "model": "c", "usage": {"input_tokens": 100}})
    claude = offer("a", dialect="anthropic-messages")
    one = hedged(FakeResponse(pieces=[begun, None]), streaming("from b"), offers=(claude, offer("b")))
    await one.ask(call(stream=True))
    entry = one.ledger.entry
    assert [(a.fate, a.usage) for a in entry.attempts] == [
        ("outrun", Usage(input=100)),
        (None, Usage(input=10, output=5)),
    ]
    assert entry.usage == Usage(input=110, output=5)
    assert entry.cost == Decimal("0.00012")


async def test_a_batch_is_in_no_hurry() -> None:
    one = hedged(late(2 * AFTER, "from a"), streaming("from b"))
    asked = call(stream=True)
    asked.priority = "batch"
    assert texts(await one.ask(asked)) == "from a"
    assert one.sender.asked == ["a"]


outcomes = st.sampled_from(["good", "late", "hang", "503", "broken"])


@settings(max_examples=40, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=4), st.integers(1, 4))
def test_every_request_that_was_sent_is_on_the_entry_once_and_every_place_is_given_back(
    script: list[str], attempts: int
) -> None:
    def behaviour(kind: str) -> Behaviour:
        match kind:
            case "good":
                return FakeResponse(pieces=[delta("x"), delta("", "stop"), USAGE, DONE])
            case "late":
                return Late(pieces=[delta("x"), delta("", "stop"), USAGE, DONE], after=1.5 * AFTER)
            case "hang":
                return FakeResponse(pieces=[None])
            case "503":
                return refusal(503)
            case _:
                return UpstreamUnreachable("gone.")

    async def play() -> None:
        one = hedged(*map(behaviour, script), attempts=attempts)
        with anyio.move_on_after(10 * AFTER):
            with suppress(UpstreamRefused, UpstreamUnreachable):
                await one.ask(call(stream=True))
        entry = one.ledger.entry
        assert sorted(a.offer for a in entry.attempts) == sorted(one.sender.asked)
        assert len(entry.attempts) <= attempts
        served = [a for a in entry.attempts if a.error is None and a.fate is None and entry.outcome == "completed"]
        assert len(served) == (entry.outcome == "completed")
        if served:
            assert entry.usage == Usage(input=10, output=5)
            assert entry.cost is not None
            assert entry.cost == Decimal(10) / 1_000_000 * PRICE.input + Decimal(5) / 1_000_000 * PRICE.output
        assert all(one.road.health.in_flight(name) == 0 for name in one.behaviours)
        assert all(r.aborted or r.read_to_end for r in one.sender.responses)
        assert one.ledger.balanced

    asyncio.run(play())
