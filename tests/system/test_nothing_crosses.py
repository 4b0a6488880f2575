"""Random requests, faults and reloads, for as long as one likes: no canary reaches an offer that is not cleared for it.

Requests come in every form, one by one, the same several times at once, going on from earlier answers, and in batches;
the offers speak every dialect, are slow, fail, break off in mid-stream; what was said is kept and given again. The
oracle is independent of the road: it knows which labels each canary was given, asks the rules about every offer in
whose received bytes the canary stands, and knows for whom each answer was made.

`make prove` runs 100,000 crossings, `make test` some hundreds.
"""

import asyncio
import base64
import hashlib
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.fakes.asking import FORMS, STREAMED, Asked, ask, shaped
from tests.fakes.keeper import MemoryKeeper
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.rules import NAMES, WordDetector, needs, offer, policy
from tests.fakes.rules import rule as label_rule
from tests.fakes.sender import FakeResponse, FakeSender
from tests.fakes.speaking import Speech, Spoken, speak
from typing_extensions import override

from isthmus.batches.batch import Batch
from isthmus.batches.batches import Batches
from isthmus.batches.endpoints import FORM_OF, OPENAI_ENDPOINTS
from isthmus.batches.limits import BatchLimits
from isthmus.dialects.registry import FORMS as ALL_FORMS
from isthmus.dialects.registry import form_of
from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.entry import Entry
from isthmus.domain.errors import IsthmusError, NotFound, UpstreamUnreachable
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.offer import Capabilities, Offer, Workload
from isthmus.domain.principal import Key, Principal
from isthmus.domain.usage import Usage
from isthmus.ledger.batches import SqlBatchStore
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.ledger.store import Store, open_store
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Policy
from isthmus.routing.answer import Answer, Call
from isthmus.routing.health import HealthBoard
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

CROSSINGS = int(os.environ.get("ISTHMUS_PROVE_CROSSINGS", "400"))
_STEPS = 40
_AT_A_TIME = 1000
"""Examples of a run of the state machine."""
PHASES = [Phase.generate, Phase.shrink] if "ISTHMUS_PROVE_SHRINK" in os.environ else [Phase.generate]

T = TypeVar("T")

WORD_OF = {name: f"{name}word" for name in NAMES}
"""What a detector takes for the sign of a label."""
TENANTS = ("default", "other")

_ABLE = Capabilities(prefill="yes", embeddings="yes", moderation="yes")
_CAREFUL: dict[str, Any] = {"retention_days": 0, "training": "never"}
OFFERS = {
    one.name: replace(one, capabilities=_ABLE)
    for one in (
        offer("home", side="own", clearance=Clearance(everything=True), also=("openai-responses",)),
        offer("rack", side="own", region="CH", jurisdiction="CH", evidence="E4", **_CAREFUL),
        offer(
            "euro",
            side="hosted",
            dialect="gemini-generate",
            region="EU",
            jurisdiction="EU",
            evidence="E3",
            **_CAREFUL,
        ),
        offer(
            "gpt",
            also=("openai-responses",),
            region="US",
            jurisdiction="US",
            retention_days=30,
            training="opt-out",
            evidence="E1",
        ),
        offer("answers", dialect="openai-responses", region="US", retention_days=30, evidence="E2"),
        offer("claude", dialect="anthropic-messages", clearance=Clearance(frozenset({Label("internal")}))),
        *(
            offer(name, side="own", dialect=dialect, clearance=Clearance(everything=True))
            for name, dialect in (
                ("cabin", "anthropic-messages"),
                ("cave", "gemini-generate"),
                ("cellar", "openai-responses"),
            )
        ),
    )
}
_ALL = ("gpt", "claude", "euro", "answers", "rack", "cabin", "home")
WORKLOADS = {
    one.name: replace(one, attempts=6)
    for one in (
        Workload(name="out", offers=_ALL),
        Workload(name="in", offers=("home", "rack", "cellar")),
        Workload(name="mixed", offers=("claude", "rack", "gpt"), mid_stream="fail"),
        Workload(name="house", offers=("gpt", "euro", "cave"), labels=frozenset({Label("internal")})),
        Workload(name="again", offers=_ALL, cache_seconds=60.0),
        Workload(name="hasty", offers=("claude", "cave", *_ALL), hedge_after=0.001),
        Workload(name="on", offers=("cabin", "rack", "answers", "gpt", "euro", "home"), mid_stream="continue"),
        Workload(name="kept", offers=("cellar", *_ALL), keep_days=1.0, mid_stream="continue"),
        Workload(
            name="all",
            offers=("euro", "cave", "gpt", "cabin", "rack", "cellar", "claude", "home"),
            cache_seconds=60.0,
            hedge_after=0.001,
            mid_stream="continue",
        ),
        Workload(
            name="kept-all",
            offers=("home", "gpt", "cabin", "rack", "euro"),
            keep_days=1.0,
            cache_seconds=60.0,
            hedge_after=0.001,
            mid_stream="continue",
        ),
    )
}
_KEPT_ID = re.compile(rb"resp_[0-9a-f]{27}")


@dataclass(eq=False, kw_only=True)
class Canary:
    """A text that stands nowhere else."""

    text: str
    labels: frozenset[Label] = frozenset()
    """Declared for it, or for what it was made from."""
    tenants: set[str] = field(default_factory=set)
    """For whom it has its labels."""
    kind: str | None = None
    """By which a detector knows it, whose text it ever is."""
    made_for: str | None = None
    """The tenant for whom an offer said it; None: no offer did."""

    @property
    def is_long(self) -> bool:
        """Whether it is recognised without a word of its labels."""
        return len(self.text) > 90

    def labels_in(self, rules: Policy, tenant: str) -> frozenset[Label]:
        """The labels it bears in a request of a tenant."""
        found = self.labels if tenant in self.tenants else frozenset()
        return found | frozenset(rules.labels_of_kind.get(self.kind, ())) if self.kind is not None else found


@dataclass(eq=False, kw_only=True)
class Serving:
    """A request on the road."""

    call: Call
    begun: list[str] = field(default_factory=list)
    """Offers to which a crossing was handed to the sender, in order."""
    answers: list[FakeResponse] = field(default_factory=list)
    request: str | None = None
    told: bytes = b""
    """What the client was sent."""

    @property
    def tenant(self) -> str:
        return self.call.principal.tenant


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Bytes that an offer was sent."""

    offer: str
    text: str
    tenant: str
    rules: Policy
    """In force when they left."""


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What happens meanwhile."""

    faults: tuple[str, ...] = ()
    """One for each try, from the last."""
    fresh: int = 0
    """The rules that come with a reload."""
    leaves_after: int | None = None
    """Pieces of a stream after which the client leaves."""


_FAULTS = ["down", "500", "429", "dies", "slow", "reload", "down reload", "500 reload", "dies reload", "slow reload"]
storms = st.builds(
    Storm,
    faults=st.lists(st.sampled_from(_FAULTS), max_size=3).map(tuple),
    fresh=st.integers(0, 3),
    leaves_after=st.sampled_from([None, None, None, 0, 2]),
)
forms = st.sampled_from(FORMS) | st.sampled_from(sorted(STREAMED))
models = st.sampled_from([*WORKLOADS, *WORKLOADS, *OFFERS])
tenants = st.sampled_from(TENANTS)
label_sets = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=2)
shapes = st.sampled_from(["plain", "quoted", "upper", "json", "split", "tool", "history", "unknown", "base", "system"])
picks = st.integers(0, 1000)
"""Which of several things, by number: how many there are may hang on the clock, and what is drawn may not."""
_ON_THE_ROAD: ContextVar[Serving] = ContextVar("serving")


_needs = needs.map(lambda some: replace(some, offers=frozenset()))
"""Without those that name offers, which are none of these."""


@st.composite
def rules(draw: st.DrawFn, version: str) -> Policy:
    """Rules for all labels: most are found by a word of their own, and all stick."""
    made = policy(
        *(
            label_rule(
                name,
                needs=draw(st.none() | _needs),
                kinds=frozenset(draw(st.sampled_from([(name,), (name,), (name,), ()]))),
                lower=draw(st.sampled_from([None, "redact", "pseudonymise"])),
                implies=draw(st.frozensets(st.sampled_from(NAMES), max_size=1)),
            )
            for name in NAMES
        )
    )
    return Policy(made.rules, version)


pools = st.tuples(*(rules(f"v{number}") for number in range(4)))


def canary_text(seed: int, *, short: bool = False) -> str:
    """96 letters and digits that stand nowhere else; of short ones 20, too few to be recognised."""
    text = base64.b32encode(hashlib.shake_128(seed.to_bytes(16, "big")).digest(60)).decode().lower()
    return text[:20] if short else text


@cache
def _fresh_store() -> Path:
    """A file with the tables of a store: to copy it takes a hundredth of the time of making it."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-store-"))
    made = open_store(f"sqlite:///{folder}/isthmus.db")
    made.fold_log()
    made.dispose()
    return folder / "isthmus.db"


class WatchedSender(FakeSender):
    """Also notes what it is handed, whether or not the gate lets it through."""

    @override
    async def send(self, crossing: Crossing) -> FakeResponse:
        serving = _ON_THE_ROAD.get()
        serving.begun.append(crossing.offer.name)
        answer = await super().send(crossing)
        serving.answers.append(answer)
        return answer


class WatchedRoad:
    """The road, for batches: notes which request is served."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self.roster = machine.road.roster
        self.refused = machine.road.refused

    async def serve(self, call: Call) -> Answer:
        return await self._machine.begin_to_serve(Serving(call=call))


class Machine(RuleBasedStateMachine):
    """One isthmus with rules, its offers, and clients that send what they should not."""

    tally: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.loop = asyncio.new_event_loop()
        self.canaries: list[Canary] = []
        self.known: list[Canary] = []
        """Those that clients have."""
        self.kept: list[tuple[str, str, str]] = []
        """Answers that are kept: id, tenant, workload."""
        self.servings: list[Serving] = []
        self.judged: list[Judged] = []
        self.store: Store | None = None
        self.left: list[str] = []
        self.storm = Storm()
        self.made = 0

    @initialize(pool=pools, remembers=st.sampled_from([True, True, False]))
    def begin(self, pool: tuple[Policy, ...], remembers: bool) -> None:
        """Where nothing is remembered, what was declared has to be carried along, and nothing else makes up for it."""
        self.pool = pool
        self.remembers = remembers
        self.policy = first = pool[0]
        self.lineage = lineage = Lineage(
            FingerprintFile(Path(self.folder.name) / "lineage.db"), b"k" * 32, clock=lambda: 1e9
        )
        detector = WordDetector({str(name): rf"(?i){word}\d*" for name, word in WORD_OF.items()})
        self.perimeter = Perimeter(
            policy=first, detectors=[detector], lineage=lineage if remembers else None, key=b"k" * 32
        )
        self.gate = Gate(self.perimeter)
        self.sender = WatchedSender({name: [self.behave] for name in OFFERS}, guard=self.gate)
        roster = Roster(offers=OFFERS, workloads=WORKLOADS, default_workload="out", version="v1")
        self.recorder = MemoryRecorder()
        self.keeper = MemoryKeeper()
        self.road = Road(roster, self.sender, self.recorder, self.gate, keeper=self.keeper, draw=lambda: 0.0)

    @override
    def teardown(self) -> None:
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self.lineage.close()
        if self.store is not None:
            self.store.dispose()
        self.folder.cleanup()

    # ------------------------------------------------------------------------------------------------------- rules

    @rule(
        labels=label_sets,
        way=st.sampled_from(["header", "metadata", "part"]),
        short=st.booleans(),
        tenant=tenants,
        form=forms,
        model=models,
        stream=st.booleans(),
        batch=st.booleans(),
        storm=storms,
    )
    def new_canary(
        self,
        labels: frozenset[Label],
        way: str,
        short: bool,
        tenant: str,
        form: str,
        model: str,
        stream: bool,
        batch: bool,
        storm: Storm,
    ) -> None:
        """A text comes with its labels for the first time."""
        canary = self.new(labels, tenant, short=short)
        asked = Asked.of(("user", ("Look at this.", f"It says {canary.text}.")))
        named: tuple[Labelled, ...] = ()
        if way == "part":
            asked = asked.labelled(frozenset(map(str, labels)))
        elif way == "metadata":
            asked = replace(asked, metadata={"isthmus-labels": ",".join(sorted(labels))})
        else:
            named = tuple(Labelled(name, "header") for name in sorted(labels))
        call = self.call(form, asked, model, tenant, stream=stream, labels=named, batch=batch)
        self.known.append(canary)
        self.serve([call], storm)

    @rule(
        pick=picks,
        shape=shapes,
        form=forms,
        model=models,
        stream=st.booleans(),
        batch=st.booleans(),
        storm=storms,
    )
    def old_canary(self, pick: int, shape: str, form: str, model: str, stream: bool, batch: bool, storm: Storm) -> None:
        """A text, or what an offer said about one, comes again without a word of its labels."""
        recognised = [canary for canary in self.known if canary.is_long and canary.tenants]
        if not recognised or not self.remembers:
            return
        canary = recognised[pick % len(recognised)]
        tenant = sorted(canary.tenants)[pick % len(canary.tenants)]
        self.serve([self.call(form, shaped(canary.text, shape), model, tenant, stream=stream, batch=batch)], storm)

    @rule(
        name=st.sampled_from(NAMES),
        number=st.integers(10**6, 10**7),
        shape=st.sampled_from(["plain", "tool", "history", "unknown", "system"]),
        tenant=tenants,
        form=forms,
        model=models,
        stream=st.booleans(),
        storm=storms,
    )
    def found_canary(
        self,
        name: Label,
        number: int,
        shape: str,
        tenant: str,
        form: str,
        model: str,
        stream: bool,
        storm: Storm,
    ) -> None:
        """A text comes that a detector knows."""
        canary = Canary(text=f"{WORD_OF[name]}{number}", kind=str(name))
        self.canaries.append(canary)
        self.serve([self.call(form, shaped(canary.text, shape), model, tenant, stream=stream)], storm)

    @rule(
        who=st.lists(st.tuples(tenants, st.sampled_from([True, True, False])), min_size=3, max_size=6),
        labels=label_sets,
        short=st.booleans(),
        form=forms,
        model=st.sampled_from(["again", "all", "kept-all", "out"]),
        stream=st.booleans(),
        storm=storms,
    )
    def all_at_once(
        self,
        who: list[tuple[str, bool]],
        labels: frozenset[Label],
        short: bool,
        form: str,
        model: str,
        stream: bool,
        storm: Storm,
    ) -> None:
        """Several ask the very same at once, and once more: of two tenants, and not all of them declare the labels."""
        canary = self.new(labels, short=short)
        asked = Asked.of(("user", f"All ask about {canary.text}."))
        calls = []
        for tenant, declares in who:
            named = [Labelled(name, "header") for name in sorted(labels)] if declares else []
            calls.append(self.call(form, asked, model, tenant, stream=stream, labels=named))
        # Who says nothing of the label is not promised that a short text is known, nor any before it was seen.
        canary.tenants = {tenant for tenant, _ in who} - {tenant for tenant, declares in who if not declares}
        self.serve(calls[:-1], storm)
        self.serve(calls[-1:], Storm(fresh=storm.fresh))

    @rule(
        anew=st.booleans(),
        short=st.booleans(),
        pick=picks,
        word=st.none() | st.sampled_from(NAMES),
        labels=label_sets,
        tenant=tenants,
        owner=tenants,
        model=st.sampled_from([*WORKLOADS, "kept", "kept", "kept-all"]),
        held=st.booleans(),
        stream=st.booleans(),
        storm=storms,
    )
    def go_on(
        self,
        anew: bool,
        short: bool,
        pick: int,
        word: Label | None,
        labels: frozenset[Label],
        tenant: str,
        owner: str,
        model: str,
        held: bool,
        stream: bool,
        storm: Storm,
    ) -> None:
        """A request goes on from an earlier answer by its id, of whatever tenant."""
        if anew or not self.kept:
            canary = self.new(labels, owner, short=short)
            self.known.append(canary)
            named = [Labelled(name, "header") for name in sorted(labels)]
            first = Asked.of(("user", f"To begin with, {canary.text}."))
            self.serve([self.call("openai-responses", first, "kept", owner, stream=stream, labels=named)], Storm())
        if not self.kept:
            return
        answer, owner, workload = self.kept[-1 - pick % min(len(self.kept), 8)]
        said = "And then?"
        if word is not None:
            said += f" {WORD_OF[word]}7654321"
            self.canaries.append(Canary(text=f"{WORD_OF[word]}7654321", kind=str(word)))
        asked = replace(Asked.of(("user", said)), previous=answer)
        call = self.call("openai-responses", asked, model, tenant, stream=stream)
        if held:
            call = replace(call, workloads=frozenset({model}))
        may = tenant == owner and (not held or workload == model)
        (serving,) = self.serve([call], storm)
        assert may or not serving.begun, "went on from an answer that it may not see"
        self.tally["gone on" if serving.begun else "went on in vain"] += 1
        seen = self.run(self.road.kept(call, answer))
        assert may or seen is None, "was shown an answer that it may not see"
        if storm.fresh == 3 and storm.faults:
            forgotten = self.run(self.road.forget(call, answer))
            assert may or not forgotten, "deleted an answer that it may not see"

    @rule(
        pick=picks,
        lines=st.integers(1, 3),
        model=models,
        endpoint=st.sampled_from(sorted(FORM_OF)),
        labels=label_sets,
        tenant=tenants,
        way=st.sampled_from(["file", "header", "key"]),
        workload=st.none() | st.sampled_from(sorted(WORKLOADS)),
        shape=shapes,
        storm=storms,
    )
    def a_batch(
        self,
        pick: int,
        lines: int,
        model: str,
        endpoint: str,
        labels: frozenset[Label],
        tenant: str,
        way: str,
        workload: str | None,
        shape: str,
        storm: Storm,
    ) -> None:
        """A batch of several lines: canaries that come with labels of the file, the batch or the key, and old ones."""
        if endpoint not in OPENAI_ENDPOINTS and way == "file":
            way = "header"
        form = FORM_OF[endpoint]
        named = [Labelled(name, "header") for name in sorted(labels)]
        asked = []
        for number in range(lines):
            canary = self.new(labels, tenant, short=bool(number % 2))
            self.known.append(canary)
            asked.append(Asked.of(("user", f"Line about {canary.text}.")))
        old = [canary for canary in self.known if canary.is_long and tenant in canary.tenants]
        if old and self.remembers:
            asked.append(shaped(old[pick % len(old)].text, shape))
        bodies = [ask(form, one, model).body for one in asked]
        key = Key(
            name=f"key-{tenant}",
            hash=hashlib.sha256(tenant.encode()).digest(),
            principal=Principal(tenant=tenant, key=f"key-{tenant}"),
            labels=labels if way == "key" else frozenset(),
        )
        self.begin_storm(Storm(faults=storm.faults[:1], fresh=storm.fresh))
        since = len(self.servings)
        told = self.run(self.batch(key, endpoint, bodies, way, named, workload))
        self.tally["batches"] += 1
        for serving in self.servings[since:]:
            assert serving.tenant == tenant
            self.tally["lines of batches"] += 1
        self.look_through(tenant, told)

    @rule(fresh=st.integers(0, 3))
    def reload(self, fresh: int) -> None:
        self.put_in_force(fresh)

    # ---------------------------------------------------------------------------------------------------- the oracle

    @invariant()
    def nothing_has_crossed(self) -> None:
        judged, self.judged = self.judged, []
        for one in judged:
            for canary in self.canaries:
                if canary.text not in one.text:
                    continue
                missing = one.rules.missing(
                    OFFERS[one.offer], one.rules.closure(canary.labels_in(one.rules, one.tenant))
                )
                assert not missing, f"{one.offer} was sent what it is not cleared for: {missing}"
                assert canary.made_for in {None, one.tenant}, "what was said to one tenant was sent out for another"

    @invariant()
    def every_request_has_its_entry(self) -> None:
        servings, self.servings = self.servings, []
        entries = Counter(str(entry.id) for entry in self.recorder.entries)
        by_id = {str(entry.id): entry for entry in self.recorder.entries}
        assert self.recorder.balanced
        assert entries.keys() == {serving.request for serving in servings}
        assert all(count == 1 for count in entries.values())
        for serving in servings:
            assert serving.request is not None
            self.check_entry(serving, by_id[serving.request])
        self.recorder.begun.clear()
        self.recorder.entries.clear()

    def check_entry(self, serving: Serving, entry: Entry) -> None:
        """Every attempt is in it, and what was paid for is, once."""
        attempts = [attempt.offer for attempt in entry.attempts]
        assert Counter(attempts) == Counter(serving.begun), (serving.begun, entry)
        for attempt in entry.attempts:
            if attempt.fate is not None:
                self.tally[f"tries {attempt.fate.replace('_', ' ')}"] += 1
        if entry.cached:
            assert not serving.begun
            assert entry.offer is not None
            self.tally["given again"] += 1
            rules = next(one for one in self.pool if one.version == entry.policy_version)
            asked = serving.call.body.decode().lower()
            for canary in self.canaries:
                if canary.text in asked:
                    labels = rules.closure(canary.labels_in(rules, serving.tenant))
                    missing = rules.missing(OFFERS[entry.offer], labels)
                    assert not missing, f"an answer of {entry.offer} was given again: {missing}"
        # Each answer of a request has a bit of its own for its tokens.
        counted = 0 if entry.usage is None else entry.usage.output
        if form_of(entry.dialect).operation == "complete":
            answers = [answer for answer in serving.answers if isinstance(answer, Spoken) and answer.tells is not None]
            sure = sum(answer.tells.output for answer in answers if answer.tells is not None and answer.told)
            perhaps = sum(answer.tells.output for answer in answers if answer.tells is not None and answer.taken)
            assert counted & sure == sure, ("paid for and not counted", counted, sure, entry)
            assert counted & ~perhaps == 0, ("counted and never told", counted, perhaps, entry)

    def look_through(self, tenant: str, told: bytes) -> None:
        """What a client is told was made for it."""
        text = told.decode().lower()
        for canary in self.canaries:
            if canary.made_for is not None and canary.text in text:
                assert canary.made_for == tenant, "what was said to one tenant was told another"
                if canary not in self.known:
                    self.known.append(canary)

    # -------------------------------------------------------------------------------------------------------- inside

    def new(self, labels: frozenset[Label], *tenants: str, short: bool = False) -> Canary:
        self.made += 1
        canary = Canary(text=canary_text(self.made, short=short), labels=labels, tenants=set(tenants))
        self.canaries.append(canary)
        return canary

    def put_in_force(self, fresh: int) -> None:
        self.policy = self.pool[fresh]
        self.gate.perimeter = self.perimeter = replace(self.perimeter, policy=self.policy)

    def begin_storm(self, storm: Storm) -> None:
        self.storm = storm
        self.left = list(storm.faults)
        self.road.health = HealthBoard()

    def behave(self, to: Offer, request: WireRequest) -> FakeResponse:
        """An offer is sent something: it repeats what it was sent, and says something nobody said before."""
        serving = _ON_THE_ROAD.get()
        text = request.body.decode().lower()
        self.judged.append(Judged(offer=to.name, text=text, tenant=serving.tenant, rules=self.policy))
        self.tally["crossings"] += 1
        self.tally[f"{serving.call.form.name} → {to.dialect}"] += 1
        self.tally["of low priority"] += serving.call.priority == "batch"
        fault = self.left.pop() if self.left else ""
        if "reload" in fault:
            self.put_in_force(self.storm.fresh)
        if "down" in fault:
            raise UpstreamUnreachable("down")
        if "500" in fault or "429" in fault:
            return FakeResponse(status=int(fault[:3]), pieces=[b"{}"])
        seen = [canary for canary in self.canaries if canary.text in text]
        bears = frozenset[Label]().union(*(c.labels for c in seen if serving.tenant in c.tenants))
        said = self.new(bears, serving.tenant)
        said.made_for = serving.tenant
        repeated = "; ".join(canary.text for canary in seen[-3:])
        return speak(
            to,
            request,
            Speech(
                texts=(f"You said {repeated} ", request.body.decode()[-90:], f"I say {said.text}"),
                usage=Usage(input=10, output=1 << len(serving.answers)),
                breaks_off="dies" in fault,
                late=0.004 if "slow" in fault else 0.0,
            ),
        )

    def call(
        self,
        form: str,
        asked: Asked,
        model: str,
        tenant: str,
        *,
        stream: bool,
        labels: Iterable[Labelled] = (),
        batch: bool = False,
    ) -> Call:
        made = ask(form, asked, model, stream=stream)
        return Call(
            form=form_of(form),
            body=made.body,
            principal=Principal(tenant=tenant),
            labels=tuple(labels),
            arrived=0.0,
            model=made.model,
            stream=made.stream,
            priority="batch" if batch else "interactive",
        )

    def serve(self, calls: Iterable[Call], storm: Storm) -> list[Serving]:
        """Serve calls, all at once."""
        self.begin_storm(storm)
        servings = [Serving(call=call) for call in calls]
        self.run(self.all_served(servings))
        for serving in servings:
            self.look_through(serving.tenant, serving.told)
        return servings

    async def all_served(self, servings: Iterable[Serving]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for serving in servings:
                tasks.create_task(self.served(serving))

    async def begin_to_serve(self, serving: Serving) -> Answer:
        _ON_THE_ROAD.set(serving)
        self.servings.append(serving)
        try:
            answer = await self.road.serve(serving.call)
        except IsthmusError as exc:
            serving.request = exc.request_id
            told = exc.sentence.lower()
            assert not any(canary.text in told for canary in self.canaries), told
            raise
        serving.request = answer.id
        return answer

    async def served(self, serving: Serving) -> None:
        leaves_after = self.storm.leaves_after
        with suppress(IsthmusError):
            async with await self.begin_to_serve(serving) as answer:
                serving.told = answer.body
                pieces = 0
                while answer.streamed and pieces != leaves_after and (piece := await answer.piece()):
                    serving.told += piece
                    pieces += 1
                if answer.offer is not None and (found := _KEPT_ID.search(serving.told)) is not None:
                    workload = serving.call.model or msgspec.json.decode(serving.call.body)["model"]
                    self.kept.append((found[0].decode(), serving.tenant, workload))

    async def batch(
        self,
        key: Key,
        endpoint: str,
        bodies: list[bytes],
        way: str,
        labels: list[Labelled],
        workload: str | None,
    ) -> bytes:
        """A batch from beginning to end. Returns what its owner is told."""
        if self.store is None:
            shutil.copy(_fresh_store(), self.folder.name)
            self.store = open_store(f"sqlite:///{self.folder.name}/isthmus.db")
        keys = {key.hash: key}
        batches = Batches(
            SqlBatchStore(self.store, bytes(32)),
            WatchedRoad(self),
            keys.get,
            limits=BatchLimits(tries=1, open=1000),
        )
        work = asyncio.create_task(batches.run())
        declared = labels if way == "header" else []
        try:
            if endpoint in OPENAI_ENDPOINTS:
                lines = [
                    b'{"custom_id":"%d","method":"POST","url":"%s","body":%s}\n' % (number, endpoint.encode(), body)
                    for number, body in enumerate(bodies)
                ]
                file = await batches.upload(
                    key, "lines.jsonl", b"".join(lines), labels=labels if way == "file" else declared
                )
                batch = await batches.create(
                    key, endpoint=endpoint, input_file=file.id, labels=declared, workload=workload
                )
            else:
                requests = [(str(number), body) for number, body in enumerate(bodies)]
                batch = await batches.create_messages(key, requests, labels=declared, workload=workload)
            batch = await self.ended(batches, key, batch)
            return await self.results(batches, key, batch)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def ended(self, batches: Batches, key: Key, batch: Batch) -> Batch:
        """The batch when it has ended; one that waits for offers to be well is cancelled."""
        for patience in range(200):
            batch = await batches.batch(key, batch.kind, batch.id)
            if not batch.open:
                return batch
            if patience == 60:
                with suppress(IsthmusError):
                    await batches.cancel(key, batch.kind, batch.id)
            await anyio.sleep(0.005)
        raise AssertionError("the batch does not end")

    async def results(self, batches: Batches, key: Key, batch: Batch) -> bytes:
        """All that a batch told its owner, and that nobody else is told of it."""
        stranger = replace(key, principal=Principal(tenant=next(name for name in TENANTS if name != batch.tenant)))
        with pytest.raises(NotFound):
            await batches.batch(stranger, batch.kind, batch.id)
        if batch.kind == "anthropic":
            with pytest.raises(NotFound):
                await batches.results(stranger, batch.id)
            return await batches.results(key, batch.id)
        told = b""
        for file in (batch.input_file, batch.output_file, batch.error_file):
            if file is not None:
                with pytest.raises(NotFound):
                    await batches.content(stranger, file)
                told += await batches.content(key, file)
        return told

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def test_requests_are_made_of_every_form() -> None:
    assert set(FORMS) == set(ALL_FORMS)


def test_no_canary_reaches_an_offer_that_is_not_cleared() -> None:
    tally = Machine.tally
    tally.clear()
    while tally["crossings"] < CROSSINGS:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=max(4, min(_AT_A_TIME, CROSSINGS // 100)),
                stateful_step_count=_STEPS,
                deadline=None,
                phases=PHASES,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"\n{tally['crossings']:,} crossings, no canary where it may not be")
    for name, count in sorted(tally.items()):
        print(f"{count:8,} {name}")
