"""Bounds on a turn, and what each trigger may cost in a day: counted before a model is asked and corrected afterwards.

The count is made of the log: whatever a model was asked for is in it, by whichever turn, silent ones included. A call
that never came to an answer counts as what it was estimated at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from isthmus.agent.happenings import Trigger
from isthmus.agent.ports import EventLog
from isthmus.agent.profiles import Work

BYTES_PER_TOKEN = 3.5
"""Of a request in JSON, about: an estimate before the call, never billed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds on one turn."""

    steps: int
    """How often a model is asked."""
    seconds: float
    """After which no model is asked any more. Time that a person takes to answer counts."""
    tokens: int
    """Of all requests and answers together."""
    output_tokens: int
    """Of one answer."""
    result: int
    """Characters of a tool's result that a model is shown."""
    history: int
    """Characters of a conversation that a model is shown."""


BOUNDS: Mapping[Work, Bounds] = {
    # What small models with a window of 4,096 tokens can carry, preamble and answer included.
    "routine": Bounds(steps=10, seconds=600, tokens=150_000, output_tokens=512, result=2_500, history=7_000),
    "complex": Bounds(steps=24, seconds=1_800, tokens=1_500_000, output_tokens=2_048, result=8_000, history=60_000),
}


@dataclass(slots=True)
class Budget:
    """What may be spent by turns of each trigger in a day, and what was."""

    log: EventLog
    dollars: Mapping[Trigger, Decimal] = field(default_factory=dict)
    """A day, by trigger. What is not named has no bound."""
    _day: datetime | None = None
    _seen: int = 0
    _asked: dict[str, tuple[Trigger, Decimal]] = field(default_factory=dict)
    """By the id of the question: what it cost, or is estimated to."""

    def spent(self, trigger: Trigger, now: datetime) -> Decimal:
        """Dollars of this day, in the time zone of `now`. Blocks while the log is read."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if day != self._day:
            self._day, self._seen, self._asked = day, 0, {}
        for event in self.log.across(("asked_model", "model_said"), since=day, after=self._seen):
            self._seen = event.seq
            cost, trigger_of, question = event.content["cost"], event.content["trigger"], event.content["question"]
            if cost is not None or question not in self._asked:
                self._asked[question] = (trigger_of, Decimal(cost or 0))
        return sum((cost for of, cost in self._asked.values() if of == trigger), Decimal(0))

    def refuses(self, trigger: Trigger, estimate: Decimal | None, now: datetime) -> str | None:
        """Why a model may not be asked, in a sentence; None: it may. Blocks while the log is read.

        Args:
            trigger: what began the turn.
            now: the time in the user's zone.
            estimate: dollars. None: not known; then only what was spent counts.
        """
        most = self.dollars.get(trigger)
        if most is None:
            return None
        spent = self.spent(trigger, now)
        if spent + (estimate or 0) <= most and (spent < most or not estimate):
            return None
        return f"The budget of ${most} a day for what begins by {trigger} is used: ${spent:.4f} are spent" + (
            f", and this would cost about ${estimate:.4f}." if estimate else "."
        )
