"""The results as a table: what came in how, and what each offer got to see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.domain.label import Label
from isthmus.proof.run import Proof
from isthmus.proof.verdict import OPENNESS, Verdict
from isthmus.proof.ways import WAYS, Way

SIGNS: Mapping[Verdict, str] = {"held": "·", "lowered": "◐", "crossed": "●", "forbidden": "✗"}

MEANINGS: Mapping[Verdict, str] = {
    "held": "held: sent nothing",
    "lowered": "lowered: asked, with the canary taken out",
    "crossed": "crossed, as the rules allow",
    "forbidden": "FORBIDDEN: sent what the rules do not let it see",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One label by one way in."""

    label: Label
    way: Way
    verdicts: Mapping[str, Verdict]
    """By offer, the most open one of all cells; an offer that was in none of them is not there."""
    cells: int


def lines(proof: Proof) -> Sequence[Line]:
    """The matrix, in the order of the labels of the settings."""
    found: dict[tuple[Label, str], dict[str, Verdict]] = {}
    counts: dict[tuple[Label, str], int] = {}
    for result in proof.results:
        cell = result.cell
        if cell.label is None or result.untried is not None:
            continue
        at = (cell.label, cell.way.name)
        row = found.setdefault(at, {})
        counts[at] = counts.get(at, 0) + 1
        for offer, verdict in result.verdicts.items():
            row[offer] = max(row.get(offer, "held"), verdict, key=OPENNESS.index)
    return [
        Line(label=label, way=way, verdicts=found[label, way.name], cells=counts[label, way.name])
        for label in proof.plan.labels
        for way in WAYS
        if (label, way.name) in found
    ]
