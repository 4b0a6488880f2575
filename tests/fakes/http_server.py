"""A gateway on a real socket, on the protocol it runs on in earnest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from isthmus.gateway.connection import Application, Connections


@asynccontextmanager
async def listening(application: Application, connections: Connections | None = None) -> AsyncIterator[int]:
    """Serve an application on a free port of the loopback interface; gives the port.

    What uvicorn's server does beside accepting, it does by a clock that ticks ten times a second; tests need not wait.
    """
    bounds = connections or Connections()
    config: Any = uvicorn.Config(application, loop="none", ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    state = ServerState()
    loop = asyncio.get_running_loop()
    protocol = bounds.protocol()
    server = await loop.create_server(lambda: protocol(config, state, {}, loop), "127.0.0.1", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(bounds.open):
            connection.drop()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await asyncio.sleep(0)
