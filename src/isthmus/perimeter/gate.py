"""The one gate: what leaves for an offer was cleared here, and is looked at here once more before its first byte goes.

Deciding and enforcing are separate. Choosing filters offers by the labels of a request; the gate asks again, by the
policy in force at that moment, for the bytes that are really about to be sent. A sender takes nothing but a
`Crossing`, and a crossing that this gate did not seal is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from typing_extensions import override

from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.errors import PerimeterDenied
from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Guard
from isthmus.perimeter.inspection import Inspection
from isthmus.perimeter.passages import passages
from isthmus.perimeter.perimeter import Perimeter, read_together

_NONE: frozenset[Label] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class _Seal:
    """Proof that a gate made a crossing, and what was known of its content then."""

    gate: Gate
    inspection: Inspection | None
    stand_ins: frozenset[str]


class Gate(Guard):
    """Makes crossings and checks them. One instance serves all requests of a process."""

    def __init__(self, perimeter: Perimeter | None = None) -> None:
        self.perimeter = perimeter or Perimeter()
        """Replaced whole by a reload: a crossing made before is checked by the new rules."""
        self._plain = _Seal(self, None, frozenset())

    def cross(
        self,
        offer: Offer,
        request: WireRequest,
        inspection: Inspection | None = None,
        *,
        direct: frozenset[Label] = _NONE,
        lowered: frozenset[Label] = _NONE,
        stand_ins: frozenset[str] = frozenset(),
    ) -> Crossing:
        """Clear a request for an offer.

        Args:
            offer: where it is to go.
            request: what is to go.
            inspection: what is known of the content it was made of; None: nothing is to be known.
            direct: the labels of the whole, without those that others imply.
            lowered: those of them that a transform took off.
            stand_ins: what the transform put in their place.

        Raises:
            PerimeterDenied: the offer is not cleared for what is left.
        """
        if not direct:
            seal = self._plain if inspection is None else _Seal(self, inspection, stand_ins)
            return Crossing(offer, request, _NONE, _NONE, seal)
        labels = self.perimeter.policy.closure(direct - lowered)
        self._clear(offer, labels)
        return Crossing(offer, request, labels, lowered, _Seal(self, inspection, stand_ins))

    @override
    async def check(self, crossing: Crossing) -> None:
        seal = crossing.seal
        if not isinstance(seal, _Seal) or seal.gate is not self:
            raise PerimeterDenied(
                f"A request to {crossing.offer.name} did not come through the perimeter and was not sent.",
                hint="This is a fault of isthmus; please report it.",
            )
        looked_by: Perimeter | None = None
        while looked_by is not self.perimeter:  # once more where the rules change while it is looked at
            looked_by = self.perimeter
            await self._look_again(looked_by, crossing, seal)

    async def _look_again(self, perimeter: Perimeter, crossing: Crossing, seal: _Seal) -> None:
        """Whether the bytes about to leave bear a label that the offer is not cleared for."""
        if crossing.labels:
            self._clear(crossing.offer, perimeter.policy.closure(crossing.labels))
        if not perimeter.armed or crossing.offer.clearance.everything:
            return
        if seal.inspection is None:
            raise PerimeterDenied(
                "Nothing was sent. Rules came into force after the request had been read.",
                hint="Ask again: it is looked at by the new rules then.",
            )
        found = await self._found(perimeter, crossing.request.body, seal.inspection, seal.stand_ins)
        if found:
            self._clear(crossing.offer, perimeter.policy.closure(found))

    @staticmethod
    async def _found(
        perimeter: Perimeter, body: bytes, inspection: Inspection, stand_ins: frozenset[str]
    ) -> set[Label]:
        """The labels of a body as it is about to leave.

        What was found before still counts. Where other rules have come into force, everything is looked at by these;
        only for topics, which are found by meaning, it is not looked once more.
        """
        memory = inspection.memory
        told = passages(msgspec.json.decode(body)).texts
        texts = {passage.text for passage in told}
        found = {mark.label for text in texts if text in memory for mark in memory[text]}
        if inspection.made_by is perimeter:
            fresh = [text for text in texts if text not in memory]
        else:
            fresh = [*texts.union(read_together(told))]
        if fresh:
            marks, failed = await perimeter.look(inspection.tenant, fresh)
            found.update(labelled.label for labelled in failed)
            for text in fresh:
                found.update(
                    mark.label
                    for mark in marks[text]
                    if not (mark.exact and _is_stand_in(text[mark.start : mark.end], stand_ins))
                )
        return found

    def _clear(self, offer: Offer, labels: frozenset[Label]) -> None:
        missing = self.perimeter.policy.missing(offer, labels)
        if missing:
            raise PerimeterDenied(
                f"Nothing was sent. {' '.join(missing[name] for name in sorted(missing))}",
                hint="Add an offer that is cleared, or have the labels reviewed.",
            )


def _is_stand_in(text: str, stand_ins: frozenset[str]) -> bool:
    """Whether a stretch is a stand-in, part of one, or nothing but stand-ins and marks."""
    if any(text in stand_in for stand_in in stand_ins):
        return True
    for stand_in in stand_ins:
        text = text.replace(stand_in, "")
    return not any(character.isalnum() for character in text)
