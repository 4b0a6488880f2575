"""The answer to: may this organisation do this with this model, and on what does that rest?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from isthmus.catalog.claim import State
from isthmus.domain.licensing import Outcome, Ruling, Use
from isthmus.domain.offer import Evidence

STRICTNESS: tuple[Outcome, ...] = ("allowed", "allowed-with-duties", "unknown", "needs-agreement", "forbidden")
"""From the loosest to the strictest. What is not known is no permission, but less than a prohibition that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One thing that the answer rests on: a clause, a term, a contract, or a fact that is missing."""

    outcome: Outcome
    """What follows from it alone."""
    says: str
    """What it says, or what is missing, in a sentence of ours."""
    record: str
    """Id of the licence or terms record; empty where a fact of the organisation or the model is missing."""
    place: str = ""
    """Section."""
    url: str = ""
    read_on: date | None = None
    state: State = "verified"
    evidence: Evidence = "E1"
    asks: tuple[str, ...] = ()
    """What to say of the organisation so that it can be decided, as sentences that are part of `says` too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What has to be done so that the use is allowed."""

    kind: str
    """`licence_copy`, `notice`, `state_changes`, `attribution`, `naming`, `pass_on`, `use_policy`, `registration`,
    `notify`, `condition` (what terms ask)."""
    says: str
    text: str = ""
    """To be shown or to be written word for word, such as `Built with Llama`; empty: none is prescribed."""
    record: str
    place: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one model and one use."""

    model: str
    use: Use
    outcome: Outcome
    grounds: tuple[Ground, ...]
    """The strictest first; the first one decides."""
    duties: tuple[Duty, ...] = ()
    """Of all readings, where they differ."""
    conflict: str = ""
    """Where sources disagree: which readings there are, and that the stricter one counts; empty: they agree."""

    @property
    def ruling(self) -> Ruling:
        """The short form, for the road."""
        first = self.grounds[0]
        where = " ".join(part for part in (first.record, first.place) if part)
        told = f" ({where}, read {first.read_on})" if where and first.read_on is not None else ""
        return Ruling(outcome=self.outcome, sentence=f"{first.says.rstrip('.')}{told}.")
