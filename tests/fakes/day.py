"""An agent with real tools and a model that follows a script, and a person who says no unless a test says otherwise."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from tests.fakes.agent_scene import NOW, Call, FakeThought, MemoryLog, MemoryMarks, ended
from typing_extensions import override

from isthmus.agent import Agent
from isthmus.agent.approval import Answered, Approval, Verdict
from isthmus.agent.happenings import Asked, Ended, Happening, Stepped
from isthmus.agent.ports import Question, Reasoner
from isthmus.agent.tool import Toolset
from isthmus.domain.label import Label
from isthmus.domain.message import Message, Text, ToolResult
from isthmus.domain.offer import SecretRef

LABELS = frozenset({Label("private")})
"""Of all accounts."""

Answer: TypeAlias = str | Sequence[Call]
Says: TypeAlias = Answer | Callable[[str], Answer]
"""What the model says, or how that follows from the last result of a tool."""


def _shown(message: Message) -> str:
    """The text of a message, results of tools included."""
    parts = [inner for part in message.parts for inner in (part.parts if isinstance(part, ToolResult) else (part,))]
    return "".join(part.text for part in parts if isinstance(part, Text))


class Script(Reasoner):
    """A model that says one thing after the other; what it reads apart it answers by the text it is shown."""

    def __init__(self, reads: Callable[[str], Any]) -> None:
        self.says: deque[Says] = deque()
        self.reads = reads
        self.number = 0

    @override
    async def estimate(self, question: Question) -> None:
        return None

    @override
    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[FakeThought]:
        self.number += 1
        text = _shown(question.request.messages[-1])
        if question.request.response_format is not None:
            answer: Answer = msgspec.json.encode({"answer": self.reads(text)}).decode()
        else:
            says = self.says.popleft()
            answer = says(text) if callable(says) else says
        yield FakeThought(answer, self.number)


@dataclass
class Day:
    """One conversation with an agent."""

    agent: Agent
    script: Script
    log: MemoryLog
    consents: Callable[[Approval], bool]
    asked: list[Approval] = field(default_factory=list)
    steps: list[Stepped] = field(default_factory=list)

    async def say(self, text: str, *says: Says) -> Ended:
        """Say something to the agent.

        Args:
            text: the user's words.
            says: what the model says, one after the other; the last of it is its answer.
        """
        self.script.says.extend(says)
        found: list[Happening] = []
        async with aclosing(self.agent.turn(text, conversation="day", patience=5)) as happenings:
            async for happening in happenings:
                found.append(happening)
                if isinstance(happening, Stepped):
                    self.steps.append(happening)
                if isinstance(happening, Asked):
                    await self._answer(happening.approval)
        assert not self.script.says, f"the turn ended before the model had said all: {found[-1]}"
        return ended(found)

    async def _answer(self, approval: Approval) -> None:
        self.asked.append(approval)
        verdict: Verdict = "approve_once" if self.consents(approval) else "refuse"
        at = approval.asked_at
        await self.agent.answer(Answered(approval=approval.id, verdict=verdict, by="terminal", at=at))

    @property
    def done(self) -> list[str]:
        """The tools that did what they were called for, without those that only look."""
        return [one.tool for one in self.steps if one.state == "done" and one.effect not in {"read", "fetch"}]

    @property
    def failed(self) -> list[str]:
        """The tools that could not be called."""
        return [one.tool for one in self.steps if one.state == "failed"]

    def asked_for(self) -> list[tuple[str, tuple[str, ...]]]:
        """What a person was asked: the tool, and the codes of what spoke against it."""
        return [(one.tool, tuple(why.code for why in one.why)) for one in self.asked]


@asynccontextmanager
async def day(
    *toolsets: Toolset,
    reads: Callable[[str], Any] = lambda _: None,
    consents: Callable[[Approval], bool] = lambda _: False,
    clock: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[Day]:
    """An agent for as long as the context lasts.

    Args:
        toolsets: its tools.
        reads: answers for what is read apart, by what is shown.
        consents: what the person says yes to.
        clock: tells the time.
    """
    script, log = Script(reads), MemoryLog(clock)
    agent = Agent(reasoner=script, toolsets=toolsets, log=log, marks=MemoryMarks(), hold_seconds=0.0, clock=clock)
    try:
        yield Day(agent, script, log, consents)
    finally:
        await agent.aclose()


def secret_of(value: str) -> Callable[[SecretRef], Awaitable[str]]:
    """Tells one secret, whatever is asked for."""

    async def secret(_: SecretRef) -> str:
        return value

    return secret
