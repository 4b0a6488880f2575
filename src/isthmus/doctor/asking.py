"""Asking an address: one GET, small, with a deadline for all of it. Whatever comes back is read and nothing is sent on.

Not the gateway's client: this one takes whatever answers, stops early, and keeps what it saw of the headers.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

SECONDS = 2.0
"""How long one question may take, from the connection to the last byte that is read."""

_LIMIT = 64 * 1024
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an address answered over HTTP."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; the last of several."""
    body: bytes
    """The beginning of it."""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def is_open(host: str, port: int, *, seconds: float = SECONDS) -> bool:
    """Whether anything takes a connection."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def get(
    host: str, port: int, path: str, headers: Mapping[str, str] | None = None, *, seconds: float = SECONDS
) -> Reply | None:
    """What is answered to a GET; None: nothing, or nothing that is HTTP.

    Args:
        host: a name or an address.
        port: of the service.
        path: with a slash at the beginning.
        headers: more of them; `Host` replaces the usual one.
        seconds: for all of it.
    """
    end = time.monotonic() + seconds
    named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = {"Host": named, "Accept": "*/*", "User-Agent": "isthmus-doctor", "Connection": "close"} | dict(
        headers or {}
    )
    head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.sendall(head.encode("latin-1"))
            return _read(_Timed(connection, end))
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _read(source: _Timed) -> Reply:
    answer = http.client.HTTPResponse(source)  # type: ignore[arg-type]  # it needs `makefile` alone
    answer.begin()
    body = b""
    try:
        while len(body) < _LIMIT and (piece := answer.read1(_LIMIT - len(body))):
            body += piece
    except (OSError, http.client.HTTPException):
        pass  # the deadline in the middle of a long answer, or a broken one: its beginning is what counts
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(status=answer.status, headers=headers, body=body)


class _Timed(io.RawIOBase):
    """A connection that reads until one deadline: a server that drips bytes holds nobody up."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection = connection
        self._end = end

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
