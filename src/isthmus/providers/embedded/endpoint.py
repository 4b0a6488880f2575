"""Small questions to a running engine: is it well, is it busy.

Requests of clients do not go this way; they travel through the one sender like those to any other offer.
"""

from __future__ import annotations

import asyncio
import re

_BUSY = re.compile(rb"^llamacpp:requests_(?:processing|deferred) (\d+)", re.MULTILINE)


async def get(port: int, path: str, *, api_key: str, deadline: float) -> tuple[int, bytes]:
    """Status and body of an answer of the engine.

    Raises:
        OSError: no connection, or it broke.
        TimeoutError: no whole answer within `deadline` seconds.
    """
    async with asyncio.timeout(deadline):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = (f"GET {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {api_key}", "connection: close")
            writer.write("\r\n".join([*head, "", ""]).encode("ascii"))
            answer = await reader.read()
        finally:
            writer.close()
    start, _, body = answer.partition(b"\r\n\r\n")
    status = start.split(b" ", 2)[1:2]
    if not status or not status[0].isdigit():
        raise ConnectionError("the engine closed the connection without an answer")
    return int(status[0]), body


async def is_well(port: int, *, api_key: str, deadline: float = 5.0) -> bool:
    """Whether the engine answers its health check."""
    try:
        status, _ = await get(port, "/health", api_key=api_key, deadline=deadline)
    except OSError:  # TimeoutError is one
        return False
    return status == 200


async def requests_under_way(port: int, *, api_key: str, deadline: float = 5.0) -> int:
    """Requests the engine works on or has waiting; 0 where it does not answer."""
    try:
        _, body = await get(port, "/metrics", api_key=api_key, deadline=deadline)
    except OSError:
        return 0
    return sum(int(count) for count in _BUSY.findall(body))
