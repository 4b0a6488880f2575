"""What an organisation wants to do with a model, and what comes out when that is held against licence and terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Use = Literal["internal", "product", "hosted-service", "fine-tune", "train-on-outputs", "redistribute"]
"""internal: one's own people use it; product: it is part of what customers use; hosted-service: others are given the
model itself to call; fine-tune: weights are trained further; train-on-outputs: what it says trains another model,
distilling included; redistribute: weights, or what was made from them, are passed on."""

Outcome = Literal["allowed", "allowed-with-duties", "needs-agreement", "forbidden", "unknown"]

RequestUse = Literal["internal", "product", "hosted-service", "train-on-outputs"]
"""The uses that requests can be for; the others are of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The answer for one offer and one use, short enough to be part of a refusal."""

    outcome: Outcome
    sentence: str
    """Which clause decides, in our words, where it stands, and when that was read."""

    @property
    def serves(self) -> bool:
        """Whether requests of this use may be sent there."""
        return self.outcome in {"allowed", "allowed-with-duties"}
