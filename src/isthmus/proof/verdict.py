"""What became of the cells: what each offer was sent, and whether the rules allow it.

What the rules allow is worked out from them and the facts of the offers alone. Nothing is asked that took part in
sending: neither the decision nor the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import Policy
from isthmus.proof.plan import Cell

Verdict = Literal["held", "lowered", "crossed", "forbidden"]
"""held       the offer was sent nothing
lowered    it was asked, with the canary taken out
crossed    it was sent the canary, and may be
forbidden  it was sent what the rules do not let it see
"""

OPENNESS: Sequence[Verdict] = ("held", "lowered", "crossed", "forbidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What there is to know of a cell's request."""

    declared: frozenset[Label]
    """Labels of the whole request."""
    inside: frozenset[Label]
    """Labels of the canary in it, where that is what bears them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a cell."""

    cell: Cell
    status: int | None
    """Of the answer to the client; None: it had none, or left."""
    code: str | None
    asked: Mapping[str, bool]
    """Offers that were sent a request, and whether the canary was in it."""
    verdicts: Mapping[str, Verdict]
    """Of each offer of the target, and of any other that was asked."""
    reasons: Mapping[str, str]
    """Why what an offer was sent is forbidden."""
    untried: str | None = None
    """Why the cell could not be tried; None: it was."""

    @property
    def violates(self) -> bool:
        return "forbidden" in self.verdicts.values()


def judged(policy: Policy, offer: Offer, truth: Truth, *, said: bool) -> tuple[Verdict, str | None]:
    """The verdict on a request that an offer was sent, and why it is forbidden if it is.

    Args:
        policy: the rules.
        offer: with the facts of the settings.
        truth: of the request.
        said: whether the canary was in it.
    """
    labels = truth.declared | truth.inside if said else truth.declared
    missing = policy.missing(offer, policy.closure(labels))
    if missing:
        return "forbidden", " ".join(missing[name] for name in sorted(missing))
    return ("crossed" if said else "lowered"), None
