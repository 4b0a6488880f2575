"""A request on its way out: lowered, translated and cleared for each offer that is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, TypeAlias, cast

import msgspec

from isthmus.dialects.dialect import Dialect, WholeForm
from isthmus.domain.crossing import Crossing
from isthmus.domain.decision import Candidate
from isthmus.domain.label import Label, Labelled
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.inspection import Inspection
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.pseudonyms import Pseudonyms
from isthmus.routing.answer import Call
from isthmus.routing.reading import Reading
from isthmus.routing.translation import Translation, TranslationPlan
from isthmus.routing.whole import WholePlan

_NONE: frozenset[Label] = frozenset()
_Plan: TypeAlias = TranslationPlan | WholePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is known of what a request says."""

    perimeter: Perimeter
    """The one that looked."""
    inspection: Inspection
    labels: tuple[Labelled, ...]
    direct: frozenset[Label]
    lowerable: frozenset[Label]
    sticks: bool
    """Whether the answer bears labels that are to be recognised later."""

    @classmethod
    def of(cls, perimeter: Perimeter, inspection: Inspection) -> Self:
        policy = perimeter.policy
        direct = inspection.direct()
        lowerable = inspection.lowerable(policy)
        return cls(
            perimeter=perimeter,
            inspection=inspection,
            labels=inspection.labels(policy),
            direct=direct,
            lowerable=lowerable,
            sticks=perimeter.lineage is not None and bool(direct - lowerable),
        )


class Departure:
    """Prepares what is sent to the offers of one request. Each way of lowering is done at most once."""

    __slots__ = ("_call", "_content", "_continues", "_direct", "_gate", "_listen", "_plans", "_reading")

    def __init__(self, gate: Gate, call: Call, reading: Reading, content: Content | None, *, listen: bool) -> None:
        self._continues = reading.workload.mid_stream == "continue"
        self._gate = gate
        self._call = call
        self._reading = reading
        self._content = content
        self._listen = listen
        self._plans: dict[frozenset[Label], tuple[_Plan, frozenset[str]]] = {}
        if content is not None:
            self._direct = content.direct
        elif reading.labels:
            self._direct = frozenset(labelled.label for labelled in reading.labels)
        else:
            self._direct = _NONE

    def to(self, candidate: Candidate) -> tuple[Translation, Crossing]:
        """What is sent to an offer, and how its answer becomes the client's.

        Raises:
            InvalidRequest: the body is not a request of the client's dialect.
            Unsupported: the offer's dialect cannot say what the request says.
            PerimeterDenied: the offer is not cleared, by rules that changed since it was chosen.
        """
        plan, stand_ins = self._plan(candidate.lowered)
        translation = plan.to(candidate.offer)
        return translation, self._cross(candidate, translation, stand_ins)

    def go_on(self, candidate: Candidate, before: Translation) -> tuple[Translation, Crossing] | None:
        """The same, for an offer that is to go on where another broke off; None: nobody could.

        What the other one said is in the request then, as new content that the gate looks at.

        Args:
            candidate: one that sees the request lowered just as the other did.
            before: how the other one's answer was translated.

        Raises:
            Unsupported, PerimeterDenied: as above.
        """
        plan, stand_ins = self._plan(candidate.lowered)
        translation = plan.go_on(candidate.offer, before) if isinstance(plan, TranslationPlan) else None
        return None if translation is None else (translation, self._cross(candidate, translation, stand_ins))

    def _cross(self, candidate: Candidate, translation: Translation, stand_ins: frozenset[str]) -> Crossing:
        return self._gate.cross(
            candidate.offer,
            translation.request,
            None if self._content is None else self._content.inspection,
            direct=self._direct,
            lowered=candidate.lowered,
            stand_ins=stand_ins,
        )

    def _plan(self, lowered: frozenset[Label]) -> tuple[_Plan, frozenset[str]]:
        known = self._plans.get(lowered)
        if known is None:
            known = self._plans[lowered] = self._planned(lowered)
        return known

    def _planned(self, lowered: frozenset[Label]) -> tuple[_Plan, frozenset[str]]:
        call, content = self._call, self._content
        if content is None:
            return self._translations(call.body, None), frozenset()
        body, pseudonyms = call.body, None
        if lowered:
            taken = content.perimeter.lower(content.inspection, lowered)
            body, pseudonyms = taken.body, taken.pseudonyms
        elif content.inspection.stripped:
            body = msgspec.json.encode(content.inspection.body)
        stand_ins: frozenset[str] = frozenset() if pseudonyms is None else frozenset(pseudonyms.originals)
        return self._translations(body, pseudonyms), stand_ins

    def _translations(self, body: bytes, pseudonyms: Pseudonyms | None) -> _Plan:
        form, facts = self._call.form, self._reading.facts
        if facts.operation != "complete":
            return WholePlan(cast("WholeForm[Any, Any]", form), body, facts)
        return TranslationPlan(
            cast("Dialect", form),
            body,
            facts,
            pseudonyms=pseudonyms,
            listen=self._listen,
            continues=self._continues,
            named=self._content is not None,  # else nobody had to look, for nothing in it is ours
        )
