"""The engines of all embedded offers: started, watched, restarted, replaced on reload, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from isthmus.domain.errors import UpstreamUnreachable
from isthmus.domain.offer import Offer
from isthmus.providers.embedded.engine import CHILD_COMMAND, Pace, Status, SupervisedEngine
from isthmus.providers.embedded.weights import WeightsCache

PROVIDER = "embedded"


class EmbeddedEngines:
    """One engine per embedded offer.

    Belongs to one event loop. Nothing is downloaded here: an offer whose weights are missing is unreachable, says so,
    and comes up by itself once they have been fetched.

    Args:
        cache_dir: folder of isthmus below the user's cache folder; weights are looked for in its `weights`.
        weights: where to look instead.
        pace: how fast to restart, how often to check.
        command: starts the process of an engine.
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        weights: WeightsCache | None = None,
        pace: Pace | None = None,
        command: Sequence[str] = CHILD_COMMAND,
    ) -> None:
        self._weights = weights if weights is not None else WeightsCache(cache_dir / "weights")
        self._pace = pace if pace is not None else Pace()
        self._command = command
        self._engines: dict[str, SupervisedEngine] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self, offers: Iterable[Offer]) -> None:
        """Begin to start the engines of the embedded ones among `offers`; returns before they are ready."""
        await self.reconcile(offers)

    async def reconcile(self, offers: Iterable[Offer]) -> None:
        """Make the engines be those of `offers`: start new ones, replace changed ones, stop the others.

        An engine that is no longer wanted finishes the requests it works on; its replacement serves new ones meanwhile.

        Raises:
            ConfigError: an offer asks for parameters no engine can run with. Nothing has changed then.
        """
        wanted = {offer.name: offer for offer in offers if offer.provider == PROVIDER}
        new = {
            name: SupervisedEngine(offer, self._weights, self._pace, command=self._command)
            for name, offer in wanted.items()
            if name not in self._engines or not self._engines[name].serves(offer)
        }
        for name in [name for name in self._engines if name not in wanted or name in new]:
            self._retire(self._engines.pop(name))
        for name, engine in new.items():
            self._engines[name] = engine
            engine.start()

    async def address(self, offer: Offer) -> tuple[str, str]:
        """Where the engine of an offer is reached: its base address and its key. Waits while it is starting.

        Raises:
            UpstreamUnreachable: it is down, or its weights are missing.
        """
        engine = self._engines.get(offer.name)
        if engine is None:
            raise UpstreamUnreachable(f"No engine was started for offer '{offer.name}'.", offer=offer.name)
        return await engine.address()

    def status(self, name: str) -> Status | None:
        """How the engine of the offer `name` is; None: there is none."""
        engine = self._engines.get(name)
        return None if engine is None else engine.status

    async def aclose(self) -> None:
        """Stop all engines, at once."""
        for task in self._leaving:
            task.cancel()
        stopping = [engine.stop() for engine in self._engines.values()]
        self._engines.clear()
        await asyncio.gather(*stopping, *self._leaving, return_exceptions=True)

    def _retire(self, engine: SupervisedEngine) -> None:
        task = asyncio.create_task(engine.finish(), name="isthmus-engine-leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
