"""An agent for a command: in this process with its models, or thinking with those of an isthmus that runs elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from anyio.from_thread import BlockingPortal, start_blocking_portal
from rich.console import Console

from isthmus.agent.happenings import Happening
from isthmus.agent.inert import one_line
from isthmus.agent.on_the_road import OnTheRoad
from isthmus.agent.ports import Reasoner
from isthmus.agent.profiles import Profile, Work
from isthmus.app import running
from isthmus.app_agent import Attended, attended, rostered
from isthmus.cli.question import KEY_VARIABLE
from isthmus.cli.weights import fetch_weights
from isthmus.domain.errors import ConfigError, InvalidRequest
from isthmus.domain.offer import SecretRef
from isthmus.ledger.store import open_store
from isthmus.providers.remote import RemoteReasoner
from isthmus.settings import Settings

_ANYWHERE: Mapping[Work, str] = {"routine": "auto", "complex": "auto"}
"""What an isthmus elsewhere is asked for where nothing is set: it decides."""


@asynccontextmanager
async def agent_here(
    settings: Settings, *, profile: Profile | None = None, url: str | None = None, only: Collection[str] | None = None
) -> AsyncIterator[Attended]:
    """An agent that runs until the context is left.

    Args:
        settings: with its accounts.
        profile: in the place of the one that is set.
        url: of an isthmus whose models it thinks with; None: those of the settings.
        only: the accounts it is given; None: all.

    Raises:
        InvalidRequest: profile and address are both given.
    """
    async with AsyncExitStack() as stack:
        reasoner: Reasoner
        workloads: Mapping[Work, str] | None = None
        if url is not None:
            if profile is not None:
                raise InvalidRequest(
                    "The isthmus at that address decides by its own settings which models serve.",
                    hint="Leave out --profile, or --url.",
                )
            key = SecretRef("env", KEY_VARIABLE) if os.environ.get(KEY_VARIABLE) else None
            remote = RemoteReasoner(url, key=key)
            stack.push_async_callback(remote.aclose)
            reasoner = remote
            if settings.agent.routine is None and settings.agent.complex is None:
                workloads = _ANYWHERE
        else:
            app = await stack.enter_async_context(running(settings))
            app.road.roster = rostered(app.road.roster, settings.agent, profile)
            reasoner = OnTheRoad(app.road)
        store = await asyncio.to_thread(open_store, settings.store.url)
        stack.callback(store.dispose)
        yield await stack.enter_async_context(
            attended(settings, store, reasoner, profile=profile, workloads=workloads, only=only)
        )


def prepare(settings: Settings, *, url: str | None) -> None:
    """Have what must be on this machine before an agent starts, and say what is missing before anything else.

    Raises:
        ConfigError: there is no account.
    """
    if not settings.accounts:
        raise ConfigError(
            "The agent has no accounts, so there is nothing it could do.",
            hint="`isthmus agent setup` finds them; or write [accounts.NAME] into the settings.",
        )
    if url is None:
        fetch_weights(settings, Console(stderr=True))


def tell_troubles(console: Console, attended: Attended) -> None:
    """Say which accounts it has to do without."""
    for trouble in attended.troubles:
        console.print(f"! {one_line(trouble.sentence, 300)}", style="yellow", markup=False)


@dataclass(frozen=True, slots=True)
class Beside:
    """An agent on a loop of its own, in a thread beside the one that reads the keyboard."""

    portal: BlockingPortal
    attended: Attended

    def happenings(self, turn: AsyncIterator[Happening]) -> Generator[Happening, None, None]:
        """What happens in a turn. Closing the iterator stops the turn and waits until it has."""
        told: SimpleQueue[Happening | None] = SimpleQueue()

        async def pump() -> None:
            try:
                async for happening in turn:
                    told.put(happening)
            finally:
                told.put(None)

        future = self.portal.start_task_soon(pump)
        try:
            while (happening := told.get()) is not None:
                yield happening
            future.result()
        finally:
            if not future.done():
                future.cancel()
                while told.get() is not None:
                    pass


@contextmanager
def agent_beside(settings: Settings, *, profile: Profile | None, url: str | None) -> Iterator[Beside]:
    """An agent for a command that talks with a person: Ctrl-C reaches the command alone."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(agent_here(settings, profile=profile, url=url)) as found,
    ):
        yield Beside(portal, found)
