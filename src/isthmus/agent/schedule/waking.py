"""Hands what is due to the user, or to the agent and its answer to the user.

A reminder is told by the channel as it is. A task wakes the agent. Its text is taken as the user's words only where
the user alone can have written it; else it is something found, like a mail: the agent may read it and say what it says,
but it orders nothing.

Whether it was done can be told after a crash in any moment. Turns go on where their log ends (`Agent.resume`), with
sends that know themselves whether they went out. What the channel was told is asked of the channel.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent.conversation import Conversation
from isthmus.agent.happenings import Happening, Trigger
from isthmus.agent.inert import inert, one_line
from isthmus.agent.marks import USER, Mark
from isthmus.agent.ports import EventLog
from isthmus.agent.schedule.job import Evidence, Job, Occurrence, Undelivered
from isthmus.agent.schedule.plan import GRACE
from isthmus.agent.schedule.ports import Channel, Runner
from isthmus.agent.tool import Field, Item

_NOT_AN_ORDER = "Tell me what is due."
"""What is said to the agent in the user's place where the user's own words are not to be had."""


class Waking(NamedTuple):
    """What the agent is woken with: arguments of `Agent.turn`."""

    text: str
    given: tuple[Item, ...] = ()
    given_by: str = ""


def waking(job: Job) -> Waking:
    """What the agent is woken with by a task."""
    if job.mark.origins == {USER}:
        return Waking(job.text)
    item = Item(kind="job", id=job.id, fields={"text": Field(value=job.text, kind="text", mark=job.mark)})
    return Waking(_NOT_AN_ORDER, (item,), "schedule")


class Turns(Protocol):
    """What is needed of the agent (`agent.Agent`)."""

    def turn(
        self,
        text: str,
        *,
        conversation: str,
        trigger: Trigger,
        user: str,
        given: Sequence[Item],
        given_by: str,
    ) -> AsyncGenerator[Happening]: ...

    def resume(self, conversation: str) -> AsyncGenerator[Happening]: ...


class Answer(NamedTuple):
    """How the turn of a task ended, as the log tells it."""

    outcome: str
    note: str
    text: str
    mark: Mark


class ByAgentAndChannel(Runner):
    """Reminders go to a channel; tasks go to the agent, and its answer to the channel."""

    def __init__(
        self,
        agent_for: Callable[[Job], Turns],
        log: EventLog,
        channel: Channel,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is done yet.

        Args:
            agent_for: the agent that does a job, by its profile and budget.
            log: of that agent.
            channel: by which the user is told.
            clock: tells the time.
        """
        self._agent_for = agent_for
        self._log = log
        self._channel = channel
        self._clock = clock

    @override
    async def run(self, occurrence: Occurrence) -> Evidence:
        job = occurrence.job
        if job.kind == "reminder":
            return await self._told(occurrence, _shown(job.text, job.mark), job.mark)
        await self._turn(occurrence)
        answer = await run_sync(self._answer, occurrence)
        if answer is None:
            raise Undelivered(self._evidence(occurrence, "It waits for you to decide; then it goes on."))
        if answer.outcome != "done":
            raise Undelivered(self._evidence(occurrence, f"The turn ended as {answer.outcome}. {answer.note}".strip()))
        return await self._told(occurrence, answer.text or "It is done.", answer.mark)

    @override
    async def find_done(self, occurrence: Occurrence) -> Evidence | None:
        if occurrence.job.kind == "task":
            answer = await run_sync(self._answer, occurrence)
            if answer is None:  # not begun, or to be gone on with: the turn itself does nothing twice
                return None
        receipt = await self._channel.find_told(occurrence.key)
        return None if receipt is None else self._delivered(receipt)

    async def _turn(self, occurrence: Occurrence) -> None:
        """Have the agent do it, or go on with it."""
        job, conversation = occurrence.job, conversation_of(occurrence)
        agent = self._agent_for(job)
        if await run_sync(lambda: any(True for _ in self._log.read(conversation))):
            happenings = agent.resume(conversation)
        else:
            text, given, given_by = waking(job)
            happenings = agent.turn(
                text, conversation=conversation, trigger=job.trigger, user="schedule", given=given, given_by=given_by
            )
        async with aclosing(happenings):
            async for _ in happenings:
                pass

    def _answer(self, occurrence: Occurrence) -> Answer | None:
        """How the turn ended. None: it has not."""
        conversation = conversation_of(occurrence)
        events = list(self._log.read(conversation))
        at = next((at for at, event in enumerate(events) if event.kind == "turn_ended"), None)
        if at is None:
            return None
        known = Conversation.told(conversation, events[:at])
        content = events[at].content
        return Answer(str(content["outcome"]), str(content["note"]), known.current.said, known.branch.context)

    async def _told(self, occurrence: Occurrence, text: str, mark: Mark) -> Evidence:
        late = self._clock() - occurrence.due
        if late > GRACE:
            text = f"{text}\n(This was due {occurrence.due:%Y-%m-%d %H:%M} UTC and is late.)"
        return self._delivered(await self._channel.tell(text, mark, key=occurrence.key))

    def _delivered(self, receipt: str) -> Evidence:
        return Evidence(at=self._clock(), channel=self._channel.name, acknowledgement=receipt, says="Told.")

    def _evidence(self, occurrence: Occurrence, says: str) -> Evidence:
        return Evidence(
            at=self._clock(),
            channel="agent",
            acknowledgement=conversation_of(occurrence),
            says=one_line(says, 300),
        )


def conversation_of(occurrence: Occurrence) -> str:
    """The conversation in which the agent does it; each time has one of its own."""
    return f"job/{occurrence.job.id}/{occurrence.key}"


def _shown(text: str, mark: Mark) -> str:
    return text if mark.trusted else f"{inert(text)}\n(Others could have written this.)"
