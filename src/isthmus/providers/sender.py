"""The one way out to a model: address, key, framing, and a connection from the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urlsplit

from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.errors import ConfigError, UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Guard, WireResponse
from isthmus.providers.http11.exchange import Exchange
from isthmus.providers.http11.framing import Header, encoded, request_head
from isthmus.providers.http11.pool import MOST_CONNECTIONS, Origin, Pool
from isthmus.providers.http11.proxy import Proxy
from isthmus.providers.http11.watch import Watch
from isthmus.providers.secrets import Secrets

EngineAddress = Callable[[Offer], Awaitable[tuple[str, str]]]
"""Base address and key of an embedded offer's engine; waits while it starts, raises ProviderError when it is down."""

_AUTH: dict[str, bytes] = {
    "bearer": b"authorization: Bearer ",
    "x-api-key": b"x-api-key: ",
    "x-goog-api-key": b"x-goog-api-key: ",
    "api-key": b"api-key: ",
}

_FIXED: dict[bytes, bytes] = {
    b"user-agent": b"isthmus/" + version("isthmus").encode("ascii"),
    b"accept": b"application/json, text/event-stream",
    b"accept-encoding": b"identity",
    b"content-type": b"application/json",
}

_MOST_WAYS = 1024


class _Way(NamedTuple):
    """How requests to an offer are sent: all of it that does not change from one to the next."""

    offer: Offer
    base_url: str
    extra: Sequence[Header]
    head: bytes
    pool: Pool


class HttpSender:
    """Fulfils `domain.ports.Sender`. Belongs to one event loop.

    Args:
        guard: takes the perimeter's last look at what is about to leave.
        secrets: resolves the offers' keys.
        engine_address: where the engines of embedded offers are.
        most_connections: to one origin.
    """

    def __init__(
        self,
        guard: Guard,
        secrets: Secrets | None = None,
        *,
        engine_address: EngineAddress | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._guard = guard
        self._secrets = secrets or Secrets()
        self._engine_address = engine_address
        self._most = most_connections
        self._pools: dict[Origin, Pool] = {}
        self._ways: dict[tuple[str, str], _Way] = {}
        self._loop = asyncio.get_running_loop()
        self._watch = Watch(self._loop)
        self._closed = False

    async def send(self, crossing: Crossing) -> WireResponse:
        began = self._loop.time()
        offer, request = crossing.offer, crossing.request
        base_url = offer.base_url
        authorization = b""
        if offer.engine is not None:
            base_url, engine_key = await self._engine(offer)
            authorization = b"authorization: Bearer %s\r\n" % engine_key.encode("ascii")
        elif offer.key is not None and offer.auth != "none":
            secret = self._secrets.known(offer.key) or await self._secrets.resolve(offer.key)
            authorization = b"%s%s\r\n" % (_AUTH[offer.auth], secret)
        await self._guard.check(crossing)
        # From here to the connection nothing is waited for: the way's pool cannot be dropped in between.
        way = self._ways.get((offer.name, request.path))
        if way is None or way.offer is not offer or way.base_url != base_url or way.extra != request.headers:
            way = self._way(offer, base_url, request)
        head = b"%s%scontent-length: %d\r\n\r\n" % (way.head, authorization, len(request.body))
        exchange = Exchange(offer.name, offer.deadlines, began, self._loop, self._watch)
        return await way.pool.exchange(exchange, head, request.body)

    async def aclose(self) -> None:
        """Close all connections. Requests under way fail, later ones are refused."""
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        await asyncio.sleep(0)  # let the transports say good-bye

    async def _engine(self, offer: Offer) -> tuple[str, str]:
        """Address and key of an embedded offer's engine; waiting for its start counts into the total deadline."""
        if self._engine_address is None:
            raise ConfigError(f"{offer.name} is embedded, and no engine runs in this process.")
        total = offer.deadlines.total
        try:
            async with asyncio.timeout(total) as deadline:
                return await self._engine_address(offer)
        except TimeoutError as exc:
            if not deadline.expired() or total is None:
                raise
            sentence = f"The engine of {offer.name} did not start within {total:g} s."
            raise UpstreamTimeout(sentence, phase="total", offer=offer.name) from exc

    def _way(self, offer: Offer, base_url: str, request: WireRequest) -> _Way:
        """Work out how requests to an offer are sent, and remember it.

        Raises:
            ConfigError: what the settings say cannot be sent.
            UpstreamUnreachable: the sender is closed.
        """
        origin = Origin.of(base_url, proxy=offer.proxy, ca_file=offer.ca_file)
        headers: dict[bytes, bytes] = {b"host": origin.authority.encode("ascii"), **_FIXED}
        target = _target(base_url, offer, request.path)
        if offer.proxy is not None and origin.scheme == "http":
            target = f"http://{origin.authority}{target}"
            if (authorization := Proxy.parse(offer.proxy).authorization) is not None:
                headers.update([authorization])
        headers.update(request.headers)
        headers.update(encoded(name, value) for name, value in offer.headers)
        if len(self._ways) >= _MOST_WAYS:
            self._forget_ways()
        pool = self._pools.get(origin)
        if pool is None:
            if self._closed:
                raise UpstreamUnreachable(f"{offer.name} was not asked: isthmus is shutting down.", offer=offer.name)
            pool = self._pools[origin] = Pool(origin, most=self._most)
        way = _Way(offer, base_url, request.headers, request_head(target, headers.items()), pool)
        self._ways[offer.name, request.path] = way
        return way

    def _forget_ways(self) -> None:
        """Offers come and go with the settings, engines change their ports: start afresh, keep what is in use."""
        self._ways.clear()
        for origin in [origin for origin, pool in self._pools.items() if pool.deserted]:
            del self._pools[origin]


def _target(base_url: str, offer: Offer, path: str) -> str:
    """Path and query of an address: those of the base, of the request and of the offer, in this order."""
    base = urlsplit(base_url)
    below, _, query = (path if offer.path is None else offer.path).partition("?")
    queries = "&".join(part for part in (base.query, query, offer.query) if part)
    return (base.path.rstrip("/") + below or "/") + (f"?{queries}" if queries else "")
