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
from isthmus.perimeter.perimeter import Perimeter

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
        if crossing.labels:
            self._clear(crossing.offer, crossing.labels)
        inspection = seal.inspection
        if inspection is not None and self.perimeter.armed and not crossing.offer.clearance.everything:
            await self._look_again(crossing, inspection, seal.stand_ins)

    async def _look_again(self, crossing: Crossing, inspection: Inspection, stand_ins: frozenset[str]) -> None:
        """Whether the bytes about to leave bear a label that the crossing does not know of."""
        memory = inspection.memory
        texts = {passage.text for passage in passages(msgspec.json.decode(crossing.request.body)).texts}
        fresh = [text for text in texts if text not in memory]
        found = {mark.label for text in texts if text in memory for mark in memory[text]}
        if fresh:
            marks, failed = await self.perimeter.look(inspection.tenant, fresh)
            found.update(labelled.label for labelled in failed)
            for text in fresh:
                found.update(
                    mark.label
                    for mark in marks[text]
                    if not (mark.exact and _is_stand_in(text[mark.start : mark.end], stand_ins))
                )
        if found:
            self._clear(crossing.offer, self.perimeter.policy.closure(found))

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
