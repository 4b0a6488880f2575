"""What is not cleared does not leave, on whatever way a request takes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.keeper import MemoryKeeper
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.rules import WordDetector, offer, policy, rule
from tests.fakes.sender import DONE, Behaviour, FakeResponse, FakeSender, completion, delta

from isthmus.dialects.registry import dialect_of
from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.errors import LedgerError, PerimeterDenied, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.ports import Detector
from isthmus.domain.principal import Principal
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Needs, Policy
from isthmus.routing.answer import Call
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio

EMAIL = "jane.doe@example.org"
OWN = Needs(side=frozenset({"own"}))
RULES = policy(
    rule("phi", detect=frozenset({"illness"}), kinds=frozenset({"illness"}), needs=OWN),
    rule("pii", detect=frozenset({"email"}), kinds=frozenset({"email"}), needs=OWN, lower="pseudonymise"),
    rule("topic", detect=frozenset({"health"}), kinds=frozenset({"health"}), needs=OWN),
    rule("sealed", needs=Needs(side=frozenset({"own", "closed"})), strict=True),
)
WORDS = WordDetector({"illness": r"\bmeasles\b", "email": r"[\w.]+@[\w.]+\w"})
HOME = offer("home", side="own", clearance=Clearance(everything=True))
GPT = offer("gpt")


def said(request: WireRequest) -> str:
    """All that an offer was told."""
    return request.body.decode()


def echo(_: Offer, request: WireRequest) -> FakeResponse:
    """An offer that says what it was last told."""
    body = msgspec.json.decode(request.body)
    last = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else "".join(part.get("text", "") for part in last)
    if not body.get("stream"):
        return completion(text)
    return FakeResponse(pieces=[delta(letter) for letter in text] + [delta("", "stop"), DONE])


def call(content: Any, *, labels: Sequence[str] = (), tenant: str = "default", **fields: object) -> Call:
    messages = content if isinstance(content, list) and "role" in content[0] else [{"role": "user", "content": content}]
    return Call(
        form=dialect_of("openai-chat"),
        body=msgspec.json.encode({"model": "w", "messages": messages, **fields}),
        principal=Principal(tenant=tenant),
        labels=tuple(Labelled(Label(name), "header") for name in labels),
        arrived=0.0,
    )


class Scene:
    """A road with rules. Offers echo unless a test says otherwise."""

    def __init__(
        self,
        *offers: Offer,
        rules: Policy = RULES,
        detectors: Sequence[Detector] = (WORDS,),
        lineage: Lineage | None = None,
        unreadable: frozenset[Label] | None = None,
        **behaviours: list[Behaviour],
    ) -> None:
        known = {one.name: one for one in offers or (GPT, HOME)}
        self.gate = Gate(Perimeter(policy=rules, detectors=detectors, lineage=lineage, key=b"k" * 32))
        self.sender = FakeSender({name: behaviours.get(name, [echo]) for name in known}, guard=self.gate)
        self.ledger = MemoryRecorder()
        workload = Workload(name="w", offers=tuple(known), unreadable=unreadable)
        roster = Roster(offers=known, workloads={"w": workload}, default_workload="w", version="v1")
        self.road = Road(roster, self.sender, self.ledger, self.gate, draw=lambda: 0.0)

    async def ask(self, asked: Call) -> str:
        """The text of the answer."""
        async with await self.road.serve(asked) as answer:
            out = answer.body
            if not answer.streamed:
                text: str = msgspec.json.decode(out)["choices"][0]["message"]["content"]
                return text
            while piece := await answer.piece():
                out += piece
        events = [msgspec.json.decode(line[6:]) for line in out.split(b"\n") if line.startswith(b"data: {")]
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])

    def told(self, name: str) -> str:
        return "\n".join(said(request) for offer_name, request in self.sender.sent if offer_name == name)


async def test_what_bears_a_label_goes_where_it_is_cleared_only() -> None:
    scene = Scene()
    await scene.ask(call("he has measles"))
    assert scene.sender.asked == ["home"]
    assert {str(found.label) for found in scene.ledger.entry.labels} == {"phi"}


async def test_what_bears_none_goes_where_the_order_says() -> None:
    scene = Scene()
    await scene.ask(call("hello"))
    assert scene.sender.asked == ["gpt"]


@pytest.mark.parametrize("failure", [UpstreamUnreachable("down"), FakeResponse(status=500), FakeResponse(status=429)])
async def test_no_failure_sends_it_elsewhere(failure: Behaviour) -> None:
    scene = Scene(HOME, GPT, home=[failure])
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever it is, nothing may have crossed
        await scene.ask(call("he has measles"))
    assert "gpt" not in scene.sender.asked


async def test_a_refusal_says_what_was_found_where_and_what_would_help_but_not_its_words() -> None:
    scene = Scene(GPT, replace(HOME, name="other"))
    scene.road.roster = replace(scene.road.roster, workloads={"w": Workload(name="w", offers=("gpt",))})
    with pytest.raises(PerimeterDenied) as caught:
        await scene.ask(call("he has measles"))
    told = caught.value.sentence
    assert "Label 'phi': found in messages[0].content, characters 7 to 14 (illness)." in told
    assert "gpt is not cleared for label 'phi': it is closed, not own." in told
    assert "Add other, which is cleared, to the workload" in told
    assert "[labels.phi] else" in told
    assert "measles" not in told
    assert caught.value.param == "messages[0].content, characters 7 to 14"
    assert scene.ledger.entry.outcome == "refused"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_can_be_taken_off_is_and_is_put_back_in_the_answer(stream: bool) -> None:
    scene = Scene()
    answer = await scene.ask(call(f"write to {EMAIL}, then to {EMAIL}", stream=stream))
    assert scene.sender.asked == ["gpt"]
    assert EMAIL not in scene.told("gpt")
    assert answer == f"write to {EMAIL}, then to {EMAIL}"
    [attempt] = scene.ledger.entry.attempts
    assert (attempt.labels, attempt.lowered) == ((), ("pii",))


async def test_stand_ins_stay_the_same_through_a_conversation_and_differ_between_conversations() -> None:
    scene = Scene()
    opening = {"role": "user", "content": f"I am {EMAIL}"}
    await scene.ask(call([opening]))
    await scene.ask(call([opening, {"role": "assistant", "content": "hi"}, {"role": "user", "content": f"to {EMAIL}"}]))
    first, second = (msgspec.json.decode(request.body)["messages"] for _, request in scene.sender.sent)
    assert first[0] == second[0]
    assert first[0]["content"].split()[-1] == second[2]["content"].split()[-1]
    await scene.ask(call(f"hello, I am {EMAIL}"))
    assert first[0]["content"].split()[-1] not in said(scene.sender.sent[-1][1])


async def test_a_label_that_was_declared_too_is_not_taken_off() -> None:
    scene = Scene(GPT)
    with pytest.raises(PerimeterDenied):
        await scene.ask(call(f"write to {EMAIL}", labels=["pii"]))
    assert scene.sender.asked == []


async def test_a_detector_that_fails_means_not_cleared() -> None:
    broken = replace(WORDS, error=RuntimeError("at 'measles'"))
    scene = Scene(GPT, detectors=[broken])
    with pytest.raises(PerimeterDenied, match="words failed"):
        await scene.ask(call("hello"))
    assert scene.sender.asked == []


async def test_topics_are_looked_for_only_where_the_request_could_leave() -> None:
    topics = WordDetector({"health": "feverish"}, name="topics", tier="semantic", exact=False)
    home_only = Scene(HOME, detectors=[WORDS, topics])
    await home_only.ask(call("a feverish text"))
    assert topics.asked == []
    scene = Scene(GPT, HOME, detectors=[WORDS, topics])
    await scene.ask(call("a feverish text"))
    assert topics.asked
    assert scene.sender.asked == ["home"]
    topics.asked.clear()
    await scene.ask(call("he has measles, it is known already"))
    assert topics.asked == []


async def test_what_is_spread_over_parts_is_found() -> None:
    scene = Scene(GPT)
    parts = [{"type": "text", "text": "he has mea"}, {"type": "text", "text": "sles"}]
    with pytest.raises(PerimeterDenied):
        await scene.ask(call(parts))
    messages = [{"role": "user", "content": "he has mea"}, {"role": "user", "content": "sles"}]
    with pytest.raises(PerimeterDenied):
        await scene.ask(call(messages))


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": "for measles"}}]},
        {"user": "measles"},
        {"unknown": {"deep": ["measles"]}},
        {"unknown": {"measles": 1}},
        {"stop": ["measles"]},
    ],
)
async def test_it_is_found_in_whatever_field(body: dict[str, Any]) -> None:
    scene = Scene(GPT)
    if body == {"unknown": {"measles": 1}}:
        body = {"unknown": {"he has measles": 1}}
    with pytest.raises(PerimeterDenied):
        await scene.ask(call("hello", **body))
    assert scene.sender.asked == []


IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


async def test_images_stay_on_own_ground_unless_the_workload_says_what_they_are() -> None:
    home = Scene()
    await home.ask(call([*IMAGE, {"type": "text", "text": "what is this"}]))
    assert home.sender.asked == ["home"]
    out = Scene(unreadable=frozenset())
    await out.ask(call([*IMAGE, {"type": "text", "text": "what is this"}]))
    assert out.sender.asked == ["gpt"]


async def test_labels_of_a_part_count_and_are_not_sent() -> None:
    part = {"type": "text", "text": "hello", "isthmus_labels": ["phi"]}
    scene = Scene()
    await scene.ask(call([part]))
    assert scene.sender.asked == ["home"]
    assert "isthmus_labels" not in scene.told("home")
    [found] = scene.ledger.entry.labels
    assert (found.label, found.source, found.where) == ("phi", "part", "messages[0].content[0]")


async def test_labels_of_a_part_count_without_any_rule() -> None:
    scene = Scene(GPT, rules=policy(), detectors=[])
    with pytest.raises(PerimeterDenied):
        await scene.ask(call([{"type": "text", "text": "hello", "isthmus_labels": ["phi"]}]))


async def test_a_strict_label_is_on_record_before_anything_is_sent() -> None:
    seen: list[int] = []

    def behaviour(_: Offer, request: WireRequest) -> FakeResponse:
        seen.append(len(scene.ledger.crossings))
        return completion()

    scene = Scene(gpt=[behaviour])
    await scene.ask(call("hello", labels=["sealed"]))
    assert seen == [1]
    [note] = scene.ledger.crossings
    assert (note.offer, note.labels) == ("gpt", ("sealed",))


async def test_a_strict_label_is_not_sent_where_it_cannot_be_put_on_record() -> None:
    scene = Scene()
    scene.ledger.forgetful = "the disk is full"
    with pytest.raises(LedgerError):
        await scene.ask(call("hello", labels=["sealed"]))
    assert scene.sender.asked == []


# ----------------------------------------------------------------------------------------------------------- the gate


async def test_rules_that_change_after_the_choice_hold_for_what_is_about_to_leave() -> None:
    scene = Scene(GPT)
    stricter = policy(rule("greeting", kinds=frozenset({"word"}), needs=OWN))
    late = Perimeter(policy=stricter, detectors=[WordDetector({"word": "hello"})], key=b"k" * 32)
    original = scene.gate.cross

    def cross(*args: Any, **named: Any) -> Crossing:
        crossing = original(*args, **named)
        scene.gate.perimeter = late
        return crossing

    scene.gate.cross = cross  # type: ignore[method-assign]
    with pytest.raises(PerimeterDenied):
        await scene.ask(call("hello", labels=["sealed"]))
    assert scene.sender.asked == []


async def test_a_crossing_that_the_gate_did_not_make_is_refused() -> None:
    scene = Scene(GPT)
    forged = Crossing(GPT, WireRequest("/x", b"{}"), frozenset(), frozenset(), object())
    with pytest.raises(PerimeterDenied, match="did not come through the perimeter"):
        await scene.gate.check(forged)
    other = Gate().cross(GPT, WireRequest("/x", b"{}"))
    with pytest.raises(PerimeterDenied, match="did not come through the perimeter"):
        await scene.gate.check(other)


async def test_what_is_put_into_the_request_after_it_was_looked_at_is_found() -> None:
    scene = Scene(GPT)
    original = scene.gate.cross

    def cross(*args: Any, **named: Any) -> Crossing:
        to, request, *rest = args
        body = request.body.replace(b"hello", b"hello, he has measles")
        return original(to, WireRequest(request.path, body), *rest, **named)

    scene.gate.cross = cross  # type: ignore[method-assign]
    with pytest.raises(PerimeterDenied):
        await scene.ask(call("hello"))
    assert scene.sender.asked == []


# ------------------------------------------------------------------------------------------------------------ lineage

RECORD = "The patient was seen on Monday and complained of a rash that had spread over both arms since the weekend."


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    return Lineage(FingerprintFile(tmp_path / "lineage.db"), b"k" * 32, clock=lambda: 1e9)


async def test_a_label_sticks_to_the_text_it_was_declared_for(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    await scene.ask(call(RECORD, labels=["phi"]))
    await scene.ask(call(f"Please translate: '{RECORD.upper()}'"))
    assert scene.sender.asked == ["home", "home"]
    found = scene.ledger.entries[-1].labels[0]
    assert (found.label, found.source) == ("phi", "lineage")
    assert found.finder == f"request {scene.ledger.entries[0].id}"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_label_sticks_to_the_answer(lineage: Lineage, stream: bool) -> None:
    def answer(_: Offer, request: WireRequest) -> FakeResponse:
        if not msgspec.json.decode(request.body).get("stream"):
            return completion(RECORD)
        return FakeResponse(pieces=[delta(RECORD[:50]), delta(RECORD[50:]), delta("", "stop"), DONE])

    scene = Scene(lineage=lineage, home=[answer])
    assert await scene.ask(call("what is in the file of bed 4?", labels=["phi"], stream=stream)) == RECORD
    await scene.ask(call(f"Shorten this: {RECORD}"))
    assert scene.sender.asked == ["home", "home"]


@pytest.mark.parametrize("together", [False, True])
async def test_the_end_of_a_stream_is_told_when_what_it_said_is_remembered(lineage: Lineage, together: bool) -> None:
    pieces = [delta(RECORD), delta("", "stop"), DONE]
    scene = Scene(lineage=lineage, home=[FakeResponse(pieces=[b"".join(pieces)] if together else pieces)])
    async with await scene.road.serve(call("what is in the file?", labels=["phi"], stream=True)) as answer:
        seen = answer.body
        while b"[DONE]" not in seen:
            assert not any(lineage.recall("default", [RECORD]))
            seen += await answer.piece()
        assert any(lineage.recall("default", [RECORD]))
        assert await answer.piece() == b""
    assert scene.ledger.entry.outcome == "completed"


async def test_a_label_does_not_stick_to_the_system_prompt_beside_it(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    system = {
        "role": "system",
        "content": "You are a most careful assistant of the clinic, you answer in short, plain sentences only.",
    }
    await scene.ask(call([system, {"role": "user", "content": RECORD}], labels=["phi"]))
    await scene.ask(call([system, {"role": "user", "content": "what is the capital of France?"}]))
    assert scene.sender.asked == ["home", "gpt"]


async def test_one_tenants_text_is_not_another_ones(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    await scene.ask(call(RECORD, labels=["phi"], tenant="a"))
    await scene.ask(call(RECORD, tenant="b"))
    assert scene.sender.asked == ["home", "gpt"]


async def test_what_was_taken_off_does_not_stick_to_the_rest(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    text = f"The newsletter that everybody in the office was so fond of reading on Fridays was written by {EMAIL}"
    await scene.ask(call(text))
    await scene.ask(call(text.replace(EMAIL, "somebody")))
    assert scene.sender.asked == ["gpt", "gpt"]


async def test_lineage_that_cannot_be_asked_means_not_cleared(lineage: Lineage, tmp_path: Path) -> None:
    scene = Scene(GPT, lineage=lineage)
    lineage.recall = lambda *_: 1 / 0  # type: ignore[method-assign, assignment]
    with pytest.raises(PerimeterDenied, match="lineage could not be asked"):
        await scene.ask(call(RECORD))
    assert scene.sender.asked == []


async def test_many_requests_at_once_do_not_wait_for_one_another(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    answers = await asyncio.gather(*(scene.ask(call(f"{RECORD} {number}")) for number in range(20)))
    assert answers == [f"{RECORD} {number}" for number in range(20)]


# ------------------------------------------------------------------------------------------------------- kept content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("days", [None, 30.0])
async def test_what_is_said_is_kept_where_the_workload_asks_for_it_and_nowhere_else(
    stream: bool, days: float | None
) -> None:
    scene = Scene()
    keeper = MemoryKeeper()
    workload = replace(scene.road.roster.workloads["w"], keep_days=days)
    roster = replace(scene.road.roster, workloads={"w": workload})
    scene.road = Road(roster, scene.sender, scene.ledger, scene.gate, keeper=keeper)
    await scene.ask(call(f"write to {EMAIL}", stream=stream))
    if days is None:
        assert keeper.kept == []
        return
    [kept] = keeper.kept
    assert (kept.request, kept.tenant, kept.workload, kept.labels) == (scene.ledger.entry.id, "default", "w", ("pii",))
    assert kept.firm == ()  # what was found is found again
    assert EMAIL in kept.request_text
    assert kept.answer_text == f"write to {EMAIL}"
    assert timedelta(days=29) < kept.expires - datetime.now(UTC) < timedelta(days=31)
