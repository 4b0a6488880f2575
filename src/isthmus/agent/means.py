"""What a turn is run with: the ways out of the core, the rules, and the bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.agent.budgets import Bounds, Budget
from isthmus.agent.monitor.policy import Policy
from isthmus.agent.ports import EventLog, Reasoner
from isthmus.agent.profiles import Work
from isthmus.agent.tool import Toolset, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a turn is run with."""

    reasoner: Reasoner
    toolsets: Mapping[str, Toolset]
    """By name; each keeps the marks of what it makes (`guarding`)."""
    log: EventLog
    policy: Policy
    workloads: Mapping[Work, str]
    bounds: Mapping[Work, Bounds]
    budget: Budget
    clock: Callable[[], datetime]
    """The time in the user's zone."""
    hold: timedelta = timedelta(0)
    """How long a send waits that nobody approved in person, so that it can be called back."""
    tenant: str = "default"
    fold_bits: float = 0.0
    """Bits that each source may put into a conversation as typed values without their readers and labels. 0: none."""
    intents_by_model: bool = False
    """Whether a model reads what the user wants; otherwise rules do."""

    def find(self, tool: str) -> tuple[Toolset, ToolSpec] | None:
        """A tool and the set it belongs to."""
        for toolset in self.toolsets.values():
            for spec in toolset.specs:
                if spec.name == tool:
                    return toolset, spec
        return None
