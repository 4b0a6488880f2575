"""Random requests, faults and reloads, for as long as one likes: no canary reaches an offer that is not cleared for it.

The oracle is independent of the road: it knows which labels each canary was given, and asks the rules about every offer
in whose received bytes the canary stands. `make prove` runs 100,000 crossings, `make test` some hundreds.
"""

import asyncio
import base64
import hashlib
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.rules import NAMES, WordDetector, needs, offer, policy
from tests.fakes.rules import rule as label_rule
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, FakeSender, completion, delta
from typing_extensions import override

from isthmus.dialects.registry import dialect_of
from isthmus.domain.errors import IsthmusError, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.principal import Principal
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Policy
from isthmus.routing.answer import Call
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

CROSSINGS = int(os.environ.get("ISTHMUS_PROVE_CROSSINGS", "400"))
_STEPS = 40
PHASES = [Phase.generate, Phase.shrink] if "ISTHMUS_PROVE_SHRINK" in os.environ else [Phase.generate]

T = TypeVar("T")

WORD_OF = {name: f"{name}word" for name in NAMES}
"""What a detector takes for the sign of a label."""
OFFERS = {
    one.name: one
    for one in (
        offer("home", side="own", clearance=Clearance(everything=True)),
        offer("rack", side="own", region="CH", jurisdiction="CH", retention_days=0, training="never", evidence="E4"),
        offer("euro", side="hosted", region="EU", jurisdiction="EU", retention_days=0, training="never", evidence="E3"),
        offer("gpt", region="US", jurisdiction="US", retention_days=30, training="opt-out", evidence="E1"),
        offer("claude", dialect="anthropic-messages", clearance=Clearance(frozenset({Label("internal")}))),
    )
}


@dataclass(frozen=True)
class Canary:
    text: str
    tenant: str
    labels: frozenset[Label]


@st.composite
def rules(draw: st.DrawFn) -> Policy:
    """Rules for all labels: each is found by a word of its own, and sticks."""
    return policy(
        *(
            label_rule(
                name,
                needs=draw(st.none() | needs),
                kinds=frozenset({name}),
                lower=draw(st.sampled_from([None, "redact", "pseudonymise"])),
                implies=draw(st.frozensets(st.sampled_from(NAMES), max_size=1)),
            )
            for name in NAMES
        )
    )


def canary_text(seed: int) -> str:
    """96 letters and digits that stand nowhere else."""
    return base64.b32encode(hashlib.shake_128(seed.to_bytes(16, "big")).digest(60)).decode().lower()


class Machine(RuleBasedStateMachine):
    """One isthmus with rules, its offers, and clients that send what they should not."""

    crossings = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.loop = asyncio.new_event_loop()
        self.canaries: list[Canary] = []
        self.checked = 0

    @initialize(pool=st.lists(rules(), min_size=4, max_size=4))
    def begin(self, pool: list[Policy]) -> None:
        self.pool = pool
        self.policy = first = pool[0]
        self.lineage = lineage = Lineage(
            FingerprintFile(Path(self.folder.name) / "lineage.db"), b"k" * 32, clock=lambda: 1e9
        )
        detector = WordDetector({str(name): rf"(?i){word}\d*" for name, word in WORD_OF.items()})
        self.perimeter = Perimeter(policy=first, detectors=[detector], lineage=lineage, key=b"k" * 32)
        self.gate = Gate(self.perimeter)
        self.sender = FakeSender({name: [completion()] for name in OFFERS}, guard=self.gate)
        self.judged: list[tuple[str, bytes, Policy]] = []
        orders = {
            "out": ("gpt", "claude", "euro", "rack", "home"),
            "in": ("home", "rack"),
            "mixed": ("claude", "rack", "gpt"),
        }
        workloads = {name: Workload(name=name, offers=offers, attempts=6) for name, offers in orders.items()}
        roster = Roster(offers=OFFERS, workloads=workloads, default_workload="out", version="v1")
        self.road = Road(roster, self.sender, MemoryRecorder(), self.gate, draw=lambda: 0.0)

    @override
    def teardown(self) -> None:
        self.loop.close()
        self.lineage.close()
        self.folder.cleanup()

    # ------------------------------------------------------------------------------------------------------- rules

    @rule(
        labels=st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=2),
        way=st.sampled_from(["header", "metadata", "part", "workload"]),
        tenant=st.sampled_from(["default", "other"]),
        model=st.sampled_from(["out", "mixed", *OFFERS]),
        stream=st.booleans(),
        faults=st.lists(st.sampled_from(["down", "500", "429", "reload", "dies"]), max_size=3),
        fresh=st.integers(0, 3),
    )
    def new_canary(
        self,
        labels: frozenset[Label],
        way: str,
        tenant: str,
        model: str,
        stream: bool,
        faults: list[str],
        fresh: int,
    ) -> None:
        """A text comes with its labels for the first time."""
        canary = Canary(canary_text(len(self.canaries)), tenant, labels)
        self.canaries.append(canary)
        part: dict[str, Any] = {"type": "text", "text": f"Look at this: {canary.text}."}
        extra: dict[str, Any] = {}
        named: tuple[Labelled, ...] = ()
        if way == "part":
            part["isthmus_labels"] = sorted(labels)
        elif way == "metadata":
            extra["metadata"] = {"isthmus-labels": ",".join(sorted(labels))}
        else:
            named = tuple(Labelled(name, "header") for name in sorted(labels))
        self.ask([{"role": "user", "content": [part]}], tenant, model, stream, faults, fresh, named, extra)

    @rule(
        data=st.data(),
        shape=st.sampled_from(["plain", "quoted", "upper", "json", "split", "tool", "history", "unknown", "base"]),
        model=st.sampled_from(["out", "mixed", *OFFERS]),
        stream=st.booleans(),
        faults=st.lists(st.sampled_from(["down", "500", "429", "reload", "dies"]), max_size=3),
        fresh=st.integers(0, 3),
    )
    def old_canary(
        self, data: st.DataObject, shape: str, model: str, stream: bool, faults: list[str], fresh: int
    ) -> None:
        """The text comes again, without a word of its labels."""
        if not self.canaries:
            return
        canary = data.draw(st.sampled_from(self.canaries))
        messages, extra = shaped(canary.text, shape)
        self.ask(messages, canary.tenant, model, stream, faults, fresh, (), extra)

    @rule(
        name=st.sampled_from(NAMES),
        number=st.integers(10**6, 10**7),
        shape=st.sampled_from(["plain", "tool", "history", "unknown", "system"]),
        model=st.sampled_from(["out", "mixed", *OFFERS]),
        stream=st.booleans(),
        faults=st.lists(st.sampled_from(["down", "500", "429", "reload", "dies"]), max_size=3),
        fresh=st.integers(0, 3),
    )
    def found_canary(
        self, name: Label, number: int, shape: str, model: str, stream: bool, faults: list[str], fresh: int
    ) -> None:
        """A text comes that a detector knows."""
        canary = Canary(f"{WORD_OF[name]}{number}", "default", frozenset({name}))
        self.canaries.append(canary)
        messages, extra = shaped(canary.text, shape)
        self.ask(messages, "default", model, stream, faults, fresh, (), extra)

    @rule(fresh=st.integers(0, 3))
    def reload(self, fresh: int) -> None:
        self.put_in_force(fresh)

    # ---------------------------------------------------------------------------------------------------- the oracle

    @invariant()
    def nothing_has_crossed(self) -> None:
        for name, body, in_force in self.judged[self.checked :]:
            text = body.decode().lower()
            for canary in self.canaries:
                if canary.text in text:
                    missing = in_force.missing(OFFERS[name], in_force.closure(canary.labels))
                    assert not missing, f"{name} was sent a text labelled {sorted(canary.labels)}: {missing}"
        self.checked = len(self.judged)

    # -------------------------------------------------------------------------------------------------------- inside

    def put_in_force(self, fresh: int) -> None:
        self.policy = self.pool[fresh]
        self.gate.perimeter = self.perimeter = replace(self.perimeter, policy=self.policy)

    def ask(
        self,
        messages: list[dict[str, Any]],
        tenant: str,
        model: str,
        stream: bool,
        faults: list[str],
        fresh: int,
        labels: tuple[Labelled, ...],
        extra: dict[str, Any],
    ) -> None:
        left = list(faults)

        def behave(to: Offer, request: Any) -> FakeResponse:
            self.judged.append((to.name, request.body, self.policy))
            type(self).crossings += 1
            fault = left.pop() if left else ""
            if fault == "reload":
                self.put_in_force(fresh)
            if fault == "down":
                raise UpstreamUnreachable("down")
            if fault in {"500", "429"}:
                return FakeResponse(status=int(fault), pieces=[b"{}"])
            if to.dialect != "openai-chat":
                return FakeResponse(status=529, pieces=[b"{}"])
            said = msgspec.json.encode(request.body.decode()[-200:]).decode()
            if stream:
                pieces: list[Any] = [delta(said[:90]), delta(said[90:]), delta("", "stop"), USAGE, DONE]
                return FakeResponse(pieces=pieces[:2] if fault == "dies" else pieces)
            return completion(said)

        behaviours: list[Behaviour] = [behave]
        self.sender.behaviours = dict.fromkeys(OFFERS, behaviours)
        self.road.health = type(self.road.health)()
        body = {"model": model, "messages": messages, "stream": stream, "max_tokens": 20, **extra}
        call = Call(
            form=dialect_of("openai-chat"),
            body=msgspec.json.encode(body),
            principal=Principal(tenant=tenant),
            labels=labels,
            arrived=0.0,
        )
        self.run(self.served(call))

    async def served(self, call: Call) -> None:
        try:
            async with await self.road.serve(call) as answer:
                while answer.streamed and await answer.piece():
                    pass
        except IsthmusError as exc:
            told = exc.sentence
            assert not any(canary.text in told.lower() for canary in self.canaries), told

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def shaped(text: str, shape: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A request that brings the text in some way."""
    half = len(text) // 2
    user: dict[str, Any] = {"role": "user", "content": f"About {text} then."}
    match shape:
        case "quoted":
            user["content"] = "> " + "\n> ".join(text[at : at + 20] for at in range(0, len(text), 20))
        case "upper":
            user["content"] = f"**{text.upper()}**"
        case "json":
            user["content"] = msgspec.json.encode({"a": [text]}).decode()
        case "split":
            user["content"] = [{"type": "text", "text": part} for part in (text[:half], text[half:])]
        case "tool":
            call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": f'{{"x":"{text}"}}'}}
            return [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": text},
            ], {}
        case "history":
            return [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": f"It says {text}"},
                {"role": "user", "content": "go on"},
            ], {}
        case "unknown":
            return [{"role": "user", "content": "hello"}], {"unheard_of": {"deep": [text]}}
        case "system":
            return [{"role": "system", "content": text}, {"role": "user", "content": "hello"}], {}
        case "base":
            user["content"] = text.replace("", "-")
        case _:
            pass
    return [user], {}


def test_no_canary_reaches_an_offer_that_is_not_cleared() -> None:
    Machine.crossings = 0
    rounds = 0
    while Machine.crossings < CROSSINGS:
        rounds += 1
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=max(8, min(1000, CROSSINGS // 25)),
                stateful_step_count=_STEPS,
                deadline=None,
                phases=PHASES,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"\n{Machine.crossings:,} crossings, no canary where it may not be")
