"""Where people meet the agent over one account: messages come in, answers and questions go out.

What comes in is kept (`journal`) before the service may forget it. Each message is then met with what
`agent.channels` decides: nothing, a code, a command, or a turn. Turns of one conversation follow each other; commands
do not wait.

An answer is shown in a room only where everybody in it may read it; otherwise it goes to whoever asked, alone.
Questions go to whoever they are for, alone, always. What bears a label that the account may not show is shown nowhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from isthmus.agent.approval import Answered, Approval
from isthmus.agent.channels import showing
from isthmus.agent.channels.commands import Answer, Command, Pair, Unknown
from isthmus.agent.channels.meeting import Greet, Ignore, Inbound, Obey, Turn, belongs, meet, place
from isthmus.agent.channels.meeting import conversation as conversation_of
from isthmus.agent.channels.people import Draw, People
from isthmus.agent.happenings import Asked, Ended, Happening, Said, Trigger
from isthmus.agent.marks import Mark, Party, join
from isthmus.agent.tool import Item
from isthmus.connectors.messages.items import MADE, message_item
from isthmus.connectors.messages.journal import Journal, Waiting
from isthmus.connectors.messages.service import Address, Channel, Heard, Message
from isthmus.connectors.messages.toolset import Line
from isthmus.domain.errors import ToolError, ToolUncertain

log = logging.getLogger("isthmus.connectors.messages")

GIVEN_BY = "messages"
_CONTEXT = 10
"""Messages of others in a room that a turn is told."""
PAUSES = (1.0, 5.0, 25.0)
"""Seconds between tries to say something."""

_CUT_OFF = "I was cut off in the midst of this. Please look what came of it, and say it again if nothing did."
_ELSEWHERE = "I have answered you directly: not everybody here may read it."
_NOT_HERE = (
    "What I have to say bears labels that may not be shown over this service ({labels}). Ask me at the terminal."
)
_HELLO = (
    "I do not know you yet. Your code is {code}. Whoever runs me confirms it with `isthmus agent pair {code}`, or "
    "somebody I know writes /pair {code} to me. It lapses in an hour."
)
_WELCOME = "You may speak to me now. /help shows how."


class Talker(Protocol):
    """The agent, as far as people meet it by messages: `isthmus.agent.agent.Agent` is one."""

    def turn(
        self,
        text: str,
        *,
        conversation: str,
        trigger: Trigger = ...,
        user: str = ...,
        given: Sequence[Item] = ...,
        given_by: str = ...,
    ) -> AsyncIterator[Happening]: ...

    def resume(self, conversation: str) -> AsyncIterator[Happening]: ...

    async def pending(self) -> Sequence[Approval]: ...

    async def answer(self, answered: Answered) -> str | None: ...


class Front:
    """One account that people meet the agent over."""

    def __init__(
        self,
        line: Line,
        journal: Journal,
        agent: Talker,
        *,
        users: Sequence[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Draw = secrets.choice,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        """Nothing is heard yet.

        Args:
            line: the account.
            journal: of all accounts.
            agent: to speak to.
            users: who may speak to it, by the settings.
            clock: tells the time.
            draw: draws the signs of codes.
            pauses: seconds between tries to say something.
        """
        self._line = line
        self._journal = journal
        self._agent = agent
        self._users = tuple(users)
        self._clock = clock
        self._draw = draw
        self._pauses = tuple(pauses)
        self._came: asyncio.Queue[Waiting] = asyncio.Queue()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._running: dict[str, anyio.CancelScope] = {}

    async def run(self) -> None:
        """Hear and answer, until cancelled."""
        for waiting in await run_sync(self._journal.waiting, self._line.name):
            self._came.put_nowait(waiting)
        cursor = await run_sync(self._journal.cursor, self._line.name)
        await self._line.ear.keep(self._keep, after=cursor, welcome=self._welcome)
        async with anyio.create_task_group() as tasks:
            while True:
                await self._meet(await self._came.get(), tasks)

    def _welcome(self, address: Address) -> bool:
        return self._journal.people(self._users).know(address)

    async def _keep(self, heard: Heard) -> None:
        came = [_inbound(message) for message in heard.messages]
        for inbound in await run_sync(self._journal.take, self._line.name, came, heard.cursor):
            self._came.put_nowait(Waiting(inbound, "new"))

    async def _meet(self, waiting: Waiting, tasks: TaskGroup) -> None:
        inbound = waiting.inbound
        act = meet(inbound, await run_sync(self._journal.people, self._users))
        match act:
            case Ignore():
                await run_sync(self._journal.done, self._line.name, inbound.id)
            case Greet():
                tasks.start_soon(self._dealt, waiting, self._greet, inbound)
            case Obey(command):
                tasks.start_soon(self._dealt, waiting, self._obey, inbound, command, waiting)
            case Turn(text, conversation):
                tasks.start_soon(self._dealt, waiting, self._turn, inbound, text, conversation, waiting)

    async def _dealt(self, waiting: Waiting, deal: Callable[..., object], *given: object) -> None:
        """Deal with a message. What goes wrong with one ends no other."""
        try:
            await deal(*given)  # type: ignore[misc]  # a coroutine function
        except ToolError as error:
            log.warning("a message over %s was not answered: %s", self._line.name, error.message)
            return  # it is tried again when isthmus starts anew
        except Exception as error:  # the boundary to the agent: whatever breaks a turn, the others go on
            log.error("a turn over %s failed: %s", self._line.name, type(error).__name__)
            await self._try_to_say(
                waiting.inbound, "Something went wrong, and I could not finish. Please look at my log."
            )
        await run_sync(self._journal.done, self._line.name, waiting.inbound.id)

    # -- acts ---------------------------------------------------------------------------------------------------

    async def _greet(self, inbound: Inbound) -> None:
        def ask(people: People) -> tuple[People, str | None]:
            changed, code = people.asked(inbound.sender, inbound.name, self._clock(), self._draw)
            return changed, None if code is None else code.code

        code = await run_sync(self._journal.change_people, ask)
        if code is not None:
            await self._say(inbound.channel, _HELLO.format(code=code), f"{inbound.id} hello")

    async def _obey(self, inbound: Inbound, command: Command, waiting: Waiting) -> None:
        match command:
            case "help":
                await self._say(inbound.channel, showing.HELP, f"{inbound.id} help")
            case "stop":
                stopped = [
                    scope for conversation, scope in self._running.items() if belongs(conversation, inbound.sender)
                ]
                for scope in stopped:
                    scope.cancel()
                told = "Stopped." if stopped else "Nothing was going on."
                await self._say(inbound.channel, told, f"{inbound.id} stop")
            case "pending":
                pending = await self._pending(inbound.sender)
                for approval in pending:
                    await self._ask(approval, inbound, f"{inbound.id} {approval.id}")
                if not pending:
                    await self._say(inbound.channel, "No question waits for you.", f"{inbound.id} pending")
            case Pair(code):
                await self._pair(inbound, code)
            case Answer():
                await self._answer(inbound, command, waiting)
            case Unknown(name):
                await self._say(inbound.channel, f"I know no /{name}.\n\n{showing.HELP}", f"{inbound.id} unknown")

    async def _pair(self, inbound: Inbound, code: str) -> None:
        now = self._clock()
        found = await run_sync(self._journal.change_people, lambda people: people.confirmed(code, now))
        if found is None:
            await self._say(inbound.channel, "There is no such code, or it has lapsed.", f"{inbound.id} pair")
            return
        await self._say(inbound.channel, f"{found.address} may speak to me now.", f"{inbound.id} pair")
        if found.address.startswith(self._line.service.prefix):
            await self._say(found.address, _WELCOME, f"{inbound.id} welcome")

    async def _answer(self, inbound: Inbound, answer: Answer, waiting: Waiting) -> None:
        approval = showing.found(answer.code, await self._pending(inbound.sender))
        if approval is None:
            if waiting.state == "begun":  # it was answered, and a process did not live to go on
                await self._go_on(inbound)
                return
            await self._say(inbound.channel, "No such question waits for you.", f"{inbound.id} answer")
            return
        if all(remedy.code != answer.verdict for remedy in approval.remedies):
            await self._say(inbound.channel, "That is no answer to this question.", f"{inbound.id} answer")
            return
        await run_sync(self._journal.begun, self._line.name, inbound.id)
        answered = Answered(approval=approval.id, verdict=answer.verdict, by=inbound.sender, at=self._clock())
        conversation = await self._agent.answer(answered)
        if conversation is None:
            await self._say(inbound.channel, "This question has lapsed.", f"{inbound.id} answer")
            return
        async with self._locks[conversation]:
            await self._tell(conversation, self._agent.resume(conversation), inbound.id, again=False)

    async def _turn(self, inbound: Inbound, text: str, conversation: str, waiting: Waiting) -> None:
        # Nothing is awaited before the lock, and it is first come, first served: messages stay in their order.
        async with self._locks[conversation]:
            if waiting.state == "begun":
                await self._go_on(inbound)
                return
            given = [] if inbound.direct else await self._said_before(inbound)
            await run_sync(self._journal.begun, self._line.name, inbound.id)
            happenings = self._agent.turn(
                text,
                conversation=conversation,
                trigger="channel",
                user=inbound.sender,
                given=given,
                given_by=GIVEN_BY if given else "",
            )
            await self._tell(conversation, happenings, inbound.id, again=False)

    async def _go_on(self, inbound: Inbound) -> None:
        """After a process ended in the midst of a turn."""
        act = meet(inbound, await run_sync(self._journal.people, self._users))
        name = act.conversation if isinstance(act, Turn) else conversation_of(inbound.channel, inbound.sender)
        if not await self._tell(name, self._agent.resume(name), inbound.id, again=True):
            await self._say(inbound.channel, _CUT_OFF, f"{inbound.id} cut off", again=True)

    # -- telling ------------------------------------------------------------------------------------------------

    async def _tell(self, conversation: str, happenings: AsyncIterator[Happening], key: str, *, again: bool) -> bool:
        """Tell what happens in a turn.

        Args:
            conversation: id.
            happenings: of the turn.
            key: of the message that it is about: what is said is known by it.
            again: whether it may have been said before.

        Returns:
            Whether anything happened.
        """
        user, channel = place(conversation)
        marks: list[Mark] = []
        happened = False
        with anyio.CancelScope() as scope:
            self._running[conversation] = scope
            try:
                async with aclosing(_generator(happenings)) as told:
                    async for one in told:
                        happened = True
                        match one:
                            case Said(_, mark):
                                marks.append(mark)
                            case Asked(approval):
                                await self._question(approval, user, channel, f"{key} {approval.id}", again=again)
                            case Ended():
                                text = showing.ended(one)
                                if text:
                                    await self._show(text, join(marks), user, channel, f"{key} end", again=again)
            finally:
                del self._running[conversation]
        return happened or scope.cancelled_caught

    async def _show(self, text: str, mark: Mark, user: str, channel: str, key: str, *, again: bool) -> None:
        """Show an answer where it may be read."""
        if (hidden := self._hidden(mark)) is not None:
            await self._say(channel, hidden, key, again=again)
        elif await self._may_read(mark, user, channel):
            await self._say(channel, text, key, again=again)
        else:
            await self._say(user, text, key, again=again)
            await self._say(channel, _ELSEWHERE, f"{key} elsewhere", again=again)

    async def _ask(self, approval: Approval, inbound: Inbound, key: str) -> None:
        await self._question(approval, inbound.sender, inbound.channel, key, again=False)

    async def _question(self, approval: Approval, user: str, channel: str, key: str, *, again: bool) -> None:
        """Show a question to whoever it is for, alone."""
        mark = join(argument.mark for argument in approval.arguments.values())
        alone = channel if await self._alone(user, channel) else user
        text = self._hidden(mark) or showing.question(approval)
        await self._say(alone, text, key, again=again)
        if alone != channel:
            await self._say(
                channel, "I have a question for you, and have asked it directly.", f"{key} asked", again=again
            )

    def _hidden(self, mark: Mark) -> str | None:
        """What is said in the place of something that may not be shown over this account. None: it may be."""
        if self._line.shows is None or mark.labels <= self._line.shows:
            return None
        return _NOT_HERE.format(labels=", ".join(sorted(mark.labels - self._line.shows)))

    async def _may_read(self, mark: Mark, user: str, channel: str) -> bool:
        """Whether all in a channel may read something."""
        there = await self._channel(channel)
        if _only(there, user):
            return True
        others = {there.address, *(there.members or ())} - {user}
        return mark.readers.include(map(Party, others))

    async def _alone(self, user: str, channel: str) -> bool:
        return _only(await self._channel(channel), user)

    async def _channel(self, channel: str) -> Channel:
        try:
            return await self._line.service.channel(Address(channel))
        except ToolError:
            return Channel(address=Address(channel))

    async def _say(self, to: str, text: str, key: str, *, again: bool = False) -> None:
        """Say something, in as many messages as it takes.

        Raises:
            ToolError: it cannot be said now.
        """
        for number, piece in enumerate(showing.pieces(text, self._line.service.longest)):
            await self._send(Address(to), piece, _marker(f"{self._line.name} {key} {number}"), again=again)

    async def _send(self, to: Address, text: str, marker: str, *, again: bool) -> None:
        if again:
            try:
                if await self._line.service.find(to, marker) is not None:
                    return
            except ToolUncertain:
                pass  # an answer that is shown twice does less harm than one that is not
        for pause in (*self._pauses, None):
            try:
                self._line.ear.remember(await self._line.service.send(to, text, marker))
            except ToolUncertain:
                return
            except ToolError:
                if pause is None:
                    raise
                await anyio.sleep(pause)
            else:
                return

    async def _try_to_say(self, inbound: Inbound, text: str) -> None:
        try:
            await self._say(inbound.channel, text, f"{inbound.id} failed")
        except ToolError as error:
            log.warning("nothing can be said over %s: %s", self._line.name, error.message)

    async def _pending(self, user: str) -> list[Approval]:
        return [approval for approval in await self._agent.pending() if belongs(approval.conversation, user)]

    async def _said_before(self, inbound: Inbound) -> list[Item]:
        """What was said in a room before somebody called upon the agent: evidence, and nobody's order."""
        address = Address(inbound.channel)
        known = [one for one in self._line.ear.remembered(address) if _id(one) != inbound.id and not one.own]
        if not known:
            return []
        channel = await self._channel(inbound.channel)
        return [message_item(one, channel, self._line.marking, self._line.aliases) for one in known[-_CONTEXT:]]


async def _generator(happenings: AsyncIterator[Happening]):  # type: ignore[no-untyped-def]  # leaving it closes the turn
    try:
        async for one in happenings:
            yield one
    finally:
        close = getattr(happenings, "aclose", None)
        if close is not None:
            await close()


def _only(channel: Channel, user: str) -> bool:
    """Whether somebody is alone with the agent in a channel."""
    return channel.direct and (channel.members is None or channel.members <= {user})


def _inbound(message: Message) -> Inbound:
    return Inbound(
        id=_id(message),
        channel=message.channel,
        sender=message.sender,
        name=message.name,
        text=message.text,
        direct=message.direct,
        mentions_me=message.mentions_me,
        own=message.own,
        automatic=message.automatic,
    )


def _id(message: Message) -> str:
    return f"{message.channel}/{message.id}"


def _marker(key: str) -> str:
    """What goes along with something that is said, the same whenever it is said again."""
    return f"{MADE}{hashlib.sha256(key.encode()).hexdigest()[:32]}"
