"""The one way out to a model: address, key, framing, and a connection from the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urlsplit

from isthmus.domain.errors import ConfigError, ProviderError
from isthmus.domain.offer import Offer
from isthmus.domain.ports import WireRequest, WireResponse
from isthmus.providers.http11.exchange import Exchange
from isthmus.providers.http11.framing import Header, request_head
from isthmus.providers.http11.pool import MOST_CONNECTIONS, Origin, Pool
from isthmus.providers.http11.proxy import Proxy
from isthmus.providers.secrets import Secrets

EngineAddress = Callable[[Offer], Awaitable[tuple[str, str]]]
"""Base address and key of an embedded offer's engine; waits while it starts, raises ProviderError when it is down."""

_AUTH: dict[str, bytes] = {
    "bearer": b"authorization: Bearer ",
    "x-api-key": b"x-api-key: ",
    "x-goog-api-key": b"x-goog-api-key: ",
    "api-key": b"api-key: ",
}

_FIXED: tuple[Header, ...] = (
    (b"user-agent", b"isthmus/" + version("isthmus").encode("ascii")),
    (b"accept", b"application/json, text/event-stream"),
    (b"accept-encoding", b"identity"),
    (b"content-type", b"application/json"),
)


class _Way(NamedTuple):
    """How requests to an offer are sent: all of it that does not change from one to the next."""

    offer: Offer
    base_url: str
    head: bytes
    pool: Pool


class HttpSender:
    """Fulfils `domain.ports.Sender`. Belongs to one event loop.

    Args:
        secrets: resolves the offers' keys.
        engine_address: where the engines of embedded offers are.
        most_connections: to one origin.
    """

    def __init__(
        self,
        secrets: Secrets | None = None,
        *,
        engine_address: EngineAddress | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._engine_address = engine_address
        self._most = most_connections
        self._pools: dict[Origin, Pool] = {}
        self._ways: dict[tuple[str, str], _Way] = {}
        self._loop = asyncio.get_running_loop()

    async def send(self, offer: Offer, request: WireRequest) -> WireResponse:
        began = self._loop.time()
        base_url = offer.base_url
        engine_key = None
        if offer.engine is not None:
            base_url, engine_key = await self._engine(offer)
        way = self._ways.get((offer.name, request.path))
        if way is None or way.offer is not offer or way.base_url != base_url:
            way = self._way(offer, base_url, request)
        authorization = b""
        if engine_key is not None:
            authorization = b"authorization: Bearer %s\r\n" % engine_key.encode("ascii")
        elif offer.key is not None and offer.auth != "none":
            secret = self._secrets.known(offer.key) or await self._secrets.resolve(offer.key)
            authorization = b"%s%s\r\n" % (_AUTH[offer.auth], secret)
        data = b"%s%scontent-length: %d\r\n\r\n%s" % (way.head, authorization, len(request.body), request.body)
        exchange = Exchange(offer.name, offer.deadlines, began, self._loop)
        try:
            return await way.pool.exchange(exchange, data, offer.deadlines.connect)
        except ProviderError as exc:
            exc.offer = offer.name
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()
        await asyncio.sleep(0)  # let the transports say good-bye

    async def _engine(self, offer: Offer) -> tuple[str, str]:
        if self._engine_address is None:
            raise ConfigError(f"{offer.name} is embedded, and no engine runs in this process.")
        return await self._engine_address(offer)

    def _way(self, offer: Offer, base_url: str, request: WireRequest) -> _Way:
        origin = Origin.of(base_url, proxy=offer.proxy, ca_file=offer.ca_file)
        parts = urlsplit(base_url)
        path = parts.path.rstrip("/") + (request.path if offer.path is None else offer.path)
        if offer.query:
            path += ("&" if "?" in path else "?") + offer.query
        headers: list[Header] = [(b"host", _host(parts.netloc))]
        if origin.proxy is not None and origin.scheme == "http":
            path = f"http://{parts.netloc}{path}"
            if (authorization := Proxy.parse(origin.proxy).authorization) is not None:
                headers.append(authorization)
        headers += _FIXED
        headers += request.headers
        headers += ((name.encode("ascii"), value.encode("latin-1")) for name, value in offer.headers)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, most=self._most)
        way = _Way(offer, base_url, request_head(path.encode("ascii"), headers), pool)
        self._ways[offer.name, request.path] = way
        return way


def _host(netloc: str) -> bytes:
    """The host field for an address; international names in their ASCII form."""
    host = netloc.rpartition("@")[2]
    return host.encode("ascii") if host.isascii() else host.encode("idna")
