"""What happens in a turn, as those who watch it are told: the terminal, a channel, a programme."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from isthmus.agent.approval import Approval
from isthmus.agent.marks import Mark
from isthmus.agent.tool import Effect
from isthmus.domain.offer import Side

Trigger = Literal["chat", "channel", "api", "command", "schedule", "mail", "reminder"]
"""What began a turn. Each has a budget of its own."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model was asked, and which."""

    offer: str
    side: Side
    request: str
    """Id of its entry in the ledger."""


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer's text."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """A tool call, before and after."""

    call: str
    tool: str
    effect: Effect
    says: str
    """In a sentence, for people: arguments that matter, never content."""
    state: Literal["begun", "done", "failed", "refused"]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A person has to decide; the turn waits, or ends as `waiting` where nobody is there."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the turn ended."""

    outcome: Literal["done", "waiting", "refused", "failed", "over_budget"]
    text: str
    """All that was said."""
    cost: Decimal | None
    """Dollars. None: not known of some call."""
    sides: frozenset[Side]
    """Where the models were that saw something of it."""
    note: str = ""


Happening: TypeAlias = Thinking | Said | Stepped | Asked | Ended
