"""Plays a plan through on the stage and gathers what became of it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from isthmus.app import App
from isthmus.domain.label import Label
from isthmus.domain.message import CompletionRequest
from isthmus.domain.principal import Key, Principal
from isthmus.perimeter.policy import UNREADABLE, Policy
from isthmus.proof.client import Told, ask
from isthmus.proof.endpoints import ENDPOINTS
from isthmus.proof.marks import MARK, mark, prose
from isthmus.proof.plan import Cell, Plan, offers_of
from isthmus.proof.samples import Sample, samples
from isthmus.proof.search import says
from isthmus.proof.stage import Stage, staged, taped_log
from isthmus.proof.stand_ins import Part
from isthmus.proof.verdict import Result, Truth, Verdict, judged
from isthmus.routing.health import HealthBoard
from isthmus.settings import Settings

_AT_ONCE = 8
"""Requests under way together: enough to wait out those that hang, few enough that no offer is worn out by failures."""
_ONE_MORE = 1_000_000
"""Added to a cell's number for the mark of the request that goes before its own."""
_WORDS = Sample(prose(_ONE_MORE), prose(_ONE_MORE))
"""What is said where a label is declared or remembered: always the same, for detectors remember what they looked at."""
_DISTINCT = 8
"""Characters from which on a canary is looked for in files as it is: shorter ones occur by chance in binary data."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Content where none may be."""

    where: str
    """The log, or a file of the state folder."""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a run showed."""

    settings: Settings
    settings_hash: str | None
    """SHA-256 of the settings file; None: there is none."""
    plan: Plan
    results: Sequence[Result]
    traces: Sequence[Trace]
    strays: Mapping[str, int]
    """Requests that nobody sent, by offer."""
    files: Sequence[str]
    """That isthmus wrote, and that were searched."""
    log_lines: int
    began: datetime
    seconds: float

    @property
    def violations(self) -> list[Result]:
        return [result for result in self.results if result.violates]

    @property
    def blind(self) -> list[Result]:
        """Controls that arrived and were not seen: their way proves nothing there."""
        return [r for r in self.results if r.cell.label is None and r.asked and not any(r.asked.values())]

    @property
    def shut(self) -> list[Result]:
        """Controls that isthmus refused, for whatever reason: nothing can come in that way there."""
        return [r for r in self.results if r.cell.label is None and not r.asked]

    @property
    def faults(self) -> list[Result]:
        """Requests that isthmus answered with a fault of its own."""
        return [result for result in self.results if result.code == "internal_error"]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the perimeter."""
        return not (self.violations or self.blind or self.traces or self.strays or self.faults)

    def verdicts(self) -> Counter[Verdict]:
        return Counter(
            verdict for result in self.results if result.cell.label is not None for verdict in result.verdicts.values()
        )


async def prove(
    settings: Settings,
    planned: Plan,
    *,
    progress: Progress = lambda _done, _of: None,
    tamper: Callable[[App], None] = lambda _app: None,
) -> Proof:
    """Play everything through.

    Args:
        settings: the user's own.
        planned: what is to be tried on them.
        progress: told how many cells of how many are done.
        tamper: called with the running parts before the first request: so that tests can break what is to be proved.

    Raises:
        IsthmusError: isthmus would not start on these settings.
    """
    began, clock = datetime.now(UTC), time.monotonic()
    with TemporaryDirectory(prefix="isthmus-proof-") as name, taped_log() as tape:
        folder = Path(name)
        borrowed = {cell.number: _key_for(cell) for cell in planned.cells}
        async with staged(settings, folder, borrowed.values()) as stage:
            tamper(stage.app)
            results = await _Run(settings, stage).all(planned.cells, progress)
            strays = Counter(offer for offer, _ in stage.recording.strays)
        written, traces = await asyncio.to_thread(_searched, folder)
        traces += _traces("the log", "\n".join(tape.lines).encode())
    return Proof(
        settings=settings,
        settings_hash=_hash(settings.source),
        plan=planned,
        results=results,
        traces=traces,
        strays=strays,
        files=written,
        log_lines=len(tape.lines),
        began=began,
        seconds=time.monotonic() - clock,
    )


class _Run:
    def __init__(self, settings: Settings, stage: Stage) -> None:
        self._settings = settings
        self._policy = Policy(settings.policy.rules)
        self._stage = stage
        self._prepared: dict[int, str | None] = {}
        """Why a cell cannot be tried, or None, by its number."""
        self._labels_of_kind: dict[str, frozenset[Label]] = {}
        for name, rule in settings.policy.rules.items():
            for kind in rule.kinds:
                self._labels_of_kind[kind] = self._labels_of_kind.get(kind, frozenset()) | {name}

    async def all(self, cells: Sequence[Cell], progress: Progress) -> list[Result]:
        """Try all cells: those whose offer refuses connections apart, since that befalls whoever asks it."""
        done = 0
        results: dict[int, Result] = {}
        refused = [cell for cell in cells if cell.failure == "refused"]
        by_offer = {name: [cell for cell in refused if cell.failing == name] for name in self._settings.offers}
        others = [cell for cell in cells if cell.failure != "refused"]
        others.sort(key=lambda cell: cell.failure == "none")  # those that wait go first: the rest passes meanwhile

        async def some(batch: Iterable[Cell]) -> None:
            nonlocal done
            for cell in batch:  # shared: whoever is free takes the next
                results[cell.number] = await self._one(cell)
                done += 1
                progress(done, len(cells))

        async def many(batch: Sequence[Cell]) -> None:
            waiting = iter(batch)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_AT_ONCE):
                    tasks.create_task(some(waiting))

        await many(others)
        for name, batch in by_offer.items():
            if not batch:
                continue
            # What is to be seen before is seen while the offer still answers.
            untried = {cell.number: await self._prepare(cell, self._canary(cell)[0].text) for cell in batch}
            self._prepared.update(untried)
            await self._stage.stand_ins[name].stop()
            await many(batch)
            await self._stage.stand_ins[name].start()
        return [results[cell.number] for cell in cells]

    async def _one(self, cell: Cell) -> Result:
        said, truth = self._canary(cell)
        self._stage.app.road.health = HealthBoard()  # what befell another cell is not to keep offers out of this one
        if cell.number not in self._prepared:
            self._prepared[cell.number] = await self._prepare(cell, said.text)
        untried = self._prepared[cell.number]
        if untried is not None:
            return Result(cell=cell, status=None, code=None, asked={}, verdicts={}, reasons={}, untried=untried)
        own = mark(cell.number)
        self._stage.recording.parts[own] = Part(failure=cell.failure, failing=cell.failing)
        told = await self._send(cell, own, said, self._headers(cell))
        received = self._stage.recording.of(own)
        asked = {name: any(says(request, said.value) for request in requests) for name, requests in received.items()}
        verdicts: dict[str, Verdict] = dict.fromkeys(offers_of(self._settings, cell.target).offers, "held")
        reasons: dict[str, str] = {}
        for name, had_it in asked.items():
            verdicts[name], reason = judged(self._policy, self._settings.offers[name], truth, said=had_it)
            if reason is not None:
                reasons[name] = reason
        return Result(cell=cell, status=told.status, code=told.code, asked=asked, verdicts=verdicts, reasons=reasons)

    def _canary(self, cell: Cell) -> tuple[Sample, Truth]:
        """What is said, and what labels that bears."""
        workload = offers_of(self._settings, cell.target)
        declared = workload.labels | (cell.key.labels if cell.key else frozenset())
        if cell.way.unreadable and cell.endpoint.takes_images and self._policy.has_rules:
            declared |= {UNREADABLE} if workload.unreadable is None else workload.unreadable
        if cell.kind is not None:
            return samples()[cell.kind], Truth(declared=declared, inside=self._labels_of_kind[cell.kind])
        said = _WORDS
        bare: frozenset[Label] = frozenset() if cell.label is None else frozenset({cell.label})
        if cell.way.recalls is not None:
            return said, Truth(declared=declared, inside=bare)
        return said, Truth(declared=declared | bare, inside=frozenset())

    def _headers(self, cell: Cell) -> list[tuple[str, str]]:
        headers = [(name.decode(), value.decode()) for name, value in cell.endpoint.form.request_headers()]
        headers.append(("authorization", f"Bearer {_secret(cell)}"))
        says_so = cell.way.declares in {None, "header"} and cell.way.recalls is None and cell.kind is None
        if says_so and cell.label is not None:
            headers.append(("isthmus-labels", cell.label))
        return headers

    async def _prepare(self, cell: Cell, text: str) -> str | None:
        """Have the text seen under its label, where the way wants that. Returns why it could not be."""
        assert cell.label is not None or cell.way.recalls is None
        match cell.way.recalls:
            case None:
                return None
            case "document" | "quoted":
                lineage = self._stage.app.gate.perimeter.lineage
                if lineage is None:
                    return "nothing is remembered on these settings"
                await asyncio.to_thread(lineage.register, _tenant(cell), cell.label, "proof", [text])
                return None
            case "answer":
                return await self._let_answer(cell, text)

    async def _let_answer(self, cell: Cell, text: str) -> str | None:
        """Have an offer that may see the label say the text in answer to a request that bears it."""
        closed = self._policy.closure({cell.label} if cell.label else ())
        offers = self._settings.offers
        able = next((name for name in offers if not self._policy.missing(offers[name], closed)), None)
        if able is None:
            return "no offer may see the label, so none can answer under it"
        first = mark(cell.number + 2 * _ONE_MORE)
        self._stage.recording.parts[first] = Part(answer=text)
        headers = [("authorization", f"Bearer {_secret(cell)}"), ("isthmus-labels", str(cell.label))]
        asking = replace(cell, target=able, failure="none")
        if cell.endpoint.form.operation != "complete":  # nothing is said in answer to the others
            asking = replace(asking, endpoint=ENDPOINTS[0])
        told = await self._send(asking, first, Sample("it", "it"), headers)
        return None if told.status == 200 else f"the first answer was not given (status {told.status})"

    async def _send(self, cell: Cell, own: str, said: Sample, headers: Sequence[tuple[str, str]]) -> Told:
        asked = cell.way.build(own, cell.way.dressed(said))
        endpoint = cell.endpoint
        body = msgspec.json.decode(
            endpoint.body(
                CompletionRequest(
                    model=cell.target,
                    messages=asked.messages,
                    tools=asked.tools,
                    max_output_tokens=16,
                    stream=endpoint.stream,
                )
            )
        )
        if asked.amend is not None:
            asked.amend(body)
        if cell.way.declares == "metadata":
            body[endpoint.metadata] = {"isthmus-labels": cell.label}
        elif cell.way.declares == "part":
            _declare_in_part(body, str(cell.label))
        leave_when = None
        if cell.failure == "gone":
            leave_when = self._stage.recording.arrivals[own] = asyncio.Event()
        told = await ask(
            self._stage.port, endpoint.target(cell.target), headers, msgspec.json.encode(body), leave_when=leave_when
        )
        if leave_when is not None:
            await asyncio.sleep(_AFTER_LEAVING)
        return told


_AFTER_LEAVING = 0.05
"""Seconds in which a request whose client has left could still go on to another offer."""


def _declare_in_part(body: dict[str, object], label: str) -> None:
    """Declare a label for the last thing that is said, in the form that all dialects have: a field of it."""
    said = next((body[name] for name in ("messages", "contents", "input", "requests") if name in body), None)
    last = said[-1] if isinstance(said, list) else None
    (last if isinstance(last, dict) else body)["isthmus_labels"] = [label]


def _tenant(cell: Cell) -> str:
    """One for each cell: what one leaves behind in lineage must not help another."""
    return f"proof-{cell.number}"


def _secret(cell: Cell) -> str:
    return f"ik-proof-{cell.number}"


def _key_for(cell: Cell) -> Key:
    """A key for a cell; with the labels and limits of one of the settings, where the cell is about that."""
    own = Key(
        name=_tenant(cell),
        hash=hashlib.sha256(_secret(cell).encode()).digest(),
        principal=Principal(tenant=_tenant(cell), key=_tenant(cell)),
    )
    if cell.key is None:
        return own
    return replace(own, labels=cell.key.labels, workload=cell.key.workload, workloads=cell.key.workloads)


def _searched(folder: Path) -> tuple[list[str], list[Trace]]:
    """The files isthmus wrote, and the traces in them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [str(path.relative_to(folder)) for path in files]
    return names, [trace for name, path in zip(names, files, strict=True) for trace in _traces(name, path.read_bytes())]


def _traces(where: str, content: bytes) -> list[Trace]:
    """The canaries that stand in something isthmus wrote."""
    text = content.decode("latin-1")
    found = [f"the words of request {found}" for found in itertools.islice(dict.fromkeys(MARK.findall(text)), 3)]
    for kind, (_, value) in samples().items():
        if len(value) >= _DISTINCT and value.encode() in content:
            found.append(f"the sample of {kind}")
    return [Trace(where=where, what=what) for what in found]


def _hash(source: Path | None) -> str | None:
    return None if source is None else hashlib.sha256(source.read_bytes()).hexdigest()
