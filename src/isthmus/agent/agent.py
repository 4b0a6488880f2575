"""The agent, as a library: words in, happenings out.

    agent = Agent(reasoner=…, toolsets=[…], log=…, marks=…)
    async with aclosing(agent.turn("Which mails are unread?", conversation="c1")) as turn:
        async for happening in turn:
            …

It holds no state that is not in the log. Ending a process in any moment loses nothing: `resume` goes on where the log
ends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import anyio
import msgspec
from anyio.to_thread import run_sync

from isthmus.agent.approval import Answered, Approval
from isthmus.agent.branching import ANSWER, MOST_THINGS
from isthmus.agent.budgets import BOUNDS, Bounds, Budget
from isthmus.agent.conversation import Conversation, Held
from isthmus.agent.effects import carry_out
from isthmus.agent.guarding import Guarded
from isthmus.agent.happenings import Ended, Happening, Trigger
from isthmus.agent.means import Means
from isthmus.agent.monitor.policy import Policy, shipped
from isthmus.agent.ports import EventKind, EventLog, LoggedEvent, MarkStore, Reasoner
from isthmus.agent.profiles import COMPLEX, ROUTINE, Work
from isthmus.agent.prompt import READ_EACH
from isthmus.agent.recorded import written
from isthmus.agent.running import Loop
from isthmus.agent.several import told_apart
from isthmus.agent.tasks import Task
from isthmus.agent.tool import Field, Image, Item, Toolset
from isthmus.domain.errors import ConfigError, InvalidRequest, Overloaded, PolicyError

log = logging.getLogger("isthmus.agent")

WORKLOADS: Mapping[Work, str] = {"routine": ROUTINE, "complex": COMPLEX}
"""The workloads of a profile (`profiles`), by the work they are for."""

_LOOK_SECONDS = 1.0
"""How often it is looked for sends whose time has come."""


def local_now() -> datetime:
    """The time in the time zone of this machine."""
    return datetime.now().astimezone()


class Agent:
    """One user's agent. Belongs to one event loop; may run turns of several conversations at once."""

    def __init__(
        self,
        *,
        reasoner: Reasoner,
        toolsets: Iterable[Toolset],
        log: EventLog,
        marks: MarkStore,
        policy: Policy | None = None,
        workloads: Mapping[Work, str] = WORKLOADS,
        bounds: Mapping[Work, Bounds] = BOUNDS,
        budget: Mapping[Trigger, Decimal] | None = None,
        hold_seconds: float = 30.0,
        clock: Callable[[], datetime] = local_now,
        tenant: str = "default",
        intents_by_model: bool = False,
        fold_bits: float = 0.0,
    ) -> None:
        """Put an agent together. Nothing is read or asked yet.

        Args:
            reasoner: the way to models.
            toolsets: of its accounts; the agent closes them.
            log: of its events.
            marks: of the things it makes.
            policy: rules of the monitor. None: those that come along.
            workloads: that questions to models are of.
            bounds: on a turn, by the work it is.
            budget: dollars a day, by trigger; what is not named has no bound.
            hold_seconds: how long a send waits that nobody approved in person, so that it can be called back.
            clock: tells the time in the user's time zone.
            tenant: whose the conversations are.
            intents_by_model: whether a model that sees nothing else reads the user's words; otherwise rules do.
            fold_bits: how many bits each source may put into a conversation, as typed values that were read apart,
                without their readers and labels. 0: none; every value bears all that was read for it.

        Raises:
            ConfigError: the policy says something of these tools that cannot be enforced.
            ValueError: two tool sets are of the same name and the same account.
        """
        guarded = {name: Guarded(toolset, marks) for name, toolset in told_apart(toolsets).items()}
        rules = policy or shipped()
        specs = [spec for toolset in guarded.values() for spec in toolset.specs]
        if problems := rules.unenforceable(specs):
            raise ConfigError("The policy of the agent cannot be enforced.", problems=tuple(problems))
        self._means = Means(
            reasoner=reasoner,
            toolsets=guarded,
            log=log,
            policy=rules,
            workloads=workloads,
            bounds=bounds,
            budget=Budget(log, dict(budget or {})),
            clock=clock,
            hold=timedelta(seconds=hold_seconds),
            tenant=tenant,
            intents_by_model=intents_by_model,
            fold_bits=fold_bits,
        )
        self._turns: dict[str, asyncio.Lock] = {}
        self._sends = asyncio.Lock()
        self._running: dict[str, Loop] = {}

    @property
    def toolsets(self) -> Mapping[str, Toolset]:
        """The tool sets, by name; each keeps the marks of what it makes."""
        return self._means.toolsets

    async def aclose(self) -> None:
        """Close the tool sets."""
        for toolset in self._means.toolsets.values():
            await toolset.aclose()

    # --------------------------------------------------------------------------------------------------------- turns

    async def turn(
        self,
        text: str,
        *,
        conversation: str,
        trigger: Trigger = "chat",
        user: str = "user",
        pictures: Sequence[Image] = (),
        given: Sequence[Item] = (),
        given_by: str = "",
        patience: float = 0.0,
    ) -> AsyncGenerator[Happening, None]:
        """Serve the user's words, and tell what happens. The last happening is always `Ended`.

        A turn of the same conversation that still waits for a person ends before it, and what it asked is void.

        Args:
            text: the words of the user, and of nobody else: they are what the agent obeys.
            conversation: id; made by its first turn.
            trigger: what began it; its budget is that of this trigger.
            user: who said it, and by which way, as in `matrix:@me:example.org`. That they may is the caller's business.
            pictures: that the user gave, with their marks.
            given: what the turn is about, such as the mail that woke it; never part of the user's words.
            given_by: the tool set that `given` was found by.
            patience: seconds that a person's answer to an approval is waited for. After that the turn ends as `waiting`
                and can be gone on with by `resume`.

        Raises:
            InvalidRequest: the text is empty.
            Overloaded: another process works on this conversation.
        """
        if not text.strip():
            raise InvalidRequest("The agent was told nothing.", hint="Say what it is to do.")
        async with self._lock(conversation):
            known = await self._known(conversation)
            if known.turn is not None:
                await self._claim(known.turn.id)
                left = {"outcome": "failed", "note": "Left for another.", "cost": None}
                known = await self._put(known, "turn_ended", left)
            known = await self._begin(
                known, text, trigger=trigger, user=user, pictures=pictures, given=given, given_by=given_by
            )
            async with aclosing(self._run(known, patience)) as happenings:
                async for happening in happenings:
                    yield happening

    async def read_each(
        self,
        things: Sequence[Item],
        question: str,
        *,
        answer: Literal["yes_no", "choice", "number", "date"],
        choices: Sequence[str] = (),
        found_by: str,
        conversation: str,
        trigger: Trigger = "api",
        user: str = "user",
    ) -> list[Field | None]:
        """Have things read one by one, apart, without a model that decides what to do: a rule's way to triage.

        Small models answer one question about one thing; they need not plan. Goes on where it was if the process ends.

        Args:
            things: what is to be read.
            question: the user's, about each of them.
            answer: what may come back.
            choices: out of which; for `choice`.
            found_by: the tool set that found the things; its reading tool is called for the whole of each.
            conversation: id; one for each such order.
            trigger: what began it.
            user: who wants it.

        Returns:
            For each thing, in their order, the answer with the mark of what was read; None: it could not be told.

        Raises:
            InvalidRequest: there is nothing to read, or too much.
            PolicyError: the budget is used, or nobody may read any of it.
        """
        if not 0 < len(things) <= MOST_THINGS:
            raise InvalidRequest(f"{len(things)} things cannot be read at once.", hint=f"Give 1 to {MOST_THINGS}.")
        async with self._lock(conversation):
            known = await self._known(conversation)
            if known.turn is None:
                known = await self._begin(known, question, trigger=trigger, user=user, given=things, given_by=found_by)
            if known.current.intents is None:
                task = Task(work="routine", topics=(), tools=(READ_EACH.name,))
                rules = written(self._means.policy)
                known = await self._put(known, "intent", {"intents": [], "task": written(task), "policy": rules})
            if not known.current.planned:
                handles = [shown.handle for shown in known.branch.shelf.shown if shown.call == known.current.id]
                told = {"things": handles, "question": question, "answer": answer, "choices": list(choices)}
                planned = {"tool": READ_EACH.name, "arguments": msgspec.json.encode(told).decode()}
                known = await self._put(known, "planned", planned)
            begun = known.current.id
            async with aclosing(self._run(known, 0.0)) as happenings:
                async for happening in happenings:
                    if isinstance(happening, Ended) and happening.outcome != "done":
                        raise PolicyError(happening.note)
            return await self._answers(conversation, begun)

    async def _answers(self, conversation: str, turn: str) -> list[Field | None]:
        """What came back of each thing that was read in a turn, in their order."""
        events = await run_sync(lambda: list(self._means.log.read(conversation)))
        known, notes = Conversation.new(conversation), list[Field | None]()
        for event in events:
            before = len(known.branch.shelf.shown)
            known = known.after(event)
            if event.kind == "branch_ended" and event.turn == turn:
                shown = known.branch.shelf.shown[before:]
                notes.append(shown[0].item.fields[ANSWER] if shown else None)
        return notes

    async def resume(self, conversation: str, *, patience: float = 0.0) -> AsyncGenerator[Happening, None]:
        """Go on with a turn that waits for a person, or that a process began and did not live to end.

        Nothing happens where none does.

        Raises:
            Overloaded: another process works on it.
        """
        async with self._lock(conversation):
            known = await self._known(conversation)
            if known.turn is not None:
                async with aclosing(self._run(known, patience)) as happenings:
                    async for happening in happenings:
                        yield happening

    async def _begin(
        self,
        known: Conversation,
        text: str,
        *,
        trigger: Trigger,
        user: str,
        pictures: Sequence[Image] = (),
        given: Sequence[Item] = (),
        given_by: str = "",
    ) -> Conversation:
        content = {
            "text": text,
            "trigger": trigger,
            "user": user,
            "pictures": written(pictures),
            "given": written(given),
            "given_by": given_by,
            "shown": self._means.bounds["routine"].result,
        }
        return await self._put(known, "turn_begun", content, turn=secrets.token_hex(6))

    async def _run(self, known: Conversation, patience: float) -> AsyncGenerator[Happening, None]:
        loop = Loop(self._means, known, patience)
        turn = known.current.id
        await self._claim(turn)
        self._running[known.id] = loop
        try:
            async with aclosing(loop.run()) as happenings:
                async for happening in happenings:
                    yield happening
        finally:
            del self._running[known.id]
            with anyio.CancelScope(shield=True):
                await run_sync(self._means.log.release, turn)

    async def _claim(self, turn: str) -> None:
        """Take a turn.

        Raises:
            Overloaded: another process works on it.
        """
        if not await run_sync(self._means.log.claim, turn):
            raise Overloaded("Another process works on this conversation.", hint="Wait until it is done.")

    async def unfinished(self) -> Sequence[str]:
        """Conversations that wait for a person, were cut off, or hold back something that is to be sent."""
        return await run_sync(self._means.log.unfinished)

    # ----------------------------------------------------------------------------------------------------- approvals

    async def pending(self) -> Sequence[Approval]:
        """The questions that wait for a person, in all conversations."""
        found: list[Approval] = []
        now = self._means.clock()
        for name in await self.unfinished():
            known = await self._known(name)
            found += [
                wanted.approval
                for wanted in (known.turn.wanted if known.turn is not None else ())
                if wanted.approval is not None and wanted.answered is None and wanted.approval.expires_at > now
            ]
        return found

    async def answer(self, answered: Answered) -> str | None:
        """What a person said to an approval.

        A turn that waits for it goes on by itself; where none runs, `resume` goes on.

        Returns:
            The conversation it belongs to; None: nobody waits for it any more.
        """
        for name in await self.unfinished():
            known = await self._known(name)
            for wanted in known.turn.wanted if known.turn is not None else ():
                if wanted.approval is None or wanted.approval.id != answered.approval:
                    continue
                if wanted.answered is not None or answered.at >= wanted.approval.expires_at:
                    return None
                await self._put(known, "approval_answered", {"answered": written(answered)})
                if (loop := self._running.get(name)) is not None:
                    loop.answered.set()
                return name
        return None

    # --------------------------------------------------------------------------------------------------- held sends

    async def held(self) -> Sequence[Held]:
        """What waits to be sent and can still be called back."""
        found: list[Held] = []
        for name in await self.unfinished():
            found += (await self._known(name)).held.values()
        return found

    async def call_back(self, conversation: str, call: str) -> bool:
        """Do not send after all.

        Returns:
            Whether it was still held.
        """
        async with self._sends:
            known = await self._known(conversation)
            held = known.held.get(call)
            if held is None or held.begun or not await run_sync(self._means.log.claim, call):
                return False
            content = {"call": call, "tool": held.call.spec.name, "told": "The user called it back: it was not sent."}
            await self._put(known, "effect_recalled", content, turn=held.turn)
            return True

    async def deliver(self, *, everything: bool = False) -> int:
        """Send what was held and whose time has come.

        Args:
            everything: do not wait for its time, as where nobody is going to be there any more.

        Returns:
            How much was sent.
        """
        sent = 0
        for held in await self.held():
            if everything or held.begun or held.due <= self._means.clock():
                sent += await self._send(held)
        return sent

    async def watch(self) -> None:
        """Send what is held, when its time comes, until cancelled."""
        while True:
            await self.deliver()
            await anyio.sleep(_LOOK_SECONDS)

    async def _send(self, held: Held) -> bool:
        async with self._sends:
            known = await self._known(held.conversation)
            current = known.held.get(held.grant.call)
            if current is None:
                return False
            begun = current.begun
            if not await run_sync(self._means.log.claim, held.grant.call):
                return False
            if not begun:
                known = await self._put(known, "effect_begun", {"grant": written(held.grant)}, turn=held.turn)
            most = self._means.bounds["routine"].result
            outcome = await carry_out(self._means, held.call, held.grant, begun=begun, most=most)
            await self._put(known, outcome.kind, outcome.content, turn=held.turn)
            return outcome.kind == "effect_done"

    # -------------------------------------------------------------------------------------------------------- inside

    def _lock(self, conversation: str) -> asyncio.Lock:
        """Held by the one turn of a conversation that goes on. Not anyio's: a turn may be left by another task."""
        return self._turns.setdefault(conversation, asyncio.Lock())

    async def _known(self, conversation: str) -> Conversation:
        """A conversation, as its events tell it."""
        return await run_sync(lambda: Conversation.told(conversation, self._means.log.read(conversation)))

    async def _put(
        self, known: Conversation, kind: EventKind, content: Mapping[str, object], *, turn: str | None = None
    ) -> Conversation:
        whose = known.current.id if turn is None else turn
        event: LoggedEvent = await run_sync(self._means.log.append, known.id, whose, kind, content)
        return known.after(event)
