"""What happens when an offer breaks off in the middle of its stream, by what the workload wants."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.road import ROLE, RoadScene, call, offer, streaming, texts
from tests.fakes.rules import WordDetector, policy, rule
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, chunk, delta, refusal

from isthmus.domain.errors import ProviderError, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label
from isthmus.domain.message import Started, TextDelta, Used
from isthmus.domain.offer import Capabilities, MidStream, Offer, Workload
from isthmus.domain.usage import Usage
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Needs
from isthmus.routing.continuation import Seam, Told

pytestmark = pytest.mark.anyio

PREFILL = Capabilities(prefill="yes")


def broken(*pieces: bytes) -> FakeResponse:
    return FakeResponse(pieces=[*pieces, UpstreamUnreachable("a broke off.")])


def scene(
    mid_stream: MidStream,
    first: Behaviour,
    *others: Behaviour,
    attempts: int = 3,
    gate: Gate | None = None,
    **more: Offer,
) -> RoadScene:
    names = "abcdef"[: 1 + len(others)]
    behaviours = {name: [behaviour] for name, behaviour in zip(names, (first, *others), strict=True)}
    offers = [more.get(name, offer(name, capabilities=PREFILL)) for name in names]
    workload = Workload(name="w", offers=(), mid_stream=mid_stream, attempts=attempts)
    return RoadScene(behaviours, offers, workload, gate or Gate())


def sent_to(one: RoadScene, name: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(request.body) for asked, request in one.sender.sent if asked == name]


# --------------------------------------------------------------------------------------------------------- restart


@pytest.mark.parametrize(
    "beginning",
    [
        [ROLE],
        [ROLE, delta("")],
        [chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}])],
        [b": ping\n\n", ROLE],
        [ROLE, delta(""), delta(""), delta(""), delta(""), delta("")],
    ],
    ids=["role", "empty text", "null", "comment", "many"],
)
async def test_while_nothing_was_shown_another_offer_takes_over(beginning: Sequence[bytes]) -> None:
    one = scene("restart", broken(*beginning), streaming("from ", "b"))
    sent = await one.ask(call(stream=True))
    assert texts(sent) == "from b"
    assert sent.count(b'"role"') == 1
    entry = one.ledger.entry
    assert (entry.outcome, entry.offer) == ("completed", "b")
    assert [(a.offer, a.error) for a in entry.attempts] == [("a", "upstream_unreachable"), ("b", None)]


async def test_where_the_workload_wants_every_event_at_once_a_break_is_told_from_the_first_on() -> None:
    one = scene("fail", broken(ROLE), streaming("from b"))
    sent = await one.ask(call(stream=True))
    assert b"stream_interrupted" in sent
    assert one.sender.asked == ["a"]


@pytest.mark.parametrize(
    "shown",
    [
        delta("x"),
        chunk(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {"refusal": "no"}, "finish_reason": None}]),
    ],
    ids=["text", "thought", "refusal"],
)
async def test_once_something_was_shown_nobody_starts_anew(shown: bytes) -> None:
    one = scene("restart", broken(ROLE, shown), streaming("from b"))
    sent = await one.ask(call(stream=True))
    assert b"stream_interrupted" in sent
    assert one.sender.asked == ["a"]
    assert one.ledger.entry.attempts[0].fate == "broken_off"


async def test_a_call_without_arguments_counts_as_shown() -> None:
    begun = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    started = chunk(choices=[{"index": 0, "delta": {"tool_calls": [begun]}, "finish_reason": None}])
    one = scene("restart", broken(ROLE, started, delta(""), delta(""), delta("")), streaming("from b"))
    assert b"stream_interrupted" in await one.ask(call(stream=True))


async def test_an_answer_without_a_word_is_an_answer() -> None:
    empty = FakeResponse(pieces=[ROLE, delta("", "stop"), DONE])
    one = scene("restart", empty, streaming("from b"))
    assert await one.ask(call(stream=True)) == ROLE + delta("", "stop") + DONE
    assert (one.ledger.entry.outcome, one.sender.asked) == ("completed", ["a"])


async def test_a_stream_that_ends_without_its_end_before_anything_was_shown_is_a_failure() -> None:
    one = scene("restart", FakeResponse(pieces=[ROLE]), streaming("from b"))
    assert texts(await one.ask(call(stream=True))) == "from b"


# -------------------------------------------------------------------------------------------------------- continue


async def test_another_offer_goes_on_from_what_was_said_and_the_client_sees_one_stream() -> None:
    one = scene("continue", broken(ROLE, delta("The strip "), delta("of land ")), streaming("between ", "two seas."))
    sent = await one.ask(call("what is an isthmus?", stream=True))
    assert texts(sent) == "The strip of land between two seas."
    assert sent.startswith(ROLE + delta("The strip ") + delta("of land "))
    assert (sent.count(b'"role"'), sent.count(b"[DONE]"), sent.count(b'"finish_reason":"stop"')) == (1, 1, 1)
    assert len({event["id"] for event in map(msgspec.json.decode, _events(sent))}) == 1
    (asked,) = sent_to(one, "b")
    assert asked["messages"] == [
        {"role": "user", "content": "what is an isthmus?"},
        {"role": "assistant", "content": "The strip of land"},
    ]
    entry = one.ledger.entry
    assert (entry.outcome, entry.error, entry.offer) == ("completed", None, "b")
    assert [(a.offer, a.fate, a.status) for a in entry.attempts] == [("a", "broken_off", 200), ("b", "continued", 200)]
    assert one.road.health.in_flight("a") == one.road.health.in_flight("b") == 0


def _events(sent: bytes) -> list[bytes]:
    return [line[6:] for line in sent.split(b"\n") if line.startswith(b"data: {")]


async def test_space_at_the_seam_is_told_once() -> None:
    for rest in (["land."], [" land."], [" ", "land."], ["", " land."]):
        one = scene("continue", broken(ROLE, delta("A strip of ")), streaming(*rest))
        assert texts(await one.ask(call(stream=True))) == "A strip of land.", rest


async def test_the_usage_of_both_is_counted_once_each() -> None:
    told = chunk(choices=[{"index": 0, "delta": {"content": "Half "}, "finish_reason": None}], usage={
        "prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11,
    })  # fmt: skip
    one = scene("continue", broken(ROLE, told), streaming("whole."))
    sent = await one.ask(call(stream=True))
    entry = one.ledger.entry
    assert entry.usage == Usage(input=20, output=6)
    assert [a.usage for a in entry.attempts] == [Usage(input=10, output=1), Usage(input=10, output=5)]
    assert entry.cost == sum((a.cost or Decimal(0) for a in entry.attempts), Decimal(0)) == Decimal("0.000032")
    assert msgspec.json.decode(_events(sent)[-1])["usage"]["prompt_tokens"] == 20


async def test_a_second_break_is_gone_on_from_as_well() -> None:
    one = scene("continue", broken(ROLE, delta("one ")), broken(ROLE, delta("two ")), streaming("three"))
    assert texts(await one.ask(call(stream=True))) == "one two three"
    assert sent_to(one, "c")[0]["messages"][-1] == {"role": "assistant", "content": "one two"}  # type: ignore[index]
    assert [a.fate for a in one.ledger.entry.attempts] == ["broken_off", "broken_off", "continued"]


async def test_tries_end_at_the_bound() -> None:
    one = scene("continue", *(broken(ROLE, delta(f"{name} ")) for name in "abcd"), attempts=2)
    sent = await one.ask(call(stream=True))
    assert texts(sent.replace(b'data: {"error"', b"")) == "a b "
    assert b"stream_interrupted" in sent
    assert one.sender.asked == ["a", "b"]
    assert one.ledger.entry.outcome == "interrupted"


async def test_only_offers_that_take_a_beginning_are_asked() -> None:
    one = scene("continue", broken(ROLE, delta("x")), streaming("from b"), b=offer("b"))
    one.behaviours["a"].append(refusal(500))
    assert b"stream_interrupted" in await one.ask(call(stream=True))
    assert one.sender.asked == ["a", "a"]  # itself, which takes one, and not b


@pytest.mark.parametrize(
    "asked",
    [
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
    ],
    ids=["json", "logprobs"],
)
async def test_what_is_not_plain_text_is_not_gone_on_from(asked: dict[str, object]) -> None:
    one = scene("continue", broken(ROLE, delta("{")), streaming("}"))
    assert b"stream_interrupted" in await one.ask(call(stream=True, **asked))  # type: ignore[arg-type]
    assert one.sender.asked == ["a"]


@pytest.mark.parametrize(
    "event",
    [
        chunk(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]),
        chunk(choices=[{"index": 1, "delta": {"content": "two"}, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
            "finish_reason": None}]),
    ],
    ids=["thought", "second choice", "call"],
)  # fmt: skip
async def test_an_answer_that_was_more_than_plain_text_is_not_gone_on_from(event: bytes) -> None:
    one = scene("continue", broken(ROLE, delta("x"), event), streaming("from b"))
    assert b"stream_interrupted" in await one.ask(call(stream=True))
    assert one.sender.asked == ["a"]


async def test_vllm_is_told_that_it_is_to_go_on() -> None:
    own = offer("b", provider="vllm", capabilities=PREFILL)
    one = scene("continue", broken(ROLE, delta("x ")), streaming("y"), b=own)
    await one.ask(call(stream=True, max_tokens=50))
    (asked,) = sent_to(one, "b")
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert asked["max_tokens"] == 50


async def test_another_dialect_goes_on_in_the_clients_own() -> None:
    def event(kind: str, **fields: object) -> bytes:
        return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"

    claude = FakeResponse(
        pieces=[
            event("message_start", message={"id": "msg_1", "model": "c", "usage": {"input_tokens": 7}}),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": "of land"}),
            event("content_block_stop", index=0),
            event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
            event("message_stop"),
        ]
    )
    other = offer("b", dialect="anthropic-messages", capabilities=PREFILL)
    one = scene("continue", broken(ROLE, delta("A strip ")), claude, b=other)
    assert texts(await one.ask(call(stream=True))) == "A strip of land"
    assert sent_to(one, "b")[0]["messages"][-1]["role"] == "assistant"  # type: ignore[index]


# ------------------------------------------------------------------------------------------------------- perimeter

WORDS = WordDetector({"illness": r"\bmeasles\b", "email": r"[\w.]+@[\w.]+\w"})
RULES = policy(
    rule("phi", detect=frozenset({"illness"}), kinds=frozenset({"illness"}), needs=Needs(side=frozenset({"own"}))),
    rule(
        "pii",
        detect=frozenset({"email"}),
        kinds=frozenset({"email"}),
        needs=Needs(side=frozenset({"own"})),
        lower="pseudonymise",
    ),
)


def guarded() -> Gate:
    return Gate(Perimeter(policy=RULES, detectors=(WORDS,), key=b"k" * 32))


def with_guard(one: RoadScene) -> RoadScene:
    one.sender.guard = one.gate
    return one


async def test_what_was_said_goes_nowhere_where_it_may_not() -> None:
    own = offer("a", side="own", clearance=Clearance(everything=True))
    one = with_guard(
        scene("continue", broken(ROLE, delta("You have measles ")), streaming("now"), gate=guarded(), a=own)
    )
    one.behaviours["a"].append(refusal(500))
    sent = await one.ask(call("am I ill?", stream=True))
    assert b"stream_interrupted" in sent
    assert "b" not in one.sender.asked
    assert [r.code for r in one.ledger.entry.rejected if r.offer == "b"] == ["not_cleared"]


async def test_stand_ins_in_what_was_said_stay_with_those_who_see_them() -> None:
    def echo(_: Offer, request: object) -> FakeResponse:
        content: str = msgspec.json.decode(request.body)["messages"][0]["content"]  # type: ignore[attr-defined]
        half = content.rindex(" ") + 5  # in the middle of the stand-in
        return broken(ROLE, delta(content[:half]))

    def rest(_: Offer, request: object) -> FakeResponse:
        messages = msgspec.json.decode(request.body)["messages"]  # type: ignore[attr-defined]
        asked, said = messages[0]["content"], messages[-1]["content"]
        return streaming(asked[len(said) :], " ok")

    own = offer("home", side="own", clearance=Clearance(everything=True), capabilities=PREFILL)
    vendors = [offer("gpt", capabilities=PREFILL), offer("claude", capabilities=PREFILL)]
    one = RoadScene(
        {"gpt": [echo], "claude": [rest], "home": [streaming("never asked")]},
        [vendors[0], own, vendors[1]],
        Workload(name="w", offers=(), mid_stream="continue"),
        guarded(),
    )
    with_guard(one)
    assert (
        texts(await one.ask(call("write to jane.doe@example.org", stream=True))) == "write to jane.doe@example.org ok"
    )
    assert one.sender.asked == ["gpt", "claude"]
    assert "jane" not in "".join(request.body.decode() for _, request in one.sender.sent)


async def test_each_try_of_a_strict_label_is_on_record_before_it_leaves() -> None:
    strict = policy(rule("sealed", needs=Needs(side=frozenset({"closed"})), strict=True))
    one = scene(
        "continue", broken(ROLE, delta("x ")), streaming("y"), gate=Gate(Perimeter(policy=strict, key=b"k" * 32))
    )
    assert texts(await one.ask(call(stream=True, labels=["sealed"]))) == "x y"
    assert [note.offer for note in one.ledger.crossings] == ["a", "b"]
    assert one.ledger.crossings[0].digest != one.ledger.crossings[1].digest
    assert all(a.labels == (Label("sealed"),) for a in one.ledger.entry.attempts)


# ------------------------------------------------------------------------------------------------------------ laws


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text("ab \n", min_size=1, max_size=6), min_size=1, max_size=4), min_size=1, max_size=4),
    st.booleans(),
)
def test_however_often_it_breaks_the_client_is_told_every_piece_once(parts: list[list[str]], ends_well: bool) -> None:
    def pieces(number: int, said: Sequence[str]) -> Sequence[bytes | ProviderError]:
        last = number == len(parts) - 1
        end = [delta("", "stop"), USAGE, DONE] if last and ends_well else [UpstreamUnreachable("gone.")]
        return [ROLE, *map(delta, said), *end]

    async def play() -> None:
        behaviours: dict[str, list[Behaviour]] = {
            f"o{number}": [FakeResponse(pieces=pieces(number, said))] for number, said in enumerate(parts)
        }
        one = RoadScene(
            behaviours,
            [offer(name, capabilities=PREFILL) for name in behaviours],
            Workload(name="w", offers=(), mid_stream="continue", attempts=len(parts)),
        )
        sent = await one.ask(call(stream=True))
        said = texts(sent)
        # As far as the answer went: where only space was said so far, there is nothing to go on from.
        whole = "".join("".join(part) for part in parts)
        assert "".join(said.split()) == "".join(whole.split())[: len("".join(said.split()))]
        entry = one.ledger.entry
        assert len(entry.attempts) == len(one.sender.sent) <= len(parts)
        assert (entry.outcome == "completed") == (b"[DONE]" in sent)
        assert all(one.road.health.in_flight(name) == 0 for name in behaviours)
        if entry.outcome == "completed":
            assert "".join(said.split()) == "".join(whole.split())

    asyncio.run(play())


def test_a_seam_hides_nothing_but_what_was_told() -> None:
    told = Told()
    told.hear([Started(id="1", model="m"), TextDelta(text="a \n"), Used(usage=Usage(input=3, output=1))])
    seam = Seam(told)
    joined = seam.joined(
        [
            Started(id="2", model="n"),
            TextDelta(text=" "),
            TextDelta(text="\n b "),
            TextDelta(text=" c"),
            Used(usage=Usage(input=5, output=2)),
        ]
    )
    assert joined == [
        TextDelta(text=" b "),
        TextDelta(text=" c"),
        Used(usage=Usage(input=8, output=3)),
    ]
