"""What wakes the agent while `isthmus up` runs: people over channels, its clock, and new mail.

Each account is watched by a task of its own. One that fails is logged and begun anew after a while, twice as long each
time, and never ends the others. No model is asked before there is something to do.

A mail is dealt with once. Which was the last is written down when it has been dealt with, and the turn that it wakes
has a conversation of its own, named after rule and mail: whatever a process did not live to end goes on where its log
ends. The mail is something the turn is given, never the user's words; those are the task of the rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent import Agent
from isthmus.agent.conversation import Conversation
from isthmus.agent.guarding import Guarded
from isthmus.agent.inert import inert
from isthmus.agent.marks import OWN_WORDS, Mark, Party
from isthmus.agent.tool import Grant, Item, ToolResult, Toolset, ToolSpec, Value
from isthmus.app_agent import Attended
from isthmus.connectors.messages.front import Front
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.telling import FirstOf, Kept, OverLine
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.errors import ConfigError, IsthmusError, Overloaded, ToolError
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.store import Store, open_store
from isthmus.settings import Settings
from isthmus.settings.values import MailRule

if TYPE_CHECKING:  # they bring the libraries of the extra, which is not needed to find that it is missing
    from isthmus.agent.schedule.job import Job
    from isthmus.agent.schedule.ports import Channel
    from isthmus.connectors.mail.toolset import MailToolset

log = logging.getLogger("isthmus.agent")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until something that failed is begun anew; doubled each time."""
LOOK_SECONDS = 5.0
"""How late a reminder may be that another process made, such as `isthmus chat`."""
_USER = "mail rule"
_WAITS = "The rule {rule} waits for your decision: `isthmus agent approvals` shows it."
_FAILED = "The rule {rule} could not be carried out for a mail. The log says more: `isthmus agent log`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """What is listened to."""

    channels: tuple[str, ...]
    """Names of the accounts that people meet the agent over."""
    mail: tuple[str, ...]
    """Names of the accounts whose inbox is watched."""
    told_by: str
    """By which ways the user is told what is due."""


def journal_file(settings: Settings) -> Path:
    """What came in by messages, who is paired, and which mail was the last. Codes of pairing are confirmed there."""
    return settings.state_dir / "messages.db"


def reminders_file(settings: Settings) -> Path:
    """What could be told over no channel: a line of JSON each."""
    return settings.state_dir / "reminders.jsonl"


@asynccontextmanager
async def awake(settings: Settings, attended: Attended | None) -> AsyncIterator[Waking | None]:
    """`waking`, for a server: where nothing can be listened to, it is said, and keeps the server from nothing.

    Args:
        settings: that the agent was made with.
        attended: the agent, if there is one.

    Raises:
        LedgerError: the store or the key of this installation cannot be used.
    """
    if attended is None:
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            store = await run_sync(open_store, settings.store.url)
            stack.callback(store.dispose)
            found = await stack.enter_async_context(waking(attended, settings, store))
        except ConfigError as error:
            log.warning("nothing wakes the agent: %s", error.sentence)
            found = None
        except ImportError as error:
            log.warning("nothing wakes the agent: the package %s is missing (pip install 'isthmus[agent]')", error.name)
            found = None
        yield found


@asynccontextmanager
async def waking(
    attended: Attended,
    settings: Settings,
    store: Store,
    *,
    first_pause: float = FIRST_PAUSE,
    look_seconds: float = LOOK_SECONDS,
) -> AsyncIterator[Waking]:
    """Listen to all that wakes the agent, until it is left.

    Args:
        attended: the agent. Its accounts stay open until this is left.
        settings: with the rules for new mail, and with who may speak to the agent.
        store: where the jobs are.
        first_pause: seconds until something that failed is begun anew.
        look_seconds: how often it is looked for jobs that other processes made.

    Raises:
        ConfigError: what came in cannot be kept.
        LedgerError: the key of this installation cannot be used.
    """
    from isthmus.agent.schedule.scheduler import Scheduler  # noqa: PLC0415
    from isthmus.agent.schedule.waking import ByAgentAndChannel  # noqa: PLC0415
    from isthmus.ledger.jobs import SqlJobStore  # noqa: PLC0415

    key = await run_sync(installation_key, key_file(store.path))
    await run_sync(lambda: settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True))
    journal = await run_sync(_journal, journal_file(settings))
    try:
        lines = _lines(attended.agent)
        users = settings.agent.users
        ways = [OverLine(line, journal, users=users) for line in lines]
        channel = FirstOf([*ways, Kept(reminders_file(settings))])
        jobs = SqlJobStore(store, key)
        runner = ByAgentAndChannel(lambda job: _agent_for(attended, job), attended.log, channel)
        watches = _watches(attended, settings, journal, channel)
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            "the schedule": lambda: Scheduler(jobs, runner, look_seconds=look_seconds).run()
        }
        for line in lines:
            tasks[line.name] = _front(line, journal, attended.agent, users)
        for name, watch in watches.items():
            tasks[name] = watch.run
        running = asyncio.create_task(_all(tasks, first_pause))
        try:
            yield Waking(channels=tuple(line.name for line in lines), mail=tuple(watches), told_by=channel.name)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    finally:
        await run_sync(journal.close)


async def _all(tasks: Mapping[str, Callable[[], Awaitable[None]]], first_pause: float) -> None:
    async with anyio.create_task_group() as group:
        for name, begin in tasks.items():
            group.start_soon(_kept_going, name, begin, first_pause)


async def _kept_going(name: str, begin: Callable[[], Awaitable[None]], first_pause: float) -> None:
    """Do something for ever. What fails is begun anew, and sooner where it had gone well for long."""
    pause = first_pause
    while True:
        began = anyio.current_time()
        try:
            await begin()
            why = "it ended"
        except IsthmusError as error:
            why = error.sentence
        except Exception as error:  # the boundary of one account: whatever breaks it, the others go on
            why = type(error).__name__
        if anyio.current_time() - began > LONGEST_PAUSE:
            pause = first_pause
        log.warning("%s wakes the agent no more for %.0f seconds: %s", name, pause, why)
        await anyio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def _journal(path: Path) -> Journal:
    try:
        return Journal(path)
    except Exception as error:  # of the disk or of SQLite
        raise ConfigError(f"{path} cannot be used: {type(error).__name__}.") from error


def _agent_for(attended: Attended, job: Job) -> Agent:
    """The agent that does a job.

    Raises:
        ConfigError: the job is bound to what this agent does not hold to.
    """
    if job.profile not in {None, attended.profile}:
        raise ConfigError(f"It is to be done by the profile {job.profile}, and the agent runs with {attended.profile}.")
    if job.budget is not None:
        raise ConfigError("It has a budget of its own, which nothing would stop at. Set [agent.budget] schedule.")
    return attended.agent


# ---------------------------------------------------------------------------------------------------------- accounts


def _inmost(toolset: Toolset) -> Toolset:
    """A tool set without what the agent has put around it."""
    inner = getattr(toolset, "inner", None)
    return toolset if inner is None else _inmost(inner)


def _lines(agent: Agent) -> Sequence[Line]:
    found = [_inmost(toolset) for toolset in agent.toolsets.values()]
    return [line for toolset in found if isinstance(toolset, MessagesToolset) for line in toolset.lines]


def _front(line: Line, journal: Journal, agent: Agent, users: Sequence[str]) -> Callable[[], Awaitable[None]]:
    return lambda: Front(line, journal, agent, users=users).run()


# -------------------------------------------------------------------------------------------------------------- mail


def _watches(attended: Attended, settings: Settings, journal: Journal, channel: Channel) -> Mapping[str, Watch]:
    """Who watches which inbox: those that there are rules for."""
    if not settings.rules:
        return {}
    from isthmus.connectors.mail.toolset import MailToolset  # noqa: PLC0415

    reader = reading(attended.agent)
    found: dict[str, Watch] = {}
    for name, toolset in attended.agent.toolsets.items():
        mail = _inmost(toolset)
        if not isinstance(mail, MailToolset):
            continue
        rules = [rule for rule in settings.rules.values() if rule.account == mail.account]
        if rules:
            found[mail.account] = Watch(
                mail=mail,
                found_by=name,
                rules=rules,
                attended=attended,
                reader=reader,
                journal=journal,
                channel=channel,
            )
    for missing in {rule.account for rule in settings.rules.values()} - found.keys():
        log.warning("new mail of %s wakes nobody: the account is not connected", missing)
    return found


def matches(rule: MailRule, mail: Item) -> bool:
    """Whether a rule is about a mail."""

    def has(field: str, wanted: str | None) -> bool:
        found = mail.fields.get(field)
        return wanted is None or (found is not None and wanted.casefold() in str(found.value).casefold())

    return has("from", rule.sender) and has("subject", rule.subject)


class Told(NamedTuple):
    """How a turn ended, as the log tells it."""

    outcome: str
    note: str
    text: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The inbox of one account, and what is done about what comes in."""

    mail: MailToolset
    found_by: str
    """The tool set that a turn reads such mail by."""
    rules: Sequence[MailRule]
    attended: Attended
    reader: Agent
    """Who does what may only be read for."""
    journal: Journal
    channel: Channel

    async def run(self) -> None:
        """Watch, until cancelled."""
        after = await run_sync(self.journal.cursor, self.mail.account)
        if after is None and (after := await self.mail.newest()) is not None:
            # Written down before anything comes: else what comes while no process runs would be taken for old.
            await run_sync(self.journal.take, self.mail.account, (), after)
        await self.mail.watch(self.on_new, after=after)

    async def on_new(self, mail: Item) -> None:
        """Deal with a mail, and write down that it is dealt with."""
        for rule in self.rules:
            if matches(rule, mail):
                await self._woken(rule, mail)
        await run_sync(self.journal.take, self.mail.account, (), mail.id)

    async def _woken(self, rule: MailRule, mail: Item) -> None:
        conversation = f"rule/{rule.name}/{rule.account}/{mail.id}"
        try:
            again = await run_sync(lambda: any(True for _ in self.attended.log.read(conversation)))
            if not again or await run_sync(self._told, conversation) is None:
                await self._turn(rule, mail, conversation, again=again)
            await self._tell(rule, await run_sync(self._told, conversation), conversation, again=again)
        except Overloaded:  # another process is at it: looked at again later
            raise
        except Exception as error:  # the boundary to one turn: a mail that breaks it keeps no other from being seen
            log.error("the rule %s failed: %s", rule.name, type(error).__name__)
            await self._say(_FAILED.format(rule=rule.name), OWN_WORDS, f"{conversation} failed", again=True)

    async def _turn(self, rule: MailRule, mail: Item, conversation: str, *, again: bool) -> None:
        agent = self.reader if rule.read_only else self.attended.agent
        if again:
            happenings = agent.resume(conversation)
        else:
            happenings = agent.turn(
                rule.task,
                conversation=conversation,
                trigger="mail",
                user=_USER,
                given=[await self._remembered(mail)],
                given_by=self.found_by,
            )
        async with aclosing(happenings):
            async for _ in happenings:
                pass

    async def _remembered(self, mail: Item) -> Item:
        """A mail with the marks that it bears because it was made here, as when a tool finds it."""
        guarded = self.attended.agent.toolsets[self.found_by]
        assert isinstance(guarded, Guarded)
        (known,) = await run_sync(guarded._recalled, (mail,))
        return known

    def _told(self, conversation: str) -> Told | None:
        """How its turn ended. None: it has not."""
        events = list(self.attended.log.read(conversation))
        at = next((at for at, event in enumerate(events) if event.kind == "turn_ended"), None)
        if at is None:
            return None
        known = Conversation.told(conversation, events[:at])
        content = events[at].content
        return Told(str(content["outcome"]), str(content["note"]), known.current.said, known.branch.context)

    async def _tell(self, rule: MailRule, told: Told | None, conversation: str, *, again: bool) -> None:
        match told:
            case None:
                await self._say(_WAITS.format(rule=rule.name), OWN_WORDS, f"{conversation} waits", again=again)
            case Told("done", _, text, mark):
                await self._say(text, mark, conversation, again=again)
            case Told(outcome, note, text, mark):
                shown = f"{text}\n\nThe rule {rule.name} ended as {outcome}. {inert(note)}".strip()
                await self._say(shown, mark, conversation, again=again)

    async def _say(self, text: str, mark: Mark, name: str, *, again: bool) -> None:
        """Tell the user something, once."""
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        if again:
            with contextlib.suppress(ToolError):  # what is told twice does less harm than what is not told
                if await self.channel.find_told(key) is not None:
                    return
        if text.strip():
            try:
                await self.channel.tell(text, mark, key=key)
            except ToolError as error:
                log.error("the user cannot be told: %s", error.message)


# ------------------------------------------------------------------------------------------------------ reading alone


def reading(agent: Agent) -> Agent:
    """The same agent, which may only read: it is shown no tool that does anything else, and has none."""
    reader = copy.copy(agent)
    toolsets = {name: ReadingAlone(toolset) for name, toolset in agent.toolsets.items()}
    reader._means = replace(agent._means, toolsets=toolsets)
    return reader


class ReadingAlone(Toolset):
    """A tool set without the tools by which anything changes, or anybody outside learns anything."""

    def __init__(self, inner: Toolset) -> None:
        self.inner = inner

    @property
    @override
    def name(self) -> str:
        return self.inner.name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return [spec for spec in self.inner.specs if spec.effect == "read"]

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return self.inner.parties(tool, parameter, value)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if all(spec.name != grant.tool for spec in self.specs):
            raise ToolError("This rule may only read.")
        return await self.inner.run(grant)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        return await self.inner.find_done(grant)

    @override
    async def aclose(self) -> None:
        await self.inner.aclose()
