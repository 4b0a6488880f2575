"""What one constraint says of one option: it fits, it is out, or something would have to be known or done first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """fits: on the facts that are known; open: it would fit if `ask`; out: whatever one does."""

    outcome: Literal["fits", "open", "out"]
    constraint: str = ""
    """Its key, such as `data:patient`; empty where it fits."""
    says: str = ""
    """Why, in a sentence."""
    ask: str = ""
    """What would make an open option fit, as what follows `would fit if you`."""
    record: str = ""
    """The record of the catalog that it rests on."""


FITS = Judgement(outcome="fits")


def rules_out(constraint: str, says: str, record: str = "") -> Judgement:
    return Judgement(outcome="out", constraint=constraint, says=says, record=record)


def opens(constraint: str, says: str, ask: str, record: str = "") -> Judgement:
    return Judgement(outcome="open", constraint=constraint, says=says, ask=ask, record=record)
