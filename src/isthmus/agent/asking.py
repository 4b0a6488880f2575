"""One question to a model, on record before it is asked and after it is answered.

Every question of the agent's goes this way, whoever in it asks: the main branch, side branches, whoever reads intents.
So the budget counts them all, and the log tells of each what was in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from anyio.to_thread import run_sync

from isthmus.agent.budgets import BYTES_PER_TOKEN
from isthmus.agent.conversation import MAIN, Turn, written_part
from isthmus.agent.happenings import Thinking
from isthmus.agent.means import Means
from isthmus.agent.ports import EventKind, Question, Thought
from isthmus.agent.prompt import Line, without_pictures
from isthmus.dialects.gather import gather
from isthmus.dialects.openai_chat.translator import OPENAI_CHAT
from isthmus.domain.errors import NotCapable, PerimeterDenied, PolicyError, RequestError
from isthmus.domain.message import CompletionRequest, Event, Message, Part, RefusalDelta, Text, TextDelta
from isthmus.domain.usage import Usage

Put = Callable[[EventKind, Mapping[str, Any]], Awaitable[None]]
"""Appends an event to the conversation."""

NOWHERE = "nowhere"
"""Branch of a question that nobody was asked."""


class OverBudget(PolicyError):
    """What began the turn may cost no more today."""


@dataclass(slots=True)
class Asking:
    """Asks for one branch of a turn."""

    means: Means
    conversation: str
    turn: Turn
    put: Put
    branch: str = MAIN
    parts: tuple[Part, ...] = ()
    """Of the answer, once it has ended."""

    async def whole(self, request: CompletionRequest, lines: Sequence[Line]) -> str:
        """The text of an answer.

        Raises:
            OverBudget, PolicyError, IsthmusError: as `stream`.
        """
        async for _ in self.stream(request, lines):
            pass
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    async def stream(self, request: CompletionRequest, lines: Sequence[Line]) -> AsyncIterator[Thinking | str]:
        """Who answers, then the pieces of the text. Where nobody that may be asked sees pictures, they are left out.

        Args:
            request: with what stands before the conversation, in our own words.
            lines: of the conversation.

        Raises:
            OverBudget: nobody was asked.
            PolicyError: nobody that is cleared for all labels may be asked.
            IsthmusError: no answer, or one that broke off.
        """
        if any(line.has_picture for line in lines):
            try:
                async for piece in self._stream(request, lines):
                    yield piece
            except (NotCapable, PerimeterDenied):
                if self.parts:
                    raise
                lines = without_pictures(lines)
            else:
                return
        async for piece in self._stream(request, lines):
            yield piece

    async def _stream(self, request: CompletionRequest, lines: Sequence[Line]) -> AsyncIterator[Thinking | str]:
        question = self._question(request, lines)
        # Of the bytes as they are sent, pictures included: what is paid for is counted.
        size = len(OPENAI_CHAT.encode_request(question.request, model=request.model))
        estimated = round(size / BYTES_PER_TOKEN)
        cost = await self._afford(question)
        asked = {
            "question": f"{self.turn.id}/{self.turn.steps}/{self.branch}/{self.means.clock().isoformat()}",
            "branch": self.branch,
            "trigger": self.turn.trigger,
        }
        await self.put(
            "asked_model",
            {
                **asked,
                "workload": request.model,
                "tools": [tool.name for tool in request.tools],
                "bytes": size,
                "tokens": estimated,
                "cost": None if cost is None else str(cost),
                "messages": [
                    {
                        "role": line.message.role,
                        "labels": sorted(line.labels),
                        "call": line.call,
                        "handles": list(line.handles),
                    }
                    for line in lines
                ],
            },
        )
        events: list[Event] = []
        try:
            async with self.means.reasoner.ask(question) as thought:
                yield Thinking(thought.offer, thought.side, thought.request)
                async for event in thought.events():
                    events.append(event)
                    if isinstance(event, TextDelta | RefusalDelta) and event.text:
                        yield event.text
        except (PolicyError, RequestError):  # nothing left: nothing is to be paid
            await self.put("model_said", {**asked, **_nobody(estimated)})
            raise
        await self._said(asked, thought, events, estimated)

    async def _said(self, asked: Mapping[str, Any], thought: Thought, events: Sequence[Event], estimated: int) -> None:
        completion = gather(events)
        choice = completion.choices[0] if completion.choices else None
        self.parts = () if choice is None else choice.parts
        usage = thought.usage or completion.usage
        await self.put(
            "model_said",
            {
                **asked,
                "parts": [told for part in self.parts if (told := written_part(part)) is not None],
                "finish": None if choice is None else choice.finish,
                "offer": thought.offer,
                "side": thought.side,
                "request": thought.request,
                "estimated": estimated,
                "tokens": estimated if usage is None else _tokens(usage),
                "cost": None if thought.cost is None else str(thought.cost),
            },
        )

    def _question(self, request: CompletionRequest, lines: Sequence[Line]) -> Question:
        before: tuple[Message, ...] = request.messages
        messages = (*before, *(line.message for line in lines))
        labels = [*(frozenset() for _ in before), *(line.labels for line in lines)]
        return Question(
            request=replace(request, messages=messages, stream=True, stream_usage=True),
            labels=labels,
            conversation=self.conversation,
            tenant=self.means.tenant,
            user=self.turn.user,
        )

    async def _afford(self, question: Question) -> Decimal | None:
        """What it is going to cost, about.

        Raises:
            OverBudget: more than is left.
        """
        budget, trigger = self.means.budget, self.turn.trigger
        if trigger not in budget.dollars:
            return None
        cost = await self.means.reasoner.estimate(question)
        if (why := await run_sync(budget.refuses, trigger, cost, self.means.clock())) is not None:
            raise OverBudget(why, hint="Raise [agent.budget], or wait until tomorrow.")
        return cost


def _tokens(usage: Usage) -> int:
    return usage.input + usage.output


def _nobody(estimated: int) -> dict[str, Any]:
    return {
        "branch": NOWHERE,
        "parts": [],
        "finish": None,
        "offer": None,
        "side": None,
        "request": None,
        "estimated": estimated,
        "tokens": 0,
        "cost": "0",
    }
