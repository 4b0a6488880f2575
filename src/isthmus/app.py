"""The one place where the parts are put together.

`running` gives a working isthmus without a server: what the command line uses for a single question. `serve` puts the
HTTP server in front of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from typing_extensions import override

from isthmus.agent.on_the_road import profiled
from isthmus.batches.batches import Batches
from isthmus.catalog.catalog import contents_of
from isthmus.detectors.registry import detectors_for
from isthmus.domain.errors import ConfigError, IsthmusError
from isthmus.domain.offer import Offer
from isthmus.gateway.connection import Connections
from isthmus.gateway.gateway import Gateway, GatewayLimits, Readiness
from isthmus.gateway.keyring import KeyRing
from isthmus.ledger import beliefs
from isthmus.ledger.batches import SqlBatchStore
from isthmus.ledger.capture import Capture, read_key
from isthmus.ledger.fingerprints import FingerprintFile, derive, installation_key, key_file, lineage_file, lineage_key
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store, open_store
from isthmus.ledger.writer import LedgerWriter
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Perimeter
from isthmus.providers.embedded.engines import EmbeddedEngines
from isthmus.providers.secrets import Secrets
from isthmus.providers.sender import HttpSender
from isthmus.routing.road import Road, RoadLimits
from isthmus.routing.roster import Roster
from isthmus.settings import Settings, SettingsFile, load

log = logging.getLogger("isthmus")

HOUSEKEEPING_SECONDS = 1.0
"""How often slow clients and changed settings are looked for."""


_SAMPLE = "Ask Mrs Example on +49 30 901820 or at info@example.org, card 4111 1111 1111 1111, before the end of May."
"""A text with something to find in it, to warm up on."""

_BEFORE_THE_CUT = 0.25

PRICES_SECONDS = 24 * 3600.0
"""How often a settings file is read again although it has not changed: prices have dates."""


@dataclass(slots=True)
class App:
    """The parts, running."""

    settings: Settings
    store_file: Path
    road: Road
    gateway: Gateway
    keyring: KeyRing
    keys: KeyStore
    gate: Gate
    engines: EmbeddedEngines
    writer: LedgerWriter
    batches: Batches

    @property
    def readiness(self) -> Readiness:
        """Ready when every embedded engine answers, or when something else can serve meanwhile."""
        waiting = [
            offer.name
            for offer in self.road.roster.offers.values()
            if offer.engine is not None and not self._is_ready(offer.name)
        ]
        return Readiness(len(waiting) < len(self.road.roster.offers), waiting)

    def _is_ready(self, engine: str) -> bool:
        status = self.engines.status(engine)
        return status is not None and status.state == "ready"

    async def apply(self, settings: Settings) -> None:
        """Put new settings in force. Requests under way end as they began."""
        here = self.settings.server
        if here.given:
            server = replace(settings.server, host=here.host, port=here.port, given=True)
            settings = replace(settings, server=server)
        perimeter = await asyncio.to_thread(perimeter_of, settings, self.store_file, self.gate.perimeter.lineage)
        await asyncio.to_thread(keep_beliefs, settings, self.store_file)
        self.settings = settings
        self.gate.perimeter = perimeter
        self.road.roster = roster_of(settings)
        await asyncio.to_thread(self.read_keys)
        await self.engines.reconcile(settings.offers.values())

    def read_keys(self) -> None:
        """Put the keys of settings and store in force. Blocks for a millisecond."""
        self.keyring.replace({**self.keys.load(), **self.settings.keys})


def roster_of(settings: Settings) -> Roster:
    """The offers and workloads of the settings, with those of the agent's profile where it has accounts."""
    roster = Roster(
        offers=settings.offers,
        workloads=settings.workloads,
        default_workload=settings.default_workload,
        uses=settings.uses,
        version=settings.version,
    )
    if settings.accounts and None in {settings.agent.routine, settings.agent.complex}:
        with contextlib.suppress(ConfigError):  # without an offer for the profile there is no agent; all else serves
            return profiled(roster, settings.agent.profile)
    return roster


def keep_beliefs(settings: Settings, store: Path) -> None:
    """Keep what the versions in entries stand for, before the first entry carries them.

    Raises:
        LedgerError: it cannot be written.
    """
    folder = beliefs.folder(store)
    beliefs.keep(folder, settings.beliefs)
    if not beliefs.has(folder, settings.manifest):
        contents = contents_of(updates=settings.catalog.updates, own=settings.catalog.own)
        beliefs.keep(folder, beliefs.catalog_text(contents))


def perimeter_of(settings: Settings, store: Path, lineage: Lineage | None = None) -> Perimeter:
    """The rules of labels in force, with the detectors and the memory they need.

    Without rules nothing is loaded: the detectors' libraries are as large as all the rest. May take a second.

    Args:
        settings: with the rules.
        store: file of the ledger; what the perimeter keeps lies beside it.
        lineage: that was in force before, to be kept.

    Raises:
        ConfigError: a detector that a rule needs cannot be had.
        LedgerError: the fingerprints or the key of this installation cannot be used.
    """
    policy = settings.policy
    if not policy.has_rules:
        return Perimeter()
    key = installation_key(key_file(store))
    if not settings.perimeter.lineage:
        lineage = None
    elif lineage is None:
        lineage = Lineage(FingerprintFile(lineage_file(store)), lineage_key(key), clock=time.time)
    detectors = detectors_for(
        {kind for rule in policy.rules.values() for kind in rule.kinds}, weights=settings.perimeter.topics
    )
    for detector in detectors:  # what is loaded or compiled at first use is now, and what cannot be is told now
        detector.find([_SAMPLE])
    if lineage is not None:
        lineage.recall("", [_SAMPLE])
    return Perimeter(
        policy=policy,
        detectors=detectors,
        lineage=lineage,
        key=derive(key, "pseudonyms"),
        surrogates=settings.perimeter.surrogates,
    )


async def _capture(settings: Settings, store: Store, writer: LedgerWriter) -> Capture | None:
    """What keeps content, where a key for it is set.

    Raises:
        ConfigError: the key cannot be read.
        InvalidRequest: it is not a key.
    """
    key = settings.store.content_key
    return None if key is None else Capture(store, read_key(await Secrets().resolve(key)), writer)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """All parts, running until the context is left; then the ledger is written out and the engines are stopped."""
    store = await asyncio.to_thread(open_store, settings.store.url)
    writer = LedgerWriter(
        store,
        group_ms=settings.store.group_ms,
        max_pending=settings.store.max_pending,
        on_failure=settings.store.on_failure,
    )
    engines = EmbeddedEngines(settings.cache_dir)
    capture = await _capture(settings, store, writer)
    await asyncio.to_thread(keep_beliefs, settings, store.path)
    gate = Gate(await asyncio.to_thread(perimeter_of, settings, store.path))
    sender = HttpSender(gate, engine_address=engines.address)
    try:
        await asyncio.to_thread(writer.start)
        if capture is not None:
            capture.start()
        keys = KeyStore(store)
        keyring = KeyRing({}, open_without_keys=settings.server.is_loopback and not keys.list())
        road = Road(
            roster_of(settings),
            sender,
            writer,
            gate,
            keeper=capture,
            limits=RoadLimits(
                messages=settings.server.limits.max_messages, stream_seconds=settings.server.limits.max_stream_seconds
            ),
        )
        batches = Batches(
            SqlBatchStore(store, await asyncio.to_thread(installation_key, key_file(store.path))),
            road,
            keyring.in_force,
            limits=settings.batches,
            idle=lambda offer: road.health.is_idle(offer),  # noqa: PLW0108 - the board is another after a while
        )
        gateway = Gateway(
            road,
            keyring,
            batches=batches,
            limits=GatewayLimits(
                body_bytes=settings.server.limits.max_body_bytes, in_flight=settings.server.limits.max_requests
            ),
        )
        app = App(settings, store.path, road, gateway, keyring, keys, gate, engines, writer, batches)
        gateway.readiness = lambda: app.readiness
        app.read_keys()
        await engines.start(settings.offers.values())
        yield app
    finally:
        await sender.aclose()
        await engines.aclose()
        if capture is not None:
            await asyncio.to_thread(capture.close)
        if (lineage := gate.perimeter.lineage) is not None:
            await asyncio.to_thread(lineage.close)
        await asyncio.to_thread(writer.close)
        store.dispose()


async def serve(app: App, *, started: Callable[[str, int], Coroutine[None, None, None]] | None = None) -> None:
    """Serve HTTP until SIGINT or SIGTERM; then let what is under way end, for as long as the settings allow.

    Args:
        app: the parts, running.
        started: called once the address is bound, with host and port: of port 0 only the system knows which it is.

    Raises:
        ConfigError: the address cannot be bound, or would be open to others without a key.
    """
    server_settings = app.settings.server
    if not server_settings.is_loopback and not app.keyring:
        raise ConfigError(
            f"{server_settings.host} can be reached from other machines, and no key exists.",
            hint="Make one with `isthmus keys add NAME`, or bind to 127.0.0.1.",
        )
    connections = Connections(
        head_bytes=server_settings.limits.max_header_bytes,
        request_seconds=server_settings.limits.header_timeout,
        most=server_settings.limits.max_connections,
    )
    server = _Server(
        app.road,
        uvicorn.Config(
            cast("Any", app.gateway),  # no ASGI application: our own protocol calls it, see ADR 2
            http=connections.protocol(),
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(server_settings.limits.drain_seconds),
        ),
    )
    loop = asyncio.get_running_loop()
    reload = asyncio.Event()
    with _bound(server_settings.host, server_settings.port) as listener:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        # What start-up made stays: the collector need not look through it again and again. Requests leave no cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        async with asyncio.TaskGroup() as tasks:
            housekeeping = tasks.create_task(_housekeeping(app, connections, reload))
            watching = tasks.create_task(app.keys.watch(lambda _: app.read_keys()))
            batching = tasks.create_task(app.batches.run())
            serving = tasks.create_task(server.serve(sockets=[listener]))
            if started is not None:
                host, port = listener.getsockname()[:2]
                tasks.create_task(started(host, port))
            await serving
            app.road.stopping = True  # lines of batches that are cut off now are asked again after the next start
            for task in (housekeeping, watching, batching):
                task.cancel()


class _Server(uvicorn.Server):
    """uvicorn's server, stopped by us: its own handling of signals ends the process before the ledger is written."""

    def __init__(self, road: Road, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._road = road

    def stop(self) -> None:
        """Stop serving; a second call does not wait for what is under way."""
        self.force_exit = self.should_exit
        self.should_exit = True
        # What is cut off when the time to end has passed is not the clients' doing.
        patience = 0 if self.force_exit else (self.config.timeout_graceful_shutdown or 0) - _BEFORE_THE_CUT
        asyncio.get_running_loop().call_later(max(0, patience), self._cut)

    def _cut(self) -> None:
        self._road.stopping = True

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=4096)
    except OSError as exc:
        raise ConfigError(
            # Not `exc.strerror`: asyncio and socket write number and address into it once more.
            f"{host}:{port} cannot be bound: {os.strerror(exc.errno) if exc.errno else exc}.",
            hint="Is another isthmus running? Choose another address with [server] bind, or --bind.",
        ) from exc
    with listener:
        listener.setblocking(False)
        yield listener


async def _housekeeping(app: App, connections: Connections, reload: asyncio.Event) -> None:
    """What is looked after once a second, off the path of requests: slow clients, changed settings."""
    watched = [SettingsFile(path) for path in app.settings.read_from]
    read_at = time.monotonic()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOUSEKEEPING_SECONDS):
                await reload.wait()
        connections.sweep()
        changed = [file.changed() for file in watched]  # of each, so that none is told again
        stale = bool(watched) and time.monotonic() - read_at > PRICES_SECONDS
        if not (reload.is_set() or stale or any(changed)):
            continue
        reload.clear()
        read_at = time.monotonic()
        before = app.settings
        try:
            await app.apply(await asyncio.to_thread(load, app.settings.source))
        except ConfigError as exc:
            log.error("settings refused, the old ones stay in force: %s", " ".join((exc.sentence, *exc.problems)))
        except IsthmusError as exc:
            log.error("settings not reloaded: %s", exc.sentence)
        else:
            log.warning("settings reloaded, catalog version %s", app.settings.version)
            warned = {(one.offer, one.band) for one in before.retirements}
            for one in app.settings.retirements:
                if (one.offer, one.band) not in warned:
                    log.warning("%s", one.sentence)
            for section in ("server", "store"):
                if getattr(before, section) != getattr(app.settings, section):
                    log.warning("what changed in [%s] counts from the next start on", section)


def embedded_offers(settings: Settings) -> list[Offer]:
    """Offers whose weights must be on this machine before they can serve."""
    return [offer for offer in settings.offers.values() if offer.engine is not None]
