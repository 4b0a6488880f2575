"""What is tried: every label by every way in, at every endpoint, towards every offer; and each failure with each.

The first is a full product. With the failures it would be thousands of requests that say nothing new, so these cover
all pairs: each failure meets each label, each way, each endpoint and each target at least once. A short run covers all
pairs of the first, every label by every way in towards an offer that may not see it, and failures with a plain message.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from isthmus.detectors.registry import RULES, kinds
from isthmus.domain.label import Label
from isthmus.domain.offer import Workload
from isthmus.domain.principal import Key
from isthmus.perimeter.policy import Policy
from isthmus.proof.endpoints import ENDPOINTS, Endpoint
from isthmus.proof.samples import samples
from isthmus.proof.ways import WAYS, Way
from isthmus.settings import Settings

Failure = Literal["none", "refused", "429", "500", "hang", "dies", "gone"]

FAILURES: dict[Failure, str] = {
    "refused": "refuses connections",
    "429": "asks to be left alone",
    "500": "answers with an error",
    "hang": "never answers",
    "dies": "breaks off in mid-answer",
    "gone": "is left by the client",
}
"""What befalls the first offer that may be asked: completes "the first offer …"."""

MOST_CELLS = 8000
"""Beyond so many, the full product gives way to all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One thing that is tried."""

    number: int
    label: Label | None
    """None: a control, harmless text that is to arrive."""
    kind: str | None
    """What the canary is, so that it is found; None: its label is declared or remembered."""
    way: Way
    endpoint: Endpoint
    target: str
    """The workload or offer it asks for."""
    failure: Failure = "none"
    failing: str | None = None
    """The offer it befalls."""
    key: Key | None = None
    """Of the settings, whose labels and workloads the request has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is tried, and what that leaves out."""

    cells: Sequence[Cell]
    labels: Sequence[Label]
    quick: bool
    full: bool
    """Whether the part without failures is the full product."""
    left_out: Sequence[str]
    """What is not tried on these settings, a sentence each."""


class _Row(NamedTuple):
    label: Label
    way: Way
    endpoint: Endpoint
    target: str
    failure: Failure


def plan(settings: Settings, keys: Sequence[Key], *, quick: bool) -> Plan:
    """What is tried on these settings.

    Args:
        settings: the user's own.
        keys: all there are, those of the store included.
        quick: fewer, see above.
    """
    labels = labels_of(settings, keys)
    targets = [*settings.workloads, *settings.offers]
    drafting = _Drafting(settings, keys)
    calm: list[Failure] = ["none"]
    full = not quick and len(labels) * len(WAYS) * len(ENDPOINTS) * len(targets) <= MOST_CELLS
    ways = [way for way in WAYS if any(drafting.can(label, way) for label in labels)]
    everything = (labels, ways, ENDPOINTS, targets, calm)
    rows = itertools.starmap(_Row, itertools.product(*everything)) if full else _pairs(everything, drafting.can)
    if not full:
        plain = itertools.starmap(_Row, itertools.product(labels, ways[:1], ENDPOINTS[:1], targets, calm))
        rows = itertools.chain(plain, drafting.tempting(labels, ways, targets), rows)
    stormy = (labels, ways[:1] if quick else ways, ENDPOINTS, targets, list(FAILURES))
    for row in itertools.chain(rows, _pairs(stormy, drafting.can)):
        if drafting.can(row.label, row.way):
            drafting.add(row)
    if not quick:
        drafting.add_every_kind(labels, targets)
    drafting.add_controls(targets, full=full)
    return Plan(cells=drafting.cells, labels=labels, quick=quick, full=full, left_out=drafting.left_out(labels))


def labels_of(settings: Settings, keys: Sequence[Key]) -> list[Label]:
    """Every label that the settings name; one that they do not where they name none."""
    named: list[Label] = list(settings.policy.rules)
    for rule in settings.policy.rules.values():
        named += sorted(rule.implies)
    for workload in settings.workloads.values():
        named += sorted(workload.labels | (workload.unreadable or frozenset()))
    for key in keys:
        named += sorted(key.labels)
    for offer in settings.offers.values():
        named += sorted(offer.clearance.labels)
    return list(dict.fromkeys(named)) or [Label("canary")]


def offers_of(settings: Settings, target: str) -> Workload:
    """The workload a target stands for."""
    return settings.workloads.get(target) or Workload(name=target, offers=(target,))


class _Drafting:
    """Turns rows into cells: which kind, whose key, which offer fails."""

    def __init__(self, settings: Settings, keys: Sequence[Key]) -> None:
        self.cells: list[Cell] = []
        self._settings = settings
        self._policy = Policy(settings.policy.rules)
        self._keys = keys
        self._turns: dict[tuple[Label, str], int] = {}

    def can(self, label: Label, way: Way) -> bool:
        """Whether a label can come in this way on these settings."""
        if way.declares == "key":
            return self._key_with(label) is not None
        if way.recalls is None:
            return True
        if not (self._settings.policy.has_rules and self._settings.perimeter.lineage):
            return False
        if way.recalls == "answer":
            return self._policy.rule(label).remember_days > 0 and self.cleared(label) is not None
        return True

    def cleared(self, label: Label) -> str | None:
        """An offer that may see the label as it is."""
        closed = self._policy.closure({label})
        return next(
            (name for name, offer in self._settings.offers.items() if not self._policy.missing(offer, closed)), None
        )

    def add(self, row: _Row, kind: str | None = None) -> None:
        """Make a cell of a row."""
        key = self._key_with(row.label) if row.way.declares == "key" else None
        target = row.target
        if key is not None and key.workloads is not None and target not in key.workloads:
            target = min(key.workloads)
        self.cells.append(
            Cell(
                number=len(self.cells),
                label=row.label,
                kind=kind or self._kind(row.label, row.way),
                way=row.way,
                endpoint=row.endpoint,
                target=target,
                failure=row.failure,
                failing=None if row.failure == "none" else self._first(row.label, target),
                key=key,
            )
        )

    def tempting(self, labels: Sequence[Label], ways: Sequence[Way], targets: Sequence[str]) -> Iterator[_Row]:
        """Every label by every way in, towards an offer that may not see it, where there is one."""
        turn = 0
        for label in labels:
            closed = self._policy.closure({label})
            forbidden = [
                target
                for target in targets
                if any(
                    self._policy.missing(self._settings.offers[name], closed)
                    for name in offers_of(self._settings, target).offers
                )
            ]
            for way in ways:
                chosen = forbidden or targets
                turn += 1
                yield _Row(label, way, ENDPOINTS[turn % len(ENDPOINTS)], chosen[turn % len(chosen)], "none")

    def add_every_kind(self, labels: Sequence[Label], targets: Sequence[str]) -> None:
        """Every kind in a plain message and in one more way: the product takes them in turns."""
        turn = 0
        for label in labels:
            for way in (WAYS[0], None):
                for kind in self._findable(label, WAYS[0]):
                    turn += 1
                    findable = [one for one in WAYS if kind in self._findable(label, one)]
                    chosen = way or findable[turn % len(findable)]
                    target = targets[turn % len(targets)]
                    self.add(_Row(label, chosen, ENDPOINTS[turn % len(ENDPOINTS)], target, "none"), kind)

    def add_controls(self, targets: Sequence[str], *, full: bool) -> None:
        """Harmless text by every way at every endpoint: it must arrive and be seen, or the rest proves nothing.

        Where not all is tried with all, every way at one endpoint and at every endpoint a plain message.
        """
        ways = [way for way in WAYS if way.declares is None and way.recalls is None]
        tried = list(itertools.product(ways, ENDPOINTS, targets))
        if not full:
            tried = [one for one in tried if one[0] == ways[0] or one[1] == ENDPOINTS[0]]
        for way, endpoint, target in tried:
            self.cells.append(
                Cell(number=len(self.cells), label=None, kind=None, way=way, endpoint=endpoint, target=target)
            )

    def left_out(self, labels: Sequence[Label]) -> list[str]:
        told = []
        for label in labels:
            ways = [way.title for way in WAYS if way.declares != "key" and not self.can(label, way)]
            if ways:
                told.append(f"Label {str(label)!r}: {', '.join(ways)}. Text is not remembered under it here.")
            kinds_of = self._policy.rule(label).kinds
            bare = sorted(kinds_of - samples().keys())
            if bare:
                told.append(f"Label {str(label)!r}: there is no sample of {', '.join(bare)}; tried as declared only.")
            by_meaning = sorted(kind for kind in kinds_of if kinds().get(kind) != RULES)
            if by_meaning:
                hidden = [way.title for way in WAYS if not way.plain]
                told.append(
                    f"Label {str(label)!r}: {', '.join(by_meaning)} are found by meaning, which is promised for plain "
                    f"text only, so not tried: {', '.join(hidden)}."
                )
        return told

    def _findable(self, label: Label, way: Way) -> list[str]:
        """Kinds of a label that a detector is to find when they come in this way."""
        if way.declares is not None or way.recalls is not None:
            return []
        detectors = kinds()
        return [
            kind
            for kind in sorted(self._policy.rule(label).kinds & samples().keys())
            if way.plain or detectors.get(kind) == RULES
        ]

    def _kind(self, label: Label, way: Way) -> str | None:
        """The next kind whose turn it is."""
        found = self._findable(label, way)
        if not found:
            return None
        turn = self._turns[label, way.name] = self._turns.get((label, way.name), -1) + 1
        return found[turn % len(found)]

    def _key_with(self, label: Label) -> Key | None:
        return next((key for key in self._keys if label in key.labels), None)

    def _first(self, label: Label, target: str) -> str:
        """The first offer of a target that may see the label; the first of all where none may."""
        names = offers_of(self._settings, target).offers
        closed = self._policy.closure({label})
        return next((name for name in names if not self._policy.missing(self._settings.offers[name], closed)), names[0])


def _pairs(factors: Sequence[Sequence[Any]], can: Callable[[Label, Way], bool]) -> Iterator[_Row]:
    """Rows in which every two values of two factors that can go together do so at least once.

    Greedy: begins a row with a pair not yet covered and fills it up with the values that cover most; of those that
    cover the same, with the one used least.
    """
    used: Counter[tuple[int, int]] = Counter()
    open_pairs = {
        (first, a, second, b): None
        for first, second in itertools.combinations(range(len(factors)), 2)
        for a, b in itertools.product(range(len(factors[first])), range(len(factors[second])))
        if (first, second) != (0, 1) or can(factors[0][a], factors[1][b])
    }

    def key(one: int, a: int, other: int, b: int) -> tuple[int, int, int, int]:
        return (one, a, other, b) if one < other else (other, b, one, a)

    while open_pairs:
        first, a, second, b = next(iter(open_pairs))
        row = {first: a, second: b}
        for factor in range(len(factors)):
            if factor in row:
                continue
            fitting = [
                value
                for value in range(len(factors[factor]))
                if factor > 1
                or (1 - factor) not in row
                or can(factors[0][row[0] if factor else value], factors[1][value if factor else row[1]])
            ]
            covers = {
                value: sum(key(factor, value, other, of) in open_pairs for other, of in row.items())
                for value in fitting
            }
            row[factor] = max(fitting, key=lambda value: (covers[value], -used[factor, value]))
        used.update(row.items())
        for (one, a), (other, b) in itertools.combinations(sorted(row.items()), 2):
            open_pairs.pop((one, a, other, b), None)
        yield _Row(*(factors[factor][row[factor]] for factor in range(len(factors))))
