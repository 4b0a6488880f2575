"""One page, within caps, over connections to addresses that were checked.

No cookies, no logins, nothing that tells one asker from another. Each redirect is an address that is checked anew.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from isthmus.connectors.web.addresses import Address, address
from isthmus.connectors.web.reach import Reach
from isthmus.domain.errors import ToolError

MOST_BYTES = 20 * 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_CHUNK = 65_536
_AGENT = "Mozilla/5.0 (compatible; isthmus)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How pages are fetched."""

    reach: Reach
    context: ssl.SSLContext
    seconds: float
    most: int = MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked."""

    address: Address
    method: str = "GET"
    headers: Mapping[str, str]
    body: bytes | None = None


class Fetched(NamedTuple):
    """What came."""

    address: Address
    """Where it came from in the end."""
    hosts: frozenset[str]
    """All that were asked on the way."""
    media_type: str
    charset: str | None
    data: bytes


class Redirect(NamedTuple):
    """That it is elsewhere."""

    to: str


def fetch(to: Address, ways: Ways) -> Fetched:
    """Fetch what an address leads to. Waits for the network.

    Raises:
        ToolError: it cannot be had, is too large or too slow.
    """
    deadline = time.monotonic() + ways.seconds
    hosts: set[str] = set()
    for _ in range(_MOST_REDIRECTS + 1):
        hosts.add(to.host)
        request = Request(address=to, headers={"accept": "text/html,text/*;q=0.9,application/pdf;q=0.9,*/*;q=0.1"})
        answer = ask(request, ways, deadline=deadline)
        if not isinstance(answer, Redirect):
            media_type, charset, data = answer
            return Fetched(to, frozenset(hosts), media_type, charset, data)
        further = address(answer.to, base=to)
        if further.scheme < to.scheme:
            raise ToolError("The page leads from https to http, which is not followed.")
        to = further
    raise ToolError(f"The page leads on more than {_MOST_REDIRECTS} times.")


def ask(request: Request, ways: Ways, *, deadline: float) -> tuple[str, str | None, bytes] | Redirect:
    """One request, and its answer: media type, charset and content.

    Raises:
        ToolError: there is none, or it is none that can be used.
    """
    to = request.address
    found = ways.reach.addresses(*to.place)
    connection = _Connection(to, found, ways.context, deadline)
    headers = {"user-agent": _AGENT, "accept-encoding": "gzip", "connection": "close", **request.headers}
    try:
        connection.request(request.method, to.rest, body=request.body, headers=headers)
        with contextlib.closing(connection.getresponse()) as answer:
            if answer.status in _REDIRECTS and (location := answer.getheader("location")):
                # Servers write them in Latin-1 or UTF-8, and mean the latter.
                return Redirect(location.encode("latin-1", "replace").decode("utf-8", "replace"))
            if answer.status != http.client.OK:
                raise ToolError(f"{to.host} answers {answer.status}.", hint=_HINTS.get(answer.status))
            data = _body(answer, connection, ways.most)
            return answer.headers.get_content_type(), answer.headers.get_content_charset(), data
    except TimeoutError as error:
        raise ToolError(f"{to.host} takes too long.") from error
    except ssl.SSLCertVerificationError as error:
        raise ToolError(f"The certificate of {to.host} is not trusted.") from error
    except (OSError, http.client.HTTPException, zlib.error) as error:
        raise ToolError(f"Nothing can be had from {to.host}.") from error
    finally:
        connection.close()


_HINTS = {
    401: "It wants a login. A browser may have one.",
    403: "It does not give that to programmes. A browser may have it.",
    404: "There is no such page.",
    429: "It was asked too often. Try again later.",
}


def _body(answer: http.client.HTTPResponse, connection: _Connection, most: int) -> bytes:
    unpacking = None
    match (answer.getheader("content-encoding") or "identity").strip().lower():
        case "identity":
            pass
        case "gzip" | "x-gzip":
            unpacking = zlib.decompressobj(wbits=31)
        case _:
            raise ToolError("It comes packed in a way that is not read here.")
    too_large = ToolError(f"It is larger than {most // 1024**2} MB.")
    body = bytearray()
    while chunk := answer.read1(_CHUNK):
        # One byte more than there is room for is enough to know that it is too large.
        body += chunk if unpacking is None else unpacking.decompress(chunk, most - len(body) + 1)
        if len(body) > most or (unpacking is not None and unpacking.unconsumed_tail):
            raise too_large
        connection.wait_on()
    return bytes(body)


class _Connection(http.client.HTTPConnection):
    """A connection to one of the IP addresses that were checked, that knows its deadline."""

    def __init__(self, to: Address, found: list[str], context: ssl.SSLContext, deadline: float) -> None:
        host = f"[{to.host}]" if ":" in to.host else to.host
        super().__init__(host, to.port, timeout=_left(deadline))
        if to.scheme == "https":
            self.default_port = http.client.HTTPS_PORT
        self._to = to
        self._found = found
        self._context = context
        self._deadline = deadline
        self._wire: socket.socket | None = None

    @override
    def connect(self) -> None:
        failure: OSError = OSError("nobody is there")
        for ip in self._found[:4]:
            try:
                plain = socket.create_connection((ip, self._to.port), timeout=_left(self._deadline))
            except TimeoutError:
                raise
            except OSError as error:
                failure = error
                continue
            try:
                if self._to.scheme == "https":
                    plain = self._context.wrap_socket(plain, server_hostname=self._to.host)
            except BaseException:
                plain.close()
                raise
            self._wire = self.sock = plain
            return
        raise failure

    def wait_on(self) -> None:
        """Wait for the next bytes no longer than until the deadline."""
        # `sock` is gone as soon as the answer owns the connection; this one is the same, and still to be told.
        assert self._wire is not None
        self._wire.settimeout(_left(self._deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
