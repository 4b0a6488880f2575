"""What the agent needs from outside, as protocols that the edges fulfil and `app.py` hands over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from isthmus.agent.marks import Mark
from isthmus.agent.tool import Made
from isthmus.domain.label import Label
from isthmus.domain.message import CompletionRequest, Event
from isthmus.domain.offer import Side
from isthmus.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked, with the labels of every message."""

    request: CompletionRequest
    """Its `model` is a workload or an offer."""
    labels: Sequence[frozenset[Label]]
    """Of each message of the request, in its order. The perimeter decides by them who may be asked."""
    conversation: str
    tenant: str = "default"
    user: str | None = None


class Thought(Protocol):
    """A model's answer as it comes."""

    offer: str
    side: Side
    request: str
    usage: Usage | None
    cost: Decimal | None
    """Usage and cost are known once the events have ended."""

    def events(self) -> AsyncIterator[Event]: ...


class Reasoner(Protocol):
    """The way to models: the road of this process, or an isthmus that runs elsewhere."""

    async def estimate(self, question: Question) -> Decimal | None:
        """What it would cost, in dollars, by whoever would be asked first. None: that is not known here.

        Raises:
            PolicyError, IsthmusError: as `ask`.
        """
        ...

    def ask(self, question: Question) -> AbstractAsyncContextManager[Thought]:
        """Ask. Leaving the context stops the answer.

        Raises:
            PolicyError: nobody that is cleared for all labels may be asked.
            IsthmusError: no answer.
        """
        ...


class MarkStore(Protocol):
    """Remembers which mark a thing bears that was made by the agent, for as long as the thing exists."""

    def keep(self, account: str, made: Made, mark: Mark) -> None:
        """Remember; a thing that is known already bears the join from now on. Durable when it returns."""
        ...

    def recall(self, account: str, made: Made) -> Mark | None:
        """The mark of a thing, by its id, or by its content wherever it lies now.

        Returns:
            None: it was not made by the agent.
        """
        ...

    def recall_all(self, account: str, made: Sequence[Made]) -> Sequence[Mark | None]:
        """The marks of several things, in their order."""
        ...


EventKind = Literal[
    "turn_begun",
    "intent",
    "planned",
    "asked_model",
    "model_said",
    "proposed",
    "judged",
    "approval_asked",
    "approval_answered",
    "effect_held",
    "effect_recalled",
    "effect_begun",
    "effect_done",
    "effect_failed",
    "effect_uncertain",
    "branch_begun",
    "branch_ended",
    "endorsed",
    "turn_ended",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One thing that happened, as it is kept. All decisions can be made again from the log alone."""

    seq: int
    conversation: str
    turn: str
    kind: EventKind
    at: datetime
    content: Mapping[str, Any]
    """JSON; texts in it are sealed at rest."""


class EventLog(Protocol):
    """Append-only and durable: what is appended survives the end of the process in any moment."""

    def append(self, conversation: str, turn: str, kind: EventKind, content: Mapping[str, Any]) -> LoggedEvent: ...

    def read(self, conversation: str, *, after: int = 0) -> Iterable[LoggedEvent]: ...

    def across(self, kinds: Collection[EventKind], *, since: datetime, after: int = 0) -> Iterable[LoggedEvent]:
        """Events of these kinds in all conversations, in their order."""
        ...

    def unfinished(self) -> Sequence[str]:
        """Conversations whose last turn has not ended, or which hold back something that is to be sent."""
        ...

    def claim(self, subject: str) -> bool:
        """Take a turn that has not ended, or a held call, by its id: no other process works on it then.

        What a process held that is gone is free.

        Returns:
            Whether it is this process's now. Not so where another has it, or it has ended.
        """
        ...

    def release(self, subject: str) -> None:
        """Hand it back."""
        ...
