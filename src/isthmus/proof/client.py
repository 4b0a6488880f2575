"""A client of isthmus that asks one thing, or leaves before it is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

_SECONDS = 30.0


class Told(NamedTuple):
    """What the client was told."""

    status: int | None
    """None: nothing, or the client left."""
    code: str | None
    """Of the error, in whichever dialect."""


async def ask(
    port: int,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    leave_when: asyncio.Event | None = None,
    patience: float = 0.3,
) -> Told:
    """Ask.

    Args:
        port: of isthmus on loopback.
        target: path and query.
        headers: beside those of the framing.
        body: JSON.
        leave_when: the client leaves when this is set, without reading; None: it reads to the end.
        patience: seconds after which it leaves even if that is not set.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"POST {target} HTTP/1.1", f"host: 127.0.0.1:{port}", "connection: close"]
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        if leave_when is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await leave_when.wait()
            return Told(None, None)
        async with asyncio.timeout(_SECONDS):
            answer = await reader.read()
    except (OSError, TimeoutError):
        return Told(None, None)
    finally:
        writer.transport.abort()
    head, _, content = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    return Told(status, None if status == 200 else _code(content))


def _code(content: bytes) -> str | None:
    try:
        error = msgspec.json.decode(content)["error"]
        return str(error.get("code") or error.get("type"))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None
