"""The very same request is answered as it was before, where the workload wants that and the perimeter allows it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.road import Late, RoadScene, call, offer, streaming, texts
from tests.fakes.rules import WordDetector, policy, rule
from tests.fakes.sender import Behaviour, FakeResponse, completion, delta, refusal

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import PerimeterDenied, UpstreamRefused, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.usage import Usage
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Needs
from isthmus.routing.answer import Answer, Call
from isthmus.routing.cache import Cache, CacheKey, Given
from isthmus.routing.reading import facts_of, read
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio


def fresh(_: Offer, request: WireRequest) -> FakeResponse:
    """Never answers twice alike."""
    fresh_count.append(1)
    text = f"answer {len(fresh_count)}"
    return streaming(text) if msgspec.json.decode(request.body).get("stream") else completion(text)


fresh_count: list[int] = []


def caching(
    *behaviours: Behaviour, offers: Sequence[Offer] = (), gate: Gate | None = None, seconds: float = 60.0
) -> RoadScene:
    named: dict[str, list[Behaviour]] = {
        name: [behaviour] for name, behaviour in zip("abcdef", behaviours or (fresh,), strict=False)
    }
    return RoadScene(named, offers, Workload(name="w", offers=(), cache_seconds=seconds), gate or Gate())


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_of_two_like_requests_reaches_nobody(stream: bool) -> None:
    one = caching()
    seen: list[str | None] = []

    async def look(answer: Answer) -> None:
        seen.append(answer.cache)

    first = await one.ask(call(stream=stream), look)
    assert await one.ask(call(stream=stream), look) == first
    assert one.sender.asked == ["a"]
    assert seen == ["miss", "hit"]
    asked, repeated = one.ledger.entries
    assert (asked.cached, repeated.cached) == (False, True)
    assert (repeated.outcome, repeated.offer, repeated.side) == ("completed", "a", "closed")
    assert (repeated.usage, repeated.cost, repeated.attempts) == (Usage(), Decimal(0), ())
    assert repeated.first_token is not None
    assert one.ledger.balanced


async def test_without_leave_of_the_workload_every_request_crosses() -> None:
    one = RoadScene({"a": [fresh]})
    assert await one.ask(call()) != await one.ask(call())
    assert one.ledger.entries[1].cached is False


@pytest.mark.parametrize(
    "other",
    [
        call("ho"),
        call(temperature=0.5),
        call(max_tokens=7),
        call(stream=True),
        call(tenant="other"),
        call(labels=["a"]),
        call(metadata={"isthmus-conversation": "x"}),
        replace(call(), model="w"),
    ],
    ids=["text", "temperature", "bound", "stream", "tenant", "label", "metadata", "path"],
)
async def test_a_request_that_differs_in_anything_crosses(other: Call) -> None:
    everything = [offer("a", clearance=Clearance(everything=True))]
    one = caching(fresh, offers=everything)
    await one.ask(call())
    await one.ask(other)
    assert one.sender.asked == ["a", "a"]


async def test_the_order_of_names_in_the_body_makes_no_difference() -> None:
    one = caching()
    await one.ask(call(temperature=1, top_p=1))
    await one.ask(call(top_p=1, temperature=1))
    assert one.sender.asked == ["a"]


async def test_an_answer_is_forgotten_when_its_time_is_over() -> None:
    one = caching(seconds=0.02)
    await one.ask(call())
    await asyncio.sleep(0.03)
    await one.ask(call())
    assert one.sender.asked == ["a", "a"]


async def test_an_answer_of_old_settings_is_not_given_under_new_ones() -> None:
    one = caching()
    await one.ask(call())
    one.road.roster = replace(one.road.roster, version="v2")
    await one.ask(call())
    assert one.sender.asked == ["a", "a"]


@pytest.mark.parametrize(
    "bad",
    [
        FakeResponse(pieces=[delta("half"), UpstreamUnreachable("gone.")]),
        FakeResponse(pieces=[delta("half")]),
    ],
    ids=["broken", "cut"],
)
async def test_what_was_broken_off_is_not_given_again(bad: FakeResponse) -> None:
    one = caching()
    one.behaviours["a"][:] = [bad, fresh]
    assert b"stream_interrupted" in await one.ask(call(stream=True))
    assert "answer" in texts(await one.ask(call(stream=True)))


async def test_what_was_refused_is_not_given_again() -> None:
    one = caching()
    one.behaviours["a"][:] = [refusal(400), fresh]
    with pytest.raises(UpstreamRefused):
        await one.ask(call())
    assert b"answer" in await one.ask(call())


async def test_what_a_client_did_not_stay_for_is_not_given_again() -> None:
    one = caching()
    async with await one.road.serve(call(stream=True)):
        pass
    assert one.ledger.entry.outcome == "client_gone"
    await one.ask(call(stream=True))
    assert one.sender.asked == ["a", "a"]


# --------------------------------------------------------------------------------------------------- single flight


async def test_like_requests_that_come_together_cross_once() -> None:
    one = caching(Late(pieces=completion("slow").pieces, after=0.02))
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(one.ask(call())) for _ in range(5)]
    assert len({task.result() for task in answers}) == 1
    assert one.sender.asked == ["a"]
    assert sorted(entry.cached for entry in one.ledger.entries) == [False, True, True, True, True]
    assert one.ledger.balanced


async def test_where_the_first_fails_the_others_try_themselves() -> None:
    one = caching()
    one.behaviours["a"][:] = [Late(status=400, pieces=refusal(400).pieces, after=0.02), fresh]
    results = await asyncio.gather(*(one.ask(call()) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(result, UpstreamRefused) for result in results) == 1
    assert sum(isinstance(result, bytes) for result in results) == 2
    assert one.sender.asked == ["a", "a", "a"]


async def test_where_the_first_leaves_the_others_try_themselves() -> None:
    one = caching()
    one.behaviours["a"][:] = [FakeResponse(pieces=[None]), fresh]
    first = asyncio.create_task(one.ask(call()))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(one.ask(call())) for _ in range(2)]
    await asyncio.sleep(0.01)
    first.cancel()
    assert all(b"answer" in answer for answer in await asyncio.gather(*others))
    assert len(one.sender.sent) == 3
    assert one.ledger.balanced


# ------------------------------------------------------------------------------------------------------- perimeter

WORDS = WordDetector({"illness": r"\bmeasles\b", "email": r"[\w.]+@[\w.]+\w"})
OWN = Needs(side=frozenset({"own"}))
ANY = Needs(side=frozenset({"own", "closed"}))


def rules(phi: Needs, version: str) -> Perimeter:
    made = policy(
        rule("phi", detect=frozenset({"illness"}), kinds=frozenset({"illness"}), needs=phi),
        rule("pii", detect=frozenset({"email"}), kinds=frozenset({"email"}), needs=OWN, lower="pseudonymise"),
    )
    return Perimeter(policy=replace(made, version=version), detectors=(WORDS,), key=b"k" * 32)


async def test_an_answer_is_given_again_to_labelled_requests_too_where_its_offer_is_cleared() -> None:
    one = caching(gate=Gate(rules(ANY, "1")))
    await one.ask(call("he has measles"))
    await one.ask(call("he has measles"))
    assert one.sender.asked == ["a"]
    assert [str(found.label) for found in one.ledger.entries[1].labels] == ["phi"]


@pytest.mark.parametrize("version", ["2", "1"], ids=["told by the version", "told by the rules alone"])
async def test_rules_that_have_become_stricter_hold_for_what_was_answered_before(version: str) -> None:
    one = caching(gate=Gate(rules(ANY, "1")))
    await one.ask(call("he has measles"))
    one.gate.perimeter = rules(OWN, version)
    with pytest.raises(PerimeterDenied):
        await one.ask(call("he has measles"))
    assert one.sender.asked == ["a"]


async def test_an_answer_to_what_would_be_lowered_now_is_not_given_again() -> None:
    one = caching(gate=Gate(pii_for(ANY)))
    await one.ask(call("write to jane.doe@example.org"))
    one.gate.perimeter = pii_for(OWN)
    await one.ask(call("write to jane.doe@example.org"))
    assert one.sender.asked == ["a", "a"]
    assert "jane" not in one.sender.sent[1][1].body.decode()


def pii_for(needs: Needs) -> Perimeter:
    made = policy(
        rule("pii", detect=frozenset({"email"}), kinds=frozenset({"email"}), needs=needs, lower="pseudonymise")
    )
    return Perimeter(policy=replace(made, version="1"), detectors=(WORDS,), key=b"k" * 32)


async def test_no_answer_outlives_the_rules_or_the_offers_it_was_given_under() -> None:
    one, asked = caching(), call()
    reading = read(asked, facts_of(asked), one.road.roster)
    decision = await one.road.decide(asked)
    versions = [decision, replace(decision, policy_version="2"), replace(decision, catalog_version="v2")]
    assert len({one.road.cache.key(asked, reading, version) for version in versions}) == 3


async def test_an_offer_that_serves_the_workload_no_more_answers_from_the_cache_no_more() -> None:
    one = caching(fresh, fresh)
    await one.ask(call())
    only = replace(one.workload, offers=("b",))
    one.road.roster = Roster(offers=one.road.roster.offers, workloads={"w": only}, default_workload="w", version="v1")
    await one.ask(call())
    assert one.sender.asked == ["a", "b"]


async def test_an_offer_that_rests_still_answers_from_the_cache() -> None:
    one = caching()
    first = await one.ask(call())
    one.road.health.failed("a", "upstream_error", asyncio.get_running_loop().time(), retry_after=60)
    assert await one.ask(call()) == first


async def test_answers_with_stand_ins_are_given_to_nobody_else() -> None:
    one = caching(gate=Gate(rules(OWN, "1")))
    for _ in range(2):
        await one.ask(call("write to jane.doe@example.org"))
    assert one.sender.asked == ["a", "a"]
    assert one.road.cache.bytes == 0


async def test_a_declared_label_without_rules_counts() -> None:
    one = caching(fresh, offers=[offer("a", clearance=Clearance(frozenset({Label("x")})))])
    await one.ask(call(labels=["x"]))
    one.road.roster = replace(one.road.roster, offers={"a": offer("a")})
    with pytest.raises(PerimeterDenied):
        await one.ask(call(labels=["x"]))


# ------------------------------------------------------------------------------------------------------------ laws


def given_of(size: int) -> Given:
    return Given(offer=offer("a"), body=b"x" * size, said=(), adapted=None, expires=100.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4000)), max_size=60))
def test_the_cache_is_never_larger_than_it_may_be(puts: list[tuple[int, int]]) -> None:
    cache = Cache(16_000)
    for number, size in puts:
        cache.put(CacheKey(b"%d" % number), given_of(size))
        assert 0 <= cache.bytes <= 16_000
    found = [kept for number in range(10) if (kept := cache.get(CacheKey(b"%d" % number), 1.0)) is not None]
    assert sum(kept.size for kept in found) == cache.bytes
    assert all(kept.size <= cache.largest for kept in found)


def test_who_was_not_asked_for_longest_makes_room() -> None:
    cache = Cache(16_000)
    for number in range(10):
        cache.put(CacheKey(b"%d" % number), given_of(1000))
        cache.get(CacheKey(b"0"), 1.0)
    assert cache.get(CacheKey(b"0"), 1.0) is not None
    cache.put(CacheKey(b"new"), given_of(1400))
    cache.put(CacheKey(b"newer"), given_of(1400))
    assert cache.get(CacheKey(b"0"), 1.0) is not None
    assert cache.get(CacheKey(b"1"), 1.0) is None


def test_two_processes_have_two_keys_for_the_same_request() -> None:
    one, other = Cache(secret=b"a" * 32), Cache(secret=b"b" * 32)
    scene = caching()

    asked = call()
    reading = read(asked, facts_of(asked), scene.road.roster)
    decision = asyncio.run(scene.road.decide(asked))
    assert one.key(asked, reading, decision) != other.key(asked, reading, decision)


requests = st.lists(
    st.tuples(st.sampled_from(["red", "blue"]), st.sampled_from(["hi", "ho"]), st.sampled_from([(), ("x",)])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(requests, st.booleans())
def test_no_answer_of_one_tenant_or_label_is_given_to_another(
    asked: list[tuple[str, str, tuple[str, ...]]], together: bool
) -> None:
    def echo(_: Offer, request: WireRequest) -> FakeResponse:
        """What it is asked, and how often it was: two crossings never have like answers."""
        text = msgspec.json.decode(request.body)["messages"][0]["content"]
        echo_count.append(1)
        return completion(f"{text} {len(echo_count)}")

    echo_count: list[int] = []

    async def play() -> None:
        one = caching(echo, offers=[offer("a", clearance=Clearance(everything=True))])

        async def ask(tenant: str, text: str, labels: tuple[str, ...]) -> bytes:
            return await one.ask(call(text, tenant=tenant, labels=labels))

        if together:
            answers = await asyncio.gather(*(ask(*each) for each in asked))
        else:
            answers = [await ask(*each) for each in asked]
        given_to: dict[bytes, set[tuple[str, str, tuple[str, ...]]]] = {}
        for who, answer in zip(asked, answers, strict=True):
            given_to.setdefault(answer, set()).add(who)
        assert all(len(who) == 1 for who in given_to.values())
        assert len(one.sender.sent) == len(set(asked))
        assert sum(not entry.cached for entry in one.ledger.entries) == len(one.sender.sent)
        assert one.ledger.balanced

    asyncio.run(play())
