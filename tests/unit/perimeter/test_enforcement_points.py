"""Each point that enforces something, asked alone: where two guard the same thing, the other is not in the way here.

`bench/enforcement.toml` lists the points; `bench/enforcement.py` switches each off and expects a test to fail.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.rules import WordDetector, offer, policy, rule
from tests.fakes.sender import DONE, FakeResponse, FakeSender, completion, delta
from typing_extensions import override

from isthmus.app import App, serve
from isthmus.dialects.registry import dialect_of, form_of
from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.errors import ConfigError, InvalidRequest, PerimeterDenied
from isthmus.domain.finding import Finding
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.ports import Detector
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestFacts
from isthmus.gateway.keyring import KeyRing
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter import perimeter as perimeter_module
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.inspection import Inspection, Mark
from isthmus.perimeter.lineage import Lineage, Seen
from isthmus.perimeter.passages import Passage, passages
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Needs, Policy
from isthmus.perimeter.pseudonyms import Pseudonyms
from isthmus.perimeter.winnow import fingerprints
from isthmus.providers.sender import HttpSender
from isthmus.routing.answer import Call
from isthmus.routing.choose import choose
from isthmus.routing.health import HealthBoard
from isthmus.routing.reading import read
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster
from isthmus.settings import load

pytestmark = pytest.mark.anyio

PHI, PII, INTERNAL = Label("phi"), Label("pii"), Label("internal")
OWN = Needs(side=frozenset({"own"}))
EMAIL = "jane.doe@example.org"
RULES = policy(
    rule("phi", detect=frozenset({"illness"}), kinds=frozenset({"illness"}), needs=OWN),
    rule("pii", detect=frozenset({"email"}), kinds=frozenset({"email"}), needs=OWN, lower="pseudonymise"),
)
WORDS = WordDetector({"illness": r"\bmeasles\b", "email": r"[\w.]+@[\w.]+\w"})
RECORD = "The patient was seen on Monday and complained of a rash that had spread over both arms since the weekend."
GPT = offer("gpt")
HOME = offer("home", side="own", clearance=Clearance(everything=True))
CHAT = dialect_of("openai-chat")


def body_of(content: object, **fields: object) -> bytes:
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return msgspec.json.encode({"model": "w", "messages": messages, **fields})


def call(content: object, *, labels: Sequence[str] = (), tenant: str = "default", **fields: object) -> Call:
    return Call(
        form=CHAT,
        body=body_of(content, **fields),
        principal=Principal(tenant=tenant),
        labels=tuple(Labelled(Label(name), "header") for name in labels),
        arrived=0.0,
    )


class Scene:
    """A road to offers that echo."""

    def __init__(
        self,
        *offers: Offer,
        rules: Policy = RULES,
        detectors: Sequence[Detector] = (WORDS,),
        lineage: Lineage | None = None,
        answers: Callable[[Offer, WireRequest], FakeResponse] | None = None,
    ) -> None:
        known = {one.name: one for one in offers or (GPT, HOME)}
        self.gate = Gate(Perimeter(policy=rules, detectors=detectors, lineage=lineage, key=b"k" * 32))
        self.sender = FakeSender({name: [answers or _echo] for name in known}, guard=self.gate)
        self.ledger = MemoryRecorder()
        roster = Roster(
            offers=known,
            workloads={"w": Workload(name="w", offers=tuple(known))},
            default_workload="w",
            version="v1",
        )
        self.road = Road(roster, self.sender, self.ledger, self.gate, draw=lambda: 0.0)

    async def ask(self, asked: Call) -> str:
        async with await self.road.serve(asked) as answer:
            text: str = msgspec.json.decode(answer.body)["choices"][0]["message"]["content"]
            return text


def _echo(_: Offer, request: WireRequest) -> FakeResponse:
    return completion(msgspec.json.decode(request.body)["messages"][-1]["content"])


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    return Lineage(FingerprintFile(tmp_path / "lineage.db"), b"k" * 32, clock=lambda: 1e9)


# ---------------------------------------------------------------------------------------------------------- the choice


def test_choosing_leaves_out_what_is_not_cleared() -> None:
    roster = Roster(
        offers={"gpt": GPT, "home": HOME},
        workloads={"w": Workload(name="w", offers=("gpt", "home"))},
        default_workload="w",
        version="v1",
    )
    facts = RequestFacts(model="w", stream=False, messages=1, input_tokens=1)
    decision = choose(
        roster.workloads["w"],
        facts,
        (Labelled(PHI, "header"),),
        roster,
        HealthBoard(),
        now=0.0,
        today=date(2026, 1, 1),
        policy=RULES,
    )
    assert [candidate.offer.name for candidate in decision.route] == ["home"]
    assert [(rejection.offer, rejection.code) for rejection in decision.rejected] == [("gpt", "not_cleared")]


MEETS_ALL: dict[str, Any] = {
    "side": "own",
    "region": "EU",
    "jurisdiction": "EU",
    "retention_days": 0,
    "training": "never",
    "evidence": "E4",
}
EACH_NEED: list[tuple[Needs, dict[str, Any], dict[str, Any] | None]] = [
    (Needs(side=frozenset({"own"})), {"side": "closed"}, None),
    (Needs(region=frozenset({"EU"})), {"region": "US"}, {"region": None}),
    (Needs(jurisdiction=frozenset({"EU"})), {"jurisdiction": "US"}, {"jurisdiction": None}),
    (Needs(retention_days_max=0), {"retention_days": 1}, {"retention_days": None}),
    (Needs(training="never"), {"training": "opt-out"}, {"training": "unknown"}),
    (Needs(evidence_min="E3"), {"evidence": "E2"}, {"evidence": "E0"}),
    (Needs(offers=frozenset({"a"})), {"name": "b"}, None),
]


@pytest.mark.parametrize(("needed", "lacking", "_"), EACH_NEED)
def test_each_need_alone_keeps_an_offer_out(needed: Needs, lacking: dict[str, Any], _: dict[str, Any] | None) -> None:
    rules = policy(rule("phi", needs=needed))
    assert rules.missing(offer(**MEETS_ALL), {PHI}) == {}
    assert rules.missing(offer(**(MEETS_ALL | lacking)), {PHI}).keys() == {PHI}


@pytest.mark.parametrize(("needed", "unknown"), [(each[0], each[2]) for each in EACH_NEED if each[2] is not None])
def test_an_unknown_fact_meets_no_need(needed: Needs, unknown: dict[str, Any]) -> None:
    rules = policy(rule("phi", needs=needed))
    assert rules.missing(offer(**(MEETS_ALL | unknown)), {PHI}).keys() == {PHI}


def test_implied_labels_count_over_any_number_of_steps() -> None:
    rules = policy(
        rule("a", implies=frozenset({Label("b")})),
        rule("b", implies=frozenset({Label("c")})),
        rule("c", implies=frozenset({Label("a"), Label("d")})),
    )
    assert rules.closure({Label("a")}) == {"a", "b", "c", "d"}


def test_an_offer_is_held_against_implied_labels() -> None:
    rules = policy(
        rule("legal", needs=Needs(side=frozenset({"closed"})), implies=frozenset({PHI})), rule("phi", needs=OWN)
    )
    assert rules.lowered(GPT, frozenset({Label("legal")}), frozenset()) is None


# -------------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "measles"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "measles"}]}]},
        {"messages": [{"role": "user", "content": [["measles"]]}]},
        {"user": "measles"},
        {"tools": [{"function": {"parameters": {"properties": {"x": {"enum": ["measles"]}}}}}]},
        {"unknown": {"he has measles": True}},
    ],
)
def test_whatever_is_walked_is_looked_at(body: dict[str, Any]) -> None:
    assert any("measles" in passage.text for passage in passages(body).texts)


def test_an_address_that_holds_content_is_unreadable_wherever_it_stands() -> None:
    assert passages({"unknown": ["data:application/pdf;base64,AAAA"]}).unreadable == [("unknown", 0)]


def test_text_that_calls_itself_binary_is_read() -> None:
    part = {"type": "file", "format": "pdf", "data": "he has measles, and this is no base64!"}
    found = passages({"messages": [{"role": "user", "content": [part]}]})
    assert part["data"] in [passage.text for passage in found.texts]


# ------------------------------------------------------------------------------------------------------------- failing


async def test_a_topic_detector_that_fails_means_not_cleared() -> None:
    rules = policy(rule("topic", kinds=frozenset({"health"}), needs=OWN))
    topics = WordDetector({"health": "x"}, name="topics", tier="semantic", error=RuntimeError())
    scene = Scene(GPT, rules=rules, detectors=[topics])
    with pytest.raises(PerimeterDenied, match="topics failed"):
        await scene.ask(call("nothing in particular"))


class _Forgetful(WordDetector):
    """Answers for the first text only."""

    @override
    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        return super().find(texts)[:1]


async def test_a_detector_that_skips_a_text_means_not_cleared() -> None:
    scene = Scene(GPT, detectors=[_Forgetful(WORDS.patterns)])
    with pytest.raises(PerimeterDenied, match="words failed"):
        await scene.ask(call("hello", user="he has measles"))


class _Hanging(WordDetector):
    @override
    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        time.sleep(0.5)
        return super().find(texts)


async def test_a_detector_that_hangs_means_not_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perimeter_module, "_RULES_SECONDS", 0.05)
    scene = Scene(GPT, detectors=[_Hanging(WORDS.patterns)])
    with pytest.raises(PerimeterDenied, match="words failed"):
        await scene.ask(call("hello " * 1000))


# ------------------------------------------------------------------------------------------------------------- lineage


async def test_each_tenant_has_a_memory_of_its_own(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage)
    await scene.ask(call(RECORD, labels=["phi"], tenant="a"))
    await scene.ask(call(RECORD, tenant="b"))
    await scene.ask(call(RECORD, tenant="default"))
    await scene.ask(call(RECORD, tenant="a"))
    assert scene.sender.asked == ["home", "gpt", "gpt", "home"]


async def test_a_prompt_that_bears_a_label_taints_nothing_else(lineage: Lineage) -> None:
    prompt = "You answer letters of patients that ask for appointments, among them those who may have {}, kindly."
    scene = Scene(lineage=lineage)
    await scene.ask(call([{"role": "system", "content": prompt.format("measles")}, {"role": "user", "content": "hi"}]))
    await scene.ask(call([{"role": "system", "content": prompt.format("a cold")}, {"role": "user", "content": "hi"}]))
    assert scene.sender.asked == ["home", "gpt"]


async def test_a_request_is_recognised_whatever_it_was_answered(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage, answers=lambda *_: completion("I see."))
    await scene.ask(call(RECORD, labels=["phi"]))
    await scene.ask(call(f"Shorten: {RECORD}"))
    assert scene.sender.asked == ["home", "home"]


async def test_an_answer_bears_what_was_found_in_its_request(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage, answers=lambda *_: completion(RECORD))
    await scene.ask(call("who has measles?"))
    await scene.ask(call(f"Shorten: {RECORD}"))
    assert scene.sender.asked == ["home", "home"]


async def test_an_answer_bears_what_was_declared_for_its_request(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage, answers=lambda *_: completion(RECORD))
    await scene.ask(call("who is in bed 4?", labels=["phi"]))
    await scene.ask(call(f"Shorten: {RECORD}"))
    assert scene.sender.asked == ["home", "home"]


async def test_what_was_taken_off_a_request_is_not_on_its_answer(lineage: Lineage) -> None:
    scene = Scene(lineage=lineage, answers=lambda *_: completion(RECORD))
    await scene.ask(call(f"write to {EMAIL} about measles"))
    labels = lineage.recall("default", [RECORD])[0]
    assert {found.label for found in labels} == {PHI}


def test_fingerprints_of_two_tenants_have_nothing_in_common(lineage: Lineage) -> None:
    assert not _hashes(lineage, "a") & _hashes(lineage, "b")


def test_fingerprints_of_two_installations_have_nothing_in_common(lineage: Lineage, tmp_path: Path) -> None:
    other = Lineage(FingerprintFile(tmp_path / "other.db"), b"o" * 32, clock=lambda: 1e9)
    assert not _hashes(lineage, "a") & _hashes(other, "a")


def _hashes(lineage: Lineage, tenant: str) -> set[int]:
    return {mark.hash for mark in fingerprints(RECORD, lineage._tenant_key(tenant))}


def test_a_registered_document_is_recognised_also_where_its_text_is_called_harmless(lineage: Lineage) -> None:
    lineage.register("a", Label("legal"), "the record", [RECORD])
    lineage.remember("a", "one", [Seen(text=RECORD, labels={PHI: None}, origin="request r")])
    assert {found.label for found in lineage.recall("a", [RECORD])[0]} == {"legal", "phi"}
    lineage.register("a", None, "a template", [RECORD])
    assert {found.label for found in lineage.recall("a", [RECORD])[0]} == {"legal"}


def test_the_store_gives_a_tenant_nothing_of_anothers(tmp_path: Path) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    store.remember("a", "request r", {PHI: None}, [1, 2, 3], now=1.0)
    assert store.find("a", [1, 2, 3], now=2.0).keys() == {1, 2, 3}
    assert store.find("b", [1, 2, 3], now=2.0) == {}


STREAM = [delta(RECORD[:50]), delta(RECORD[50:]), delta("", "stop"), DONE]


@pytest.mark.parametrize("pieces", [STREAM, [b"".join(STREAM)]], ids=["in pieces", "in one piece"])
@pytest.mark.parametrize("passed_on", [False, True])
async def test_an_answer_is_remembered_before_its_end_is_told(
    lineage: Lineage, passed_on: bool, pieces: list[bytes]
) -> None:
    scene = Scene(lineage=lineage, answers=lambda *_: FakeResponse(pieces=pieces))
    known_at_end: list[bool] = []

    def hear(piece: bytes) -> None:
        if b"[DONE]" in piece:
            known_at_end.append(bool(lineage.recall("default", [RECORD])[0]))

    async with await scene.road.serve(call("who is in bed 4?", labels=["phi"], stream=True)) as answer:
        hear(answer.body)
        if passed_on:
            await answer.pass_on(hear)
        else:
            while piece := await answer.piece():
                hear(piece)
    assert known_at_end == [True]


# ------------------------------------------------------------------------------------------------- the whole of labels


def _passage(text: str = "a text", **fields: Any) -> Passage:
    known: dict[str, Any] = {"path": ("messages", 0, "content"), "message": 0, "frame": False, "declared": frozenset()}
    return Passage(text=text, **(known | fields))


def _mark(label: Label, *, exact: bool = True) -> Mark:
    return Mark(label, "detector", "words", 0, 1, "word", exact)


def _inspection(*stand: tuple[Passage, list[Mark]], declared: Sequence[Label] = ()) -> Inspection:
    return Inspection(
        tenant="default",
        conversation="c",
        declared=tuple(Labelled(name, "header") for name in declared),
        passages=[passage for passage, _ in stand],
        marks=[tuple(marks) for _, marks in stand],
    )


def test_every_source_of_labels_counts() -> None:
    inspection = _inspection(
        (_passage(declared=frozenset({PHI})), []),
        (_passage(), [_mark(PII)]),
        declared=[INTERNAL],
    )
    assert inspection.direct() == {PHI, PII, INTERNAL}


def test_only_what_is_nothing_but_exact_stretches_can_be_taken_off() -> None:
    found = (_passage(), [_mark(PII)])
    assert _inspection(found).lowerable(RULES) == {PII}
    assert not _inspection(found, declared=[PII]).lowerable(RULES)
    assert not _inspection(found, (_passage(declared=frozenset({PII})), [])).lowerable(RULES)
    assert not _inspection(found, (_passage(), [_mark(PII, exact=False)])).lowerable(RULES)
    assert not _inspection(found, (_passage(fixed=True), [_mark(PII)])).lowerable(RULES)
    assert not _inspection((_passage(), [_mark(PHI)])).lowerable(RULES)


def test_what_sticks_to_a_passage() -> None:
    def sticky(passage: Passage, *marks: Mark, declared: Sequence[Label] = ()) -> frozenset[Label]:
        return _inspection((passage, list(marks)), declared=declared).sticky(0, RULES)

    assert sticky(_passage(), declared=[INTERNAL]) == {INTERNAL}
    assert sticky(_passage(frame=True), declared=[INTERNAL]) == frozenset()
    assert sticky(_passage(declared=frozenset({PHI}))) == {PHI}
    assert sticky(_passage(), _mark(PHI)) == {PHI}
    assert sticky(_passage(), _mark(PII)) == frozenset()
    assert sticky(_passage(), _mark(PII, exact=False)) == {PII}
    recognised = replace(_mark(PHI, exact=False), source="lineage")
    assert sticky(_passage(), recognised) == frozenset()


async def test_what_is_redacted_is_not_put_back() -> None:
    rules = policy(rule("pii", detect=frozenset({"email"}), kinds=frozenset({"email"}), needs=OWN, lower="redact"))
    scene = Scene(GPT, rules=rules)
    answer = await scene.ask(call(f"write to {EMAIL}"))
    assert answer == "write to [EMAIL]"


def test_tenant_and_conversation_do_not_run_into_one_another() -> None:
    one = Pseudonyms(b"k", tenant="ab", conversation="c").stand_in("email", EMAIL)
    other = Pseudonyms(b"k", tenant="a", conversation="bc").stand_in("email", EMAIL)
    assert one != other


def test_a_code_holds_no_part_of_its_value() -> None:
    for number in range(1000, 1400):
        stand_in = Pseudonyms(b"k", tenant="t", conversation=str(number)).stand_in("pin", "1")
        assert "1" not in stand_in


# ------------------------------------------------------------------------------------------------------------ the gate


async def _looked_at(gate: Gate, body: bytes) -> Inspection:
    return await gate.perimeter.inspect(
        body,
        tenant="default",
        conversation="c",
        workload=Workload(name="w", offers=("gpt",)),
        declared=(),
        offers=[GPT],
        origin=None,
    )


def _gate(rules: Policy = RULES, *detectors: Detector) -> Gate:
    return Gate(Perimeter(policy=rules, detectors=detectors or (WORDS,), key=b"k" * 32))


def test_the_gate_makes_no_crossing_to_an_offer_that_is_not_cleared() -> None:
    request = WireRequest("/x", b"{}")
    with pytest.raises(PerimeterDenied):
        _gate().cross(GPT, request, direct=frozenset({PHI}))
    implying = policy(
        rule("legal", needs=Needs(side=frozenset({"closed"})), implies=frozenset({PHI})), rule("phi", needs=OWN)
    )
    with pytest.raises(PerimeterDenied):
        _gate(implying).cross(GPT, request, direct=frozenset({Label("legal")}))


async def test_declared_labels_are_held_against_the_rules_of_the_moment() -> None:
    loose = policy(rule("internal", needs=Needs(side=frozenset({"closed"}))))
    gate = _gate(loose)
    inspection = await _looked_at(gate, body_of("hello"))
    crossing = gate.cross(GPT, WireRequest("/x", body_of("hello")), inspection, direct=frozenset({INTERNAL}))
    await gate.check(crossing)
    gate.perimeter = Perimeter(policy=policy(rule("internal", needs=OWN)), key=b"k" * 32)
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing)
    implying = rule("internal", needs=Needs(side=frozenset({"closed"})), implies=frozenset({PHI}))
    gate.perimeter = Perimeter(policy=policy(implying, rule("phi", needs=OWN)), key=b"k" * 32)
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing)


@pytest.mark.parametrize("parts", [["my code is zx81"], ["my code is zx", "81"]], ids=["in one part", "in two"])
async def test_content_is_held_against_the_rules_of_the_moment(parts: list[str]) -> None:
    gate = _gate(policy(rule("phi", needs=OWN)), WordDetector({"code": "zx81"}))
    content = [{"type": "text", "text": part} for part in parts]
    body = msgspec.json.encode({"model": "w", "messages": [{"role": "user", "content": content}]})
    inspection = await _looked_at(gate, body)
    crossing = gate.cross(GPT, WireRequest("/x", body), inspection)
    await gate.check(crossing)
    gate.perimeter = replace(gate.perimeter, policy=policy(rule("phi", kinds=frozenset({"code"}), needs=OWN)))
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing)


async def test_what_was_read_before_there_were_rules_is_held() -> None:
    gate = Gate()
    crossing = gate.cross(GPT, WireRequest("/x", body_of("hello")))
    await gate.check(crossing)
    gate.perimeter = _gate().perimeter
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing)
    await gate.check(gate.cross(replace(GPT, clearance=Clearance(everything=True)), crossing.request))


async def test_rules_that_change_while_the_gate_looks_hold() -> None:
    gate = _gate(policy(rule("phi", needs=OWN)), WordDetector({"code": "zx81"}))
    inspection = await _looked_at(gate, body_of("hello"))
    stricter = replace(gate.perimeter, policy=policy(rule("phi", kinds=frozenset({"code"}), needs=OWN)))

    class Reloading(WordDetector):
        @override
        def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
            gate.perimeter = stricter
            return super().find(texts)

    gate.perimeter = replace(gate.perimeter, detectors=[Reloading({"code": "zx81"})])
    with pytest.raises(PerimeterDenied):
        await gate.check(gate.cross(GPT, WireRequest("/x", body_of("my code is zx81")), inspection))


async def test_a_body_that_was_not_lowered_after_all_is_held() -> None:
    gate = _gate()
    body = body_of(f"write to {EMAIL}")
    inspection = await _looked_at(gate, body)
    pii = frozenset({PII})
    crossing = gate.cross(GPT, WireRequest("/x", body), inspection, direct=pii, lowered=pii)
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing)


async def test_a_detector_that_fails_at_the_gate_holds_the_request() -> None:
    detector = WordDetector(WORDS.patterns)
    gate = _gate(RULES, detector)
    inspection = await _looked_at(gate, body_of("hello"))
    detector.error = RuntimeError()
    with pytest.raises(PerimeterDenied):
        await gate.check(gate.cross(GPT, WireRequest("/x", body_of("hello there")), inspection))


async def test_nothing_but_a_stand_in_is_excused_at_the_gate() -> None:
    gate = _gate()
    inspection = await _looked_at(gate, body_of("hello"))

    def crossing(said: str) -> Crossing:
        return gate.cross(GPT, WireRequest("/x", body_of(said)), inspection, stand_ins=frozenset({"x@y.example"}))

    await gate.check(crossing("write to x@y.example"))
    with pytest.raises(PerimeterDenied):
        await gate.check(crossing(f"write to {EMAIL}"))


async def test_an_inexact_finding_is_not_excused_at_the_gate() -> None:
    gate = _gate(RULES, WordDetector({"illness": "x@y.example"}, exact=False))
    inspection = await _looked_at(gate, body_of("hello"))
    request = WireRequest("/x", body_of("x@y.example"))
    with pytest.raises(PerimeterDenied):
        await gate.check(gate.cross(GPT, request, inspection, stand_ins=frozenset({"x@y.example"})))


async def test_implied_labels_of_what_is_found_at_the_gate_count() -> None:
    rules = policy(
        rule("legal", kinds=frozenset({"mark"}), needs=Needs(side=frozenset({"closed"})), implies=frozenset({PHI})),
        rule("phi", needs=OWN),
    )
    gate = _gate(rules, WordDetector({"mark": "privileged"}))
    inspection = await _looked_at(gate, body_of("hello"))
    with pytest.raises(PerimeterDenied):
        await gate.check(gate.cross(GPT, WireRequest("/x", body_of("privileged")), inspection))


# ------------------------------------------------------------------------------------------------------------ the road


@pytest.mark.parametrize("rules", [policy(), policy(rule("phi", needs=OWN))], ids=["no rules", "rules"])
async def test_a_crossing_says_what_it_carries(rules: Policy) -> None:
    scene = Scene(offer("gpt", clearance=Clearance(frozenset({INTERNAL}))), rules=rules, detectors=())
    await scene.ask(call("hello", labels=["internal"]))
    [attempt] = scene.ledger.entry.attempts
    assert attempt.labels == ("internal",)


async def test_a_strict_label_that_was_taken_off_is_on_record_too() -> None:
    rules = policy(rule("pii", kinds=frozenset({"email"}), needs=OWN, lower="pseudonymise", strict=True))
    scene = Scene(GPT, rules=rules)
    await scene.ask(call(f"write to {EMAIL}"))
    [note] = scene.ledger.crossings
    assert note.lowered == ("pii",)


def test_labels_of_workload_and_metadata_are_joined() -> None:
    workload = Workload(name="w", offers=("gpt",), labels=frozenset({INTERNAL}))
    roster = Roster(offers={"gpt": GPT}, workloads={"w": workload}, default_workload="w", version="v1")
    asked = call("hello", labels=["phi"], metadata={"isthmus-labels": "pii"})
    labels = read(asked, CHAT.read_facts(asked.body), roster).labels
    assert {str(found.label): found.source for found in labels} == {
        "phi": "header",
        "internal": "workload",
        "pii": "metadata",
    }


# --------------------------------------------------------------------------------------------------------- at the edges


@pytest.mark.parametrize(
    "message",
    [
        b'{"role":"user","content":"he has measles","content":"hello"}',
        b'{"role":"user","content":"hello","content":"he has measles"}',
        b'{"role":"user","content":"he has measles","\\u0063ontent":"hello"}',
        b'{"role":"user","content":[{"type":"text","text":"he has measles","text":"hello"}]}',
    ],
)
async def test_a_name_that_is_said_twice_anywhere_in_a_body_is_refused(message: bytes) -> None:
    scene = Scene(GPT)
    twice = replace(call("hello"), body=b'{"model":"w","messages":[%b]}' % message)
    with pytest.raises(InvalidRequest, match="twice"):
        await scene.ask(twice)
    assert scene.sender.asked == []


@pytest.mark.parametrize("value", [b"[" * 100_000, b"1" * 5000, b"1e999999", b'"\\ud800"'])
async def test_what_cannot_be_looked_at_is_refused_not_passed(value: bytes) -> None:
    scene = Scene(GPT)
    body = b'{"model":"w","messages":[{"role":"user","content":"hello"}],"x":%b}' % value
    with pytest.raises((InvalidRequest, PerimeterDenied)):
        await scene.ask(replace(call("hello"), body=body))
    assert scene.sender.asked == []


async def test_the_sender_asks_the_gate_before_a_byte_leaves() -> None:
    connections: list[object] = []
    server = await asyncio.start_server(lambda *streams: connections.append(streams), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = HttpSender(Gate())
    forged = Crossing(
        offer("there", base_url=f"http://127.0.0.1:{port}"), WireRequest("/x", b"{}"), frozenset(), frozenset(), None
    )
    try:
        with pytest.raises(PerimeterDenied):
            async with asyncio.timeout(2):
                await sender.send(forged)
        await asyncio.sleep(0.01)
    finally:
        await sender.aclose()
        server.close()
        await server.wait_closed()
    assert connections == []


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai-chat", {"model": "w", "messages": [{"role": "user", "content": "hi"}]}),
        ("anthropic-messages", {"model": "w", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}),
    ],
)
def test_labels_in_the_metadata_of_every_dialect_count(dialect: str, body: dict[str, Any]) -> None:
    body["metadata"] = {"isthmus-labels": "phi, pii"}
    facts = dialect_of(dialect).read_facts(msgspec.json.encode(body))
    assert facts.labels == {PHI, PII}


@pytest.mark.parametrize("form", ["openai-chat", "openai-responses", "anthropic-messages", "openai-embeddings"])
def test_a_misspelt_label_in_the_metadata_is_refused_in_every_dialect(form: str) -> None:
    said = {"messages": [{"role": "user", "content": "hi"}], "input": "hi", "max_tokens": 1}
    body = msgspec.json.encode({"model": "w", "metadata": {"Isthmus_Label": "phi"}, **said})
    with pytest.raises(InvalidRequest, match="isthmus"):
        form_of(form).read_facts(body)


def test_what_metadata_says_to_us_is_not_sent() -> None:
    body = body_of("hi", metadata={"isthmus-labels": "phi", "theirs": "x"})
    sent = msgspec.json.decode(CHAT.retarget(body, CHAT.read_facts(body), model="m"))
    assert sent["metadata"] == {"theirs": "x"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"w","messages":[{"role":"user","content":"hi"}],"metadata":{"isthmus-labels":"phi","isthmus-labels":""}}',
        b'{"model":"w","metadata":{"isthmus-labels":"phi"},"messages":[{"role":"user","content":"hi"}],"metadata":{}}',
    ],
)
def test_a_body_that_says_a_name_twice_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        CHAT.read_facts(body)


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="UTF-8"):
        CHAT.read_facts(b'{"model":"w","messages":[{"role":"user","content":"\xff"}]}')


def test_a_vendors_offer_behind_a_proxy_of_this_machine_is_cleared_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(
        '[offers.gpt]\nmodel = "gpt-5.4-mini"\nprovider = "openai-compatible"\nside = "closed"\n'
        'url = "http://127.0.0.1:9/v1"\n'
    )
    clearance = load(file).offers["gpt"].clearance
    assert not clearance.everything
    assert not clearance.labels


async def test_nothing_but_loopback_is_served_without_a_key() -> None:
    settings = SimpleNamespace(server=SimpleNamespace(is_loopback=False, host="0.0.0.0"))
    app = SimpleNamespace(settings=settings, keyring=KeyRing({}, open_without_keys=False))
    with pytest.raises(ConfigError, match="no key exists"):
        await serve(cast("App", app))
