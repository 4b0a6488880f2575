"""The real isthmus on the user's settings, with stand-ins in the places of all offers.

Only addresses, keys and deadlines differ from the settings, that no engine is started, and that every offer is taken
to be able to do everything: what it cannot do must not be what holds content back.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from typing_extensions import override

from isthmus.app import App, running
from isthmus.domain.offer import Capabilities, Deadlines, Offer
from isthmus.domain.principal import Key
from isthmus.gateway.connection import Connections
from isthmus.proof.stand_ins import Recording, StandIn
from isthmus.settings import Settings

DEADLINES = Deadlines(connect=1.0, first_byte=0.4, between_bytes=0.4, total=5.0)
"""Of all offers: a stand-in that hangs is to be given up soon."""

_DATABASE = "isthmus.db"


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything, running."""

    app: App
    port: int
    """Where isthmus listens, on loopback."""
    stand_ins: Mapping[str, StandIn]
    """By name of the offer."""
    recording: Recording


@asynccontextmanager
async def staged(settings: Settings, folder: Path, keys: Iterable[Key]) -> AsyncIterator[Stage]:
    """Set the stage in an empty folder.

    Args:
        settings: the user's own.
        folder: takes all that isthmus writes.
        keys: the only ones there are.

    Raises:
        IsthmusError: isthmus would not start on these settings.
    """
    recording = Recording()
    stand_ins = {name: StandIn(offer, recording) for name, offer in settings.offers.items()}
    (folder / "state").mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        for stand_in in stand_ins.values():
            await stand_in.start()
            stack.push_async_callback(stand_in.stop)
        ports = {name: stand_in.port for name, stand_in in stand_ins.items()}
        app = await stack.enter_async_context(running(_rehearsed(settings, folder, ports, keys)))
        port = await stack.enter_async_context(_listening(app))
        yield Stage(app=app, port=port, stand_ins=stand_ins, recording=recording)


def _rehearsed(settings: Settings, folder: Path, ports: Mapping[str, int], keys: Iterable[Key]) -> Settings:
    return replace(
        settings,
        server=replace(settings.server, host="127.0.0.1", port=0),
        store=replace(settings.store, url=f"sqlite:///{folder / _DATABASE}"),
        offers={name: _moved(offer, ports[name]) for name, offer in settings.offers.items()},
        keys={key.hash: key for key in keys},
        state_dir=folder / "state",
    )


def _moved(offer: Offer, port: int) -> Offer:
    return replace(
        offer,
        # Not `embedded`: an engine would be started for it. No rule asks for the provider.
        provider="stand-in",
        engine=None,
        base_url=f"http://127.0.0.1:{port}",
        key=None,
        auth="none",
        deadlines=DEADLINES,
        capabilities=Capabilities(embeddings="yes", moderation="yes"),
        proxy=None,
        ca_file=None,
    )


@asynccontextmanager
async def _listening(app: App) -> AsyncIterator[int]:
    """The gateway on a free port of loopback, on the protocol it runs on in earnest."""
    limits = app.settings.server.limits
    connections = Connections(head_bytes=limits.max_header_bytes, most=limits.max_connections)
    server = _Server(
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
            timeout_graceful_shutdown=1,
        )
    )
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.001)
            yield port
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to whoever runs the proof."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class LogTape(logging.Handler):
    """Everything that is logged, at whatever level, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def taped_log() -> Iterator[LogTape]:
    """Put all logging on a tape and nowhere else."""
    tape, root = LogTape(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [tape]
    root.setLevel(logging.DEBUG)
    try:
        yield tape
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
