"""A gateway on a real socket, on the protocol it runs on in earnest."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from typing_extensions import override

from isthmus.gateway.connection import Connections


class _QuietServer(uvicorn.Server):
    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(application: Any, connections: Connections | None = None) -> AsyncIterator[int]:
    """Serve an ASGI application on a free port of the loopback interface; gives the port."""
    protocol = (connections or Connections()).protocol()
    config = uvicorn.Config(
        application,
        http=protocol,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _QuietServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.001)
            yield port
        finally:
            server.should_exit = server.force_exit = True
            await serving
