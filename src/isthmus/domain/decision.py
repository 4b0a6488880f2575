"""Which offers serve a request, in which order, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Goal, Offer
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage, cost
from isthmus.domain.value import quick_value

ReasonCode = Literal[
    "not_cleared",
    "not_licensed",
    "not_capable",
    "context_too_long",
    "output_too_long",
    "retired",
    "resting",
    "preferred_other",
    "attempts_spent",
    "failed",
]
"""Why an offer did not serve.

not_cleared        a label of the request is not in the offer's clearance
not_licensed       licence or terms do not allow this organisation the use the workload is for
not_capable        the offer cannot do something the request needs
context_too_long   the estimated prompt and answer do not fit
output_too_long    more output was asked for than the offer gives
retired            the date of its retirement has passed
resting            its circuit breaker is open after failures
preferred_other    it could have served; the goal put another before it
attempts_spent     it could have served; the tries of the workload ended before its turn
failed             it was tried and failed
"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An offer that was not used, and why: a code for programmes, a sentence for people."""

    offer: str
    code: ReasonCode
    sentence: str


EXPECTED_OUTPUT = 400
"""Tokens of answer assumed for the expected cost where the request sets no maximum below it."""


@quick_value()
class Candidate:
    """An offer that may serve."""

    offer: Offer
    facts: RequestFacts
    """Of the request it may serve."""
    lowered: frozenset[Label] = frozenset()
    """Labels that a transform takes off the request before this offer sees it."""

    @property
    def expected_cost(self) -> Decimal | None:
        """Dollars, by the estimate of input and the maximum of output. None: no price known."""
        if self.offer.price is None:
            return None
        most = self.facts.max_output_tokens
        output = EXPECTED_OUTPUT if most is None else min(most, EXPECTED_OUTPUT)
        return cost(Usage(input=self.facts.input_tokens, output=output), self.offer.price)


@quick_value(kw_only=True)
class Decision:
    """The result of choosing. An empty route means that the request is refused."""

    workload: str
    goal: Goal
    route: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    labels: tuple[Labelled, ...]
    catalog_version: str
    """Hash of the offers, workloads and prices in force."""
    policy_version: str | None = None
    """Hash of the labels' rules in force; None: there are none."""
