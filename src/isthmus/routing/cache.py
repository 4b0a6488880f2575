"""Answers that were given before, kept in memory for those who ask the very same again.

The key is a keyed hash over all that an answer may hang on: who the tenant is, every label of the request, the
workload, the client's dialect, the versions of offers and rules in force, and the whole body with all its parameters.
It is made with a key that lives as long as the process, so that nothing can be learnt from it.

The cache knows nothing of clearances. Whoever takes an answer out of it asks first whether the offer that made it
would be allowed to see this request now (`road`).

Requests that are the same and come together are one flight: the first goes on the road, the others wait for its answer.
If it gets none that can be kept, they go themselves, all at once.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NewType

import msgspec

from isthmus.domain.decision import Decision
from isthmus.domain.offer import Offer
from isthmus.domain.value import quick_value
from isthmus.routing.answer import Call
from isthmus.routing.reading import Reading

CacheKey = NewType("CacheKey", bytes)

CACHE_BYTES = 64 * 1024 * 1024
LARGEST_PART = 8
"""An answer larger than the cache's bytes divided by this is not kept: it would push out too many others."""
FLIGHT_PATIENCE = 60.0
"""Seconds that others wait for the answer of the first: a client that reads slowly holds nobody up for longer."""

_ENTRY_BYTES = 512
"""What an answer takes beside its bytes."""

_canonical = msgspec.json.Encoder(order="sorted").encode


@quick_value(kw_only=True)
class Given:
    """An answer, as it was sent."""

    offer: Offer
    """That made it."""
    body: bytes
    """In the client's dialect: whole, or all of its stream."""
    said: Sequence[str]
    """What it says, where that is to be remembered; else nothing."""
    adapted: str | None
    expires: float
    """Monotonic seconds."""

    @property
    def size(self) -> int:
        return len(self.body) + sum(map(len, self.said)) + _ENTRY_BYTES


@dataclass(slots=True)
class _Flight:
    """A request under way that others wait for."""

    landed: asyncio.Event


class Cache:
    """The answers of one process. Belongs to one event loop."""

    def __init__(self, most_bytes: int = CACHE_BYTES, *, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._most = most_bytes
        self._kept: OrderedDict[CacheKey, Given] = OrderedDict()
        self._flights: dict[CacheKey, _Flight] = {}
        self.bytes = 0
        """What the answers take."""

    @property
    def largest(self) -> int:
        """Bytes of the largest answer that is kept."""
        return self._most // LARGEST_PART

    def key(self, call: Call, reading: Reading, decision: Decision) -> CacheKey | None:
        """The key of a request; None: its answer hangs on more than can be told from it."""
        if reading.facts.previous is not None:  # goes on from an answer that is kept elsewhere
            return None
        parts: Iterable[object] = (
            call.principal.tenant,
            sorted({labelled.label for labelled in decision.labels}),
            reading.workload.name,
            call.form.name,
            decision.catalog_version,
            decision.policy_version,
            (call.model, call.stream),
            msgspec.json.decode(call.body),
        )
        digest = hmac.digest(self._secret, _canonical(tuple(parts)), "sha256")
        return CacheKey(digest)

    def get(self, key: CacheKey, now: float) -> Given | None:
        """The answer to a request; None: there is none, or not any more."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: CacheKey, kept: Given) -> None:
        """Keep an answer; those not asked for longest make room."""
        if kept.size > self.largest:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = kept
        self.bytes += kept.size
        while self.bytes > self._most:
            self._drop(next(iter(self._kept)))

    def takes_off(self, key: CacheKey) -> bool:
        """Whether this request is the first of its flight. It must `land` then, whatever happens."""
        if key in self._flights:
            return False
        self._flights[key] = _Flight(asyncio.Event())
        return True

    def land(self, key: CacheKey) -> None:
        """The first of a flight has its answer, or has none."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.landed.set()

    async def landed(self, key: CacheKey) -> None:
        """Wait until the first of the flight has landed, or for as long as is reasonable."""
        flight = self._flights.get(key)
        if flight is None:
            return
        try:
            async with asyncio.timeout(FLIGHT_PATIENCE) as patience:
                await flight.landed.wait()
        except TimeoutError:
            if not patience.expired():
                raise

    def _drop(self, key: CacheKey) -> None:
        self.bytes -= self._kept.pop(key).size
