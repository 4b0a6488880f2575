"""Fetches the public feeds of the catalog: when it is asked to, from a fixed list of hosts, over TLS, within caps.

A feed is data, never a programme: what comes back is bytes for `isthmus.catalog.feeds` to read strictly. A redirect is
followed within the list alone. A company's mirror takes the place of the hosts where it is named: then every address is
`<mirror>/<host>/<path>`, and the mirror is the only host on the list.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from typing_extensions import override

from isthmus.catalog.claim import Source
from isthmus.catalog.feeds.extract import DEPRECATIONS, GENAI_PRICES, MODELS_DEV, Copy
from isthmus.domain.errors import ConfigError

RAW, MODELS = "raw.githubusercontent.com", "models.dev"

HOSTS = frozenset({RAW, MODELS})
"""All that is ever connected to, where no mirror is named."""

URLS: Mapping[str, str] = {
    GENAI_PRICES: f"https://{RAW}/pydantic/genai-prices/main/prices/new_data/v2/data.json",
    MODELS_DEV: f"https://{MODELS}/api.json",
    DEPRECATIONS: f"https://{RAW}/deprecations/deprecations-rss/main/data.json",
}

BYTES_MAX: Mapping[str, int] = {GENAI_PRICES: 8_000_000, MODELS_DEV: 24_000_000, DEPRECATIONS: 8_000_000}
"""Some five to ten times what the feeds have today."""

_REDIRECTS = {301, 302, 303, 307, 308}
_REDIRECTS_MAX = 3
_CHUNK = 65_536


class Address(NamedTuple):
    host: str
    port: int


Locate = Callable[[str, int], Address]
"""Where a host and port of the list is connected to. TLS still asks for the host of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How feeds are fetched."""

    mirror: str | None = None
    """`https://…` of a mirror; None: the feeds' own hosts."""
    ca_file: str | None = None
    """PEM file of the authorities to trust; None: the system's."""
    seconds: float = 60.0
    """For one feed, all in all."""
    locate: Locate = Address


class FetchFailed(ConfigError):
    """A feed cannot be had, or is not what it should be. Nothing of it is used."""


def fetch(feed: str, fetching: Fetching, today: date) -> Copy:
    """Fetch one feed.

    Args:
        feed: one of `URLS`.
        fetching: how.
        today: the day that the copy is of.

    Raises:
        FetchFailed: no connection, no trust, a redirect that leads away, an answer that is too large or late or not
            200.
    """
    url = URLS[feed]
    allowed = HOSTS
    if fetching.mirror is not None:
        parts = urlsplit(url)
        url = f"{fetching.mirror.rstrip('/')}/{parts.hostname}{parts.path}"
        allowed = frozenset({urlsplit(fetching.mirror).hostname or ""})
    deadline = time.monotonic() + fetching.seconds
    context = _trust(fetching.ca_file)
    for _ in range(_REDIRECTS_MAX + 1):
        answer = _get(_checked(url, allowed), fetching, context, BYTES_MAX[feed], deadline)
        if isinstance(answer, bytes):
            digest = hashlib.sha256(answer).hexdigest()
            title = f"{feed}, downloaded"
            return Copy(
                text=answer,
                source=Source(url=url, kind="feed", observed_on=today, content_sha256=digest, title=title),
            )
        url = urljoin(url, answer.to)
    raise FetchFailed(f"{url}: redirects more than {_REDIRECTS_MAX} times.")


class _Redirect(NamedTuple):
    to: str


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise FetchFailed(f"{ca_file}: is no file of certificate authorities: {exc}.") from exc


def _checked(url: str, allowed: frozenset[str]) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.username is not None or parts.hostname not in allowed:
        raise FetchFailed(
            f"{parts.scheme}://{parts.hostname or ''}: is not on the list of hosts, or not https.",
            hint=f"Feeds come from {' and '.join(sorted(allowed))} alone, over https.",
        )
    return url


def _get(url: str, fetching: Fetching, context: ssl.SSLContext, limit: int, deadline: float) -> bytes | _Redirect:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = _Connection(parts.hostname, parts.port or 443, context, fetching.locate, deadline)
    try:
        connection.request("GET", parts.path or "/", headers={"accept-encoding": "identity", "user-agent": "isthmus"})
        answer = connection.getresponse()
        if answer.status in _REDIRECTS and (to := answer.getheader("location")):
            return _Redirect(to)
        if answer.status != http.client.OK:
            raise FetchFailed(f"{url}: answers {answer.status}.")
        return _body(answer, connection, url, limit, deadline)
    except TimeoutError as exc:
        raise FetchFailed(f"{url}: took too long.") from exc
    except ssl.SSLCertVerificationError as exc:
        raise FetchFailed(f"{url}: its certificate is not trusted: {exc.verify_message}.") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise FetchFailed(f"{url}: cannot be fetched: {str(exc) or type(exc).__name__}.") from exc
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, connection: _Connection, url: str, limit: int, deadline: float) -> bytes:
    told = answer.length
    if told is not None and told > limit:
        raise FetchFailed(f"{url}: has {told:,} bytes, more than the {limit:,} that are taken.")
    body = bytearray()
    while chunk := answer.read1(_CHUNK):
        body += chunk
        if len(body) > limit:
            raise FetchFailed(f"{url}: has more than the {limit:,} bytes that are taken.")
        connection.wait_until(deadline)
    if told is not None and len(body) < told:
        raise FetchFailed(f"{url}: ended after {len(body):,} of {told:,} bytes.")
    return bytes(body)


class _Connection(http.client.HTTPSConnection):
    """A connection that may be made elsewhere than its name says, and that knows its deadline."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, locate: Locate, deadline: float) -> None:
        super().__init__(host, port, timeout=_left(deadline), context=context)
        self._trusted = context
        self._locate = locate
        self._deadline = deadline
        self._wire: ssl.SSLSocket | None = None

    @override
    def connect(self) -> None:
        plain = socket.create_connection(self._locate(self.host, self.port), timeout=_left(self._deadline))
        try:
            self._wire = self.sock = self._trusted.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def wait_until(self, deadline: float) -> None:
        """Wait no longer than that for the next bytes."""
        # `sock` is gone as soon as the answer owns the connection; this one is the same, and still to be told.
        assert self._wire is not None
        self._wire.settimeout(_left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
