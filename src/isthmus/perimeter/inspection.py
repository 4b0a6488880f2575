"""What is known of one request's content: which labels, where, found by what.

An inspection is made once per request and asked by everything after it: choosing takes its labels, lowering its
spans, the gate its memory of texts already looked at, lineage what to remember.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from isthmus.domain.finding import Finding
from isthmus.domain.label import Label, Labelled, LabelSource
from isthmus.domain.value import quick_value
from isthmus.perimeter.passages import Json, Passage, where
from isthmus.perimeter.policy import Policy

MOST_PLACES = 5
"""Places told per label: enough to find the cause, few enough for a message."""


@quick_value()
class Mark:
    """A label on a stretch of a text."""

    label: Label
    source: LabelSource
    finder: str
    start: int
    end: int
    kind: str
    """Of the finding, for the stand-in; empty where there is none."""
    exact: bool
    """Whether taking the stretch out takes the label off the text."""


Marks = tuple[Mark, ...]


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What is known of one request."""

    tenant: str
    conversation: str
    """As declared, or told from its beginning: where pseudonyms stay the same."""
    thread: str = ""
    """The conversation as lineage counts it: as declared, or that of the longest earlier request this one continues."""
    declared: tuple[Labelled, ...]
    """Labels of the whole request: from key, workload, header, metadata, and what could not be looked at."""
    body: Json = None
    """The decoded body; None: the content was not looked at."""
    stripped: bool = False
    """Labels of parts were taken out of `body`."""
    passages: Sequence[Passage] = ()
    marks: list[Marks] = field(default_factory=list)
    """Of each passage."""
    memory: dict[str, Marks] = field(default_factory=dict)
    """Of each text looked at."""
    made_by: object = None
    """The perimeter that looked. Under another one, texts may bear labels that are not in `memory`."""

    def direct(self) -> frozenset[Label]:
        """The labels, without those that others imply."""
        found = {labelled.label for labelled in self.declared}
        for passage, marks in zip(self.passages, self.marks, strict=True):
            found.update(passage.declared)
            found.update(mark.label for mark in marks)
        return frozenset(found)

    def lowerable(self, policy: Policy) -> frozenset[Label]:
        """Labels that are on nothing but exact stretches of replaceable texts, and that a transform may take off."""
        firm = {labelled.label for labelled in self.declared}
        spans: set[Label] = set()
        for passage, marks in zip(self.passages, self.marks, strict=True):
            firm.update(passage.declared)
            for mark in marks:
                (spans if mark.exact and not passage.fixed else firm).add(mark.label)
        return frozenset(name for name in spans - firm if policy.rule(name).is_lowered)

    def labels(self, policy: Policy) -> tuple[Labelled, ...]:
        """Every label with where it comes from, at most `MOST_PLACES` places each; then what they imply."""
        found = list(self.declared)
        counts: dict[Label, int] = {}
        for passage, marks in zip(self.passages, self.marks, strict=True):
            found += [Labelled(name, "part", where(passage.path[:-1])) for name in sorted(passage.declared)]
            for mark in marks:
                counts[mark.label] = counts.get(mark.label, 0) + 1
                if counts[mark.label] <= MOST_PLACES:
                    found.append(Labelled(mark.label, mark.source, _span(passage, mark), mark.finder))
        direct = {labelled.label for labelled in found}
        for name in sorted(direct):
            found += [Labelled(more, "implied", None, str(name)) for more in sorted(policy.closure({name}) - direct)]
        return tuple(dict.fromkeys(found))

    def sticky(self, index: int, policy: Policy) -> frozenset[Label]:
        """Labels that stick to all of a passage.

        Not those of stretches that a transform may take out, and not those of a stretch that was recognised: it stays
        labelled itself, and would else label the template around it, and then every request that uses the template.
        """
        passage = self.passages[index]
        found = set(passage.declared)
        if not passage.frame:
            found.update(labelled.label for labelled in self.declared)
        for mark in self.marks[index]:
            taken_out = mark.exact and policy.rule(mark.label).is_lowered
            if not taken_out and mark.source != "lineage":
                found.add(mark.label)
        return frozenset(found)

    def binding(self, policy: Policy) -> frozenset[Label]:
        """Labels that an answer bears: all but those that a transform may take off."""
        return self.direct() - self.lowerable(policy)

    def findings(self, index: int, labels: Iterable[Label]) -> list[Finding]:
        """The exact stretches of a passage that bear one of the labels."""
        wanted = frozenset(labels)
        return [
            Finding(mark.kind, mark.start, mark.end)
            for mark in self.marks[index]
            if mark.exact and mark.label in wanted
        ]


def _span(passage: Passage, mark: Mark) -> str:
    whole = mark.start <= 0 and mark.end >= len(passage.text)
    place = where(passage.path)
    return place if whole else f"{place}, characters {mark.start} to {mark.end}"
