"""What tests of messages begin with: grants, and an agent whose turns follow a script."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio

from isthmus.agent.approval import Answered, Approval, Remedy, Why
from isthmus.agent.happenings import Asked, Ended, Happening, Said, Trigger
from isthmus.agent.marks import OWN_WORDS, USERS_WORDS, Mark
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item
from isthmus.domain.offer import SecretRef

_calls = itertools.count(1)

Told = tuple[str, str]
"""Conversation and words of a turn."""


def grant(tool: str, mark: Mark = USERS_WORDS, **arguments: Any) -> Grant:
    """What the monitor hands over."""
    return Grant(
        call=f"call-{next(_calls)}",
        tool=tool,
        digest=digest(tool, arguments),
        mark=mark,
        arguments={name: Argument(value=value, mark=OWN_WORDS) for name, value in arguments.items()},
    )


def secret_of(value: str) -> Callable[[SecretRef], Awaitable[str]]:
    async def secret(_: SecretRef) -> str:
        return value

    return secret


async def until(true: Callable[[], Any], seconds: float = 8.0) -> None:
    """Wait for something to come true."""
    with anyio.fail_after(seconds):
        while not true():
            await anyio.sleep(0.01)


def approval(conversation: str, *, mark: Mark = USERS_WORDS, id: str = "approval-1") -> Approval:  # noqa: A002
    now = datetime.now(UTC)
    return Approval(
        id=id,
        conversation=conversation,
        call="call-1",
        tool="mail_send",
        says="Send a mail",
        arguments={"to": Argument(value="eve@example.com", mark=mark)},
        digest=digest("mail_send", {"to": "eve@example.com"}),
        why=(Why("destination_not_endorsed", "You did not name eve@example.com."),),
        remedies=(Remedy("approve_once", "It is done once."), Remedy("refuse", "It is left undone.")),
        asked_at=now,
        expires_at=now + timedelta(hours=1),
    )


@dataclass
class Scripted:
    """An agent that answers by script."""

    answer_with: Callable[[str], str] = lambda text: f"You said: {text}"
    mark: Mark = OWN_WORDS
    asks: bool = False
    """Whether a turn waits for a person."""
    asks_about: Mark = USERS_WORDS
    hangs: anyio.Event | None = None
    """Until this is set, a turn does not end."""
    turns: list[Told] = field(default_factory=list)
    given: list[Sequence[Item]] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    goes_on: bool = True
    """Whether there is something to go on with."""
    waiting: list[Approval] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    stopped: int = 0

    async def turn(
        self,
        text: str,
        *,
        conversation: str,
        trigger: Trigger = "chat",
        user: str = "user",
        given: Sequence[Item] = (),
        given_by: str = "",
    ) -> AsyncIterator[Happening]:
        assert trigger == "channel"
        assert conversation.startswith(user)
        self.turns.append((conversation, text))
        self.given.append(given)
        try:
            if self.hangs is not None:
                await self.hangs.wait()
        except BaseException:
            self.stopped += 1
            raise
        if self.asks:
            self.waiting = [approval(conversation, mark=self.asks_about)]
            yield Asked(self.waiting[0])
            yield _ended("", "waiting")
        else:
            yield Said(self.answer_with(text), self.mark)
            yield _ended(self.answer_with(text))

    async def resume(self, conversation: str) -> AsyncIterator[Happening]:
        self.resumed.append(conversation)
        if self.goes_on:
            verdict = self.answers[-1].verdict if self.answers else "nothing"
            yield Said(f"Gone on after {verdict}.", self.mark)
            yield _ended(f"Gone on after {verdict}.")

    async def pending(self) -> Sequence[Approval]:
        return self.waiting

    async def answer(self, answered: Answered) -> str | None:
        found = [one for one in self.waiting if one.id == answered.approval]
        self.waiting = []
        self.answers.append(answered)
        return found[0].conversation if found else None


def _ended(text: str, outcome: Any = "done") -> Ended:
    return Ended(outcome=outcome, text=text, cost=Decimal(0), sides=frozenset({"own"}))
