"""One conversation with a WebDAV server: what is asked, what comes back, and what went wrong in our words.

The password goes to the server that the user named and to no other: an address that the server gives is followed only
where it is on the same host, or on one that the user named too. Whatever comes back is bounded in bytes and time.

A change is asked for once. Where the connection is lost after it was asked for, nobody knows what became of it, and
that is said (`ToolUncertain`).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from isthmus.connectors.webdav.multistatus import Malformed, Resource, resources
from isthmus.domain.errors import ToolError, ToolUncertain

SECONDS = 30.0
"""For an answer, all of it."""
MAX_BYTES = 16 * 1024 * 1024
"""Of one answer."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_PIECE = 1 << 16
_REDIRECTS = 3
_CHANGES = frozenset({"PUT", "DELETE", "MOVE", "MKCALENDAR", "MKCOL", "POST"})
_MOVED = frozenset({301, 302, 307, 308})
_UNCERTAIN = frozenset({502, 504})
"""A gateway's: whether the server behind it did what was asked is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    url: str
    """Of what was asked in the end."""
    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def etag(self) -> str:
        """The version of the resource, as the server calls it. Empty: it does not say."""
        return self.headers.get("etag", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a server is, and how it is spoken to."""

    url: str
    """Where to begin to look; `https`, or `http` on this machine."""
    also: frozenset[str] = frozenset()
    """Further hosts of the same service that get the password."""
    context: ssl.SSLContext | None = None
    """None: where `url` is on this machine and says `http`."""
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError(f"{self.url!r} is no https address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError(f"{parts.hostname} is another machine, so the password needs https there")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a password stands in the address; name it as a secret instead")

    @property
    def where(self) -> str:
        return urlsplit(self.url).netloc


ELSEWHERE = (403, 404, 405, 501)
"""Statuses by which servers say that something is not to be found at an address where it might have been."""


@dataclass(slots=True)
class Dav:
    """A conversation. For one thread at a time; `cut` may be called from another."""

    server: Server
    account: str
    """Its name, as errors call it."""
    login: tuple[str, str]
    _connections: dict[tuple[str, str], http.client.HTTPConnection] = field(default_factory=dict)
    _ended: bool = False

    # -- asking -------------------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        url: str,
        body: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """Ask for something.

        Args:
            method: `PROPFIND`, `PUT`, …
            url: absolute, or a path of the server.
            body: of the request; `headers` say its type.
            headers: beyond those that each request has.
            expect: statuses besides 2xx that are an answer and no error.

        Raises:
            ToolError: it cannot be had; nothing has changed.
            ToolUncertain: it was a change, and it is not known what became of it.
        """
        url = self.resolved(url)
        for _ in range(_REDIRECTS + 1):
            answer = self._once(method, url, body.encode(), dict(headers or {}))
            if answer.status in _MOVED and method not in _CHANGES and "location" in answer.headers:
                url = self.resolved(answer.headers["location"], base=url)
                continue
            if 200 <= answer.status < 300 or answer.status in expect:
                return answer
            raise self._refused(method, answer.status)
        raise ToolError(f"The server {self.server.where} sends from one address to the next and never answers.")

    def find(
        self, method: str, url: str, body: str, *, depth: int | None = None, missing: Collection[int] = (404,)
    ) -> list[Resource]:
        """Ask about resources (PROPFIND, REPORT).

        Args:
            method: see there.
            url: of the resource, or of what holds them.
            body: what is asked.
            depth: 0: of the resource itself; 1: of what it holds too.
            missing: statuses that mean that there is nothing: an empty list.

        Raises:
            ToolError: it cannot be had.
        """
        headers = {"content-type": "application/xml; charset=utf-8"}
        if depth is not None:
            headers["depth"] = str(depth)
        answer = self.ask(method, url, body, headers=headers, expect=missing)
        if answer.status != 207:
            return []
        try:
            found = resources(answer.body)
        except Malformed as error:
            raise ToolError(
                f"The server {self.server.where} answers in a way that is not understood: {error}."
            ) from error
        return [Resource(self.resolved(one.href, base=answer.url), one.properties) for one in found]

    def resolved(self, address: str, *, base: str | None = None) -> str:
        """An address as an absolute one.

        Raises:
            ToolError: it is on a host that the password is not for.
        """
        url = urljoin(base or self.server.url, address)
        parts, home = urlsplit(url), urlsplit(self.server.url)
        same = (parts.scheme, parts.hostname, _port(parts)) == (home.scheme, home.hostname, _port(home))
        if not same and not (parts.scheme == "https" and parts.hostname in self.server.also and _port(parts) == 443):
            raise ToolError(
                f"The server {self.server.where} points to another host, which the password is not for.",
                hint="If that host belongs to the service, the user has to name it in the account's `also`.",
            )
        return url

    # -- the connection -----------------------------------------------------------------------------------------

    def cut(self) -> None:
        """End it, also in the midst of an answer that another thread waits for."""
        self._ended = True
        for connection in list(self._connections.values()):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _once(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        try:
            connection, fresh = self._connected(parts)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        user, password = self.login
        headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["accept-encoding"] = "identity"
        target = parts.path or "/"
        if parts.query:
            target = f"{target}?{parts.query}"
        try:
            connection.request(method, target, body, headers)
            return self._answer(connection, url, time.monotonic() + self.server.seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connections.pop((parts.scheme, parts.netloc), None)
            connection.close()
            if method in _CHANGES:
                raise ToolUncertain(
                    f"The connection to {self.server.where} was lost while something was changed there."
                ) from error
            if fresh or isinstance(error, TimeoutError):
                raise self._lost(error) from error
            # A connection that was kept for a while may have been closed at the other end.
            return self._once(method, url, body, headers)

    def _connected(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, bool]:
        if self._ended:
            raise OSError("ended")
        at = (parts.scheme, parts.netloc)
        if (known := self._connections.get(at)) is not None and known.sock is not None:
            return known, False
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                host, _port(parts), timeout=self.server.seconds, context=self.server.context
            )
        else:
            connection = http.client.HTTPConnection(host, _port(parts), timeout=self.server.seconds)
        self._connections[at] = connection
        connection.connect()
        return connection, True

    def _answer(self, connection: http.client.HTTPConnection, url: str, until: float) -> Answer:
        answer = connection.getresponse()
        pieces: list[bytes] = []
        size = 0
        while piece := answer.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise http.client.HTTPException("too much")
            if time.monotonic() > until:
                raise TimeoutError("too slow")
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        headers = {name.lower(): value for name, value in answer.getheaders()}
        answer.close()  # else the connection waits for the rest of it, of which there is none
        return Answer(url=url, status=answer.status, headers=headers, body=b"".join(pieces))

    # -- what went wrong ----------------------------------------------------------------------------------------

    def _lost(self, error: Exception) -> ToolError:
        where = self.server.where
        match error:
            case ssl.SSLError():
                return ToolError(
                    f"The server {where} has no certificate that can be trusted, or speaks no TLS there.",
                    hint="The user has to check the account's url.",
                )
            case TimeoutError():
                return ToolError(f"The server {where} does not answer in time.", hint="Try again later.")
            case http.client.HTTPException() | ValueError():
                return ToolError(f"The server {where} answers in a way that is not understood, or far too much.")
            case _:
                return ToolError(f"The server {where} cannot be reached.", hint="Try again later.")

    def _refused(self, method: str, status: int) -> ToolError:
        where = self.server.where
        match status:
            case 401:
                return ToolError(
                    f"The server {where} does not take user and password of account {self.account}.",
                    hint="The user has to check them; some providers want a password made for one programme.",
                )
            case 403:
                return ToolError(f"The server {where} does not allow that.")
            case 404 | 409 | 410:
                return ToolError("It is not there any more.", hint="Look for it again.")
            case 412 | 423:
                return ToolError(
                    "It was changed meanwhile, by somebody or another programme; nothing was done.",
                    hint="Look at it again, and decide anew.",
                )
            case 413 | 507:
                return ToolError(f"The server {where} has no room for that.")
            case _ if status in _UNCERTAIN and method in _CHANGES:
                return ToolUncertain(f"The server {where} does not say what became of it (code {status}).")
            case _:
                return ToolError(f"The server {where} refuses (code {status}).", hint="Try again later.")


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        return -1
    return port or (443 if parts.scheme == "https" else 80)
