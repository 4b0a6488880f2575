"""The agent, put together: accounts become tool sets, models are asked on the road, what happens goes to the store.

It knows of no server and no terminal: both are given what this makes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from isthmus.agent import Agent
from isthmus.agent.happenings import Trigger
from isthmus.agent.monitor import policy as rules
from isthmus.agent.on_the_road import OnTheRoad, profiled
from isthmus.agent.ports import Reasoner
from isthmus.agent.profiles import COMPLEX, ROUTINE, Profile, Work
from isthmus.agent.tool import Toolset
from isthmus.app import App
from isthmus.connectors import sealed
from isthmus.connectors.kinds import kinds
from isthmus.connectors.messages.toolset import MessagesToolset
from isthmus.domain.errors import ConfigError, IsthmusError
from isthmus.domain.offer import SecretRef
from isthmus.gateway.agent import Desk
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.store import Store, open_store
from isthmus.providers.secrets import Secrets
from isthmus.routing.roster import Roster
from isthmus.settings import Settings
from isthmus.settings.values import AccountSettings, AgentSettings

log = logging.getLogger("isthmus.agent")

CONNECT_SECONDS = 20.0
"""How long an account may take to be connected before the agent goes on without it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An account that the agent has to do without."""

    account: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """An agent that runs, and what it was made of."""

    agent: Agent
    log: SqlEventLog
    marks: SqlMarkStore
    profile: Profile
    troubles: tuple[Trouble, ...]


@asynccontextmanager
async def attended(
    settings: Settings,
    store: Store,
    reasoner: Reasoner,
    *,
    profile: Profile | None = None,
    workloads: Mapping[Work, str] | None = None,
    only: Collection[str] | None = None,
) -> AsyncIterator[Attended]:
    """An agent with all of its accounts, and somebody who sends what is held when its time comes.

    Args:
        settings: with the accounts.
        store: where its log and its marks are.
        reasoner: the way to models.
        profile: in the place of the one that is set.
        workloads: that models are asked by; None: those of the profile, or of the settings.
        only: names of the accounts that are wanted; None: all.

    Raises:
        ConfigError: the policy cannot be enforced.
        LedgerError: the key of this installation cannot be used.
    """
    key = await asyncio.to_thread(installation_key, key_file(store.path))
    events, marks = SqlEventLog(store, key), SqlMarkStore(store, key)
    toolsets, troubles = await _toolsets(settings.accounts, only)
    if only is None and toolsets:
        toolsets.append(_schedule(store, key))
    try:
        agent = Agent(
            reasoner=reasoner,
            toolsets=toolsets,
            log=events,
            marks=marks,
            policy=await asyncio.to_thread(_policy, settings.agent),
            workloads=workloads or workloads_of(settings.agent, profile),
            budget={cast("Trigger", trigger): dollars for trigger, dollars in settings.agent.budget.items()},
            hold_seconds=settings.agent.hold_seconds,
        )
        watching = asyncio.create_task(agent.watch())
        try:
            yield Attended(
                agent=agent,
                log=events,
                marks=marks,
                profile=profile or settings.agent.profile,
                troubles=troubles,
            )
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    finally:
        for toolset in toolsets:
            await toolset.aclose()


@asynccontextmanager
async def served(app: App) -> AsyncIterator[Attended | None]:
    """The agent of an isthmus that runs as a server, if it has accounts.

    Whoever is on this machine can ask it by the model `isthmus/agent`; where the server can be reached from elsewhere,
    nobody can. An agent that cannot be had keeps the server from nothing.

    Raises:
        LedgerError: the key of this installation cannot be used.
    """
    settings = app.settings
    if not settings.accounts:
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            app.road.roster = rostered(app.road.roster, settings.agent)
            store = await asyncio.to_thread(open_store, settings.store.url)
            stack.callback(store.dispose)
            found = await stack.enter_async_context(attended(settings, store, OnTheRoad(app.road)))
        except ConfigError as exc:
            log.warning("there is no agent: %s", exc.sentence)
            yield None
            return
        for trouble in found.troubles:
            log.warning("the agent does without an account: %s", trouble.sentence)
        if settings.server.is_loopback:
            app.gateway.desk = Desk(found.agent, found.log)
            stack.callback(setattr, app.gateway, "desk", None)
        yield found


def _schedule(store: Store, key: bytes) -> Toolset:
    """Reminders and repeated tasks. What the extra `agent` installs is imported where there is an agent."""
    from isthmus.connectors.schedule.toolset import ScheduleToolset  # noqa: PLC0415
    from isthmus.connectors.schedule.zone import local_zone  # noqa: PLC0415
    from isthmus.ledger.jobs import SqlJobStore  # noqa: PLC0415

    return ScheduleToolset(SqlJobStore(store, key), zone=local_zone())


def workloads_of(agent: AgentSettings, profile: Profile | None) -> Mapping[Work, str]:
    """The workloads that models are asked by: those that are set, unless a profile is asked for by name."""
    if profile is not None:
        return {"routine": ROUTINE, "complex": COMPLEX}
    return {"routine": agent.routine or ROUTINE, "complex": agent.complex or COMPLEX}


def rostered(roster: Roster, agent: AgentSettings, profile: Profile | None = None) -> Roster:
    """The roster, with the workloads of the agent's profile where they are asked by.

    Raises:
        ConfigError: the profile needs an own offer, and there is none.
    """
    asked = set(workloads_of(agent, profile).values())
    return profiled(roster, profile or agent.profile) if asked & {ROUTINE, COMPLEX} else roster


async def connected(account: AccountSettings) -> Toolset:
    """The tools of one account.

    Raises:
        ConfigError: it cannot be connected; the sentence says why.
    """
    kind = kinds()[account.kind]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await kind.connect(account.name, account.account, labels=account.labels, secret=secret_of)
    except IsthmusError as exc:
        raise ConfigError(f"{account.name} ({account.kind}): {exc.sentence}") from exc
    except TimeoutError as exc:
        raise ConfigError(f"{account.name} ({account.kind}) did not answer in {CONNECT_SECONDS:.0f} seconds.") from exc
    except ImportError as exc:
        raise ConfigError(
            f"{account.name} ({account.kind}) needs the package {exc.name}.",
            hint="Install it: pip install 'isthmus[agent]'.",
        ) from exc
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"{account.name} ({account.kind}) cannot be connected: {type(exc).__name__}.") from exc


async def secret_of(ref: SecretRef) -> str:
    """The secret of an account, whose file may be a sealed one.

    Raises:
        ConfigError: there is none where the reference points.
    """
    if ref.scheme == "file":
        path = Path(ref.name).expanduser()  # noqa: ASYNC240 - looks at no disk
        with contextlib.suppress(OSError):  # what cannot be read is told below, as for every secret
            if sealed.is_sealed(await asyncio.to_thread(path.read_bytes)):
                return await asyncio.to_thread(sealed.opened, path)
    return (await Secrets().resolve(ref)).decode("ascii")


def _policy(agent: AgentSettings) -> rules.Policy:
    if agent.policy is None:
        return rules.shipped()
    try:
        return rules.read(agent.policy.read_text(encoding="utf-8"), where=str(agent.policy))
    except OSError as exc:
        raise ConfigError(f"The policy {agent.policy} cannot be read: {exc.strerror}.") from exc


async def _toolsets(
    accounts: Mapping[str, AccountSettings], only: Collection[str] | None
) -> tuple[list[Toolset], tuple[Trouble, ...]]:
    """The tools of all accounts, and what could not be had. One that fails does not keep the agent from working."""
    wanted = [account for name, account in accounts.items() if only is None or name in only]
    found = await asyncio.gather(*(connected(account) for account in wanted), return_exceptions=True)
    toolsets: list[Toolset] = []
    troubles: list[Trouble] = []
    for account, toolset in zip(wanted, found, strict=True):
        if isinstance(toolset, ConfigError):
            troubles.append(Trouble(account.name, toolset.sentence))
        elif isinstance(toolset, BaseException):
            raise toolset
        else:
            toolsets.append(toolset)
    return _together(toolsets), tuple(troubles)


def _together(toolsets: list[Toolset]) -> list[Toolset]:
    """All accounts of messages as one tool set: the same four tools whatever their number."""
    messages = [toolset for toolset in toolsets if isinstance(toolset, MessagesToolset)]
    if len(messages) < 2:
        return toolsets
    others = [toolset for toolset in toolsets if not isinstance(toolset, MessagesToolset)]
    return [*others, MessagesToolset.together(messages)]
