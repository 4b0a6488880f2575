"""How many requests an offer has in hand at once: a limit that is found out, and the queue before it.

The limit begins at the ceiling. What lowers it is evidence: an answer that says the offer is overloaded, or takes too
long, takes it down to `BACK_OFF` of what was in flight; first tokens that come much later than is usual for the offer,
a little. What raises it is success while the limit is being used: additive increase, multiplicative decrease, as in
Jain and Chiu, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989. The comparison of
recent with usual latency is that of gradient limiters (Netflix, concurrency-limits).

Requests of two sorts wait: foreground ones, in the order they came, and batch ones. Batch requests leave a part of the
places free and let others go before them; every `BATCH_TURN`th place goes to one that waits, so that none waits for
ever. What would wait longer than it may, or finds the queue full, is told so at once; batch requests first.

Times are monotonic seconds, handed in by the caller. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from isthmus.domain.errors import Overloaded
from isthmus.domain.offer import Offer

CEILING = 1024
"""Where nothing says how much an offer can take."""
BACK_OFF = 0.7
QUIET = 10.0
"""Seconds without a sign of overload after which the limit is raised by whole requests."""
TOLERANCE = 2.0
"""How many times the usual latency the recent one may be before the limit gives way a little."""
GIVE_WAY = 0.9
LEAST_BY_LATENCY = 8
"""Requests in flight below which latency alone lowers nothing: few requests say little, and prompts differ."""
USUAL_AFTER = 20
"""Answers before there is a usual latency."""
BATCH_TURN = 8
FREE_OF_BATCHES = 4
"""One place in so many, and at least one where there are two, is not for batch requests."""
QUEUE_LEAST, QUEUE_PER_PLACE = 16, 4
"""The queue holds so many requests for each place of the limit, and at least so many."""
PATIENCE = 120.0
"""Seconds that a request may wait for a place, where its offer has no deadline for the first byte."""
_RECENT, _USUAL = 0.2, 0.02
"""Weights of the newest sample in the two averages."""

_NEVER = float("-inf")


class Lane:
    """The places of one offer, who has them and who waits. Mutable, and owned by one `HealthBoard`."""

    __slots__ = (
        "_batch",
        "_foreground",
        "_held",
        "_lowered",
        "_recent",
        "_samples",
        "_turn",
        "_usual",
        "batches",
        "ceiling",
        "in_flight",
        "limit",
        "name",
        "offer",
        "patience",
    )

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.offer: Offer | None = None
        """The one that the ceiling is of."""
        self.in_flight = 0
        self.batches = 0
        """Of those in flight, the batch requests."""
        self.ceiling = CEILING
        self.limit = float(CEILING)
        """Most requests in flight; never below 1, never above the ceiling."""
        self.patience = PATIENCE
        """Seconds that a request may wait for a place."""
        self._foreground: deque[asyncio.Future[None]] = deque()
        self._batch: deque[asyncio.Future[None]] = deque()
        self._turn = 0
        self._held: float | None = None
        """Moving average of seconds that a place was held."""
        self._lowered = _NEVER
        self._recent = self._usual = 0.0
        self._samples = 0

    def fit(self, offer: Offer) -> None:
        """Take over what an offer says of itself; nothing is done where it is the one already known."""
        if self.offer is offer:
            return
        self.offer = offer
        self.name = offer.name
        self.patience = offer.deadlines.first_byte or PATIENCE
        ceiling = offer.max_in_flight or CEILING
        if offer.engine is not None:  # what it has no room for would wait within it, where nobody can go before
            ceiling = min(ceiling, offer.engine.parallel)
        if ceiling != self.ceiling:
            self.ceiling = ceiling
            self.limit = float(ceiling)
            self._hand_on()

    # -------------------------------------------------------------------------------------------------------- places

    @property
    def waiting(self) -> int:
        return len(self._foreground) + len(self._batch)

    @property
    def is_idle(self) -> bool:
        """Whether nothing but batch requests is under way, and nothing else waits."""
        return self.in_flight == self.batches and not self._foreground

    @property
    def _takes_batches(self) -> bool:
        limit = int(self.limit)
        return self.in_flight < max(1, limit - max(1, limit // FREE_OF_BATCHES))

    def enter(self, *, batch: bool = False) -> bool:
        """Take a place. False: there is none, or others wait for it."""
        if self._foreground or self.in_flight + 1 > self.limit:
            return False
        if batch:
            if self._batch or not self._takes_batches:
                return False
            self.batches += 1
        self.in_flight += 1
        return True

    def leave(self, seconds: float | None = None, *, batch: bool = False) -> None:
        """Give a place back, held for `seconds`; None: that says nothing of how long answers take."""
        self.in_flight -= 1
        self.batches -= batch
        if seconds is not None:
            held = self._held
            self._held = seconds if held is None else held + _RECENT * (seconds - held)
        if self._foreground or self._batch:
            self._hand_on()

    def expected_wait(self, *, batch: bool = False) -> float:
        """Seconds until a request that comes now may expect a place; 0 where nothing is known."""
        ahead = len(self._foreground) + (len(self._batch) if batch else 0)
        return (ahead + 1) * (self._held or 0.0) / self.limit

    async def wait(self, *, batch: bool = False) -> None:
        """Wait for a place, and take it.

        Raises:
            Overloaded: the wait would be too long, or was; or there is no room to wait.
        """
        expected = self.expected_wait(batch=batch)
        if expected > self.patience:
            raise self._overloaded(f"the wait would be about {expected:.0f} s", expected)
        self._make_room(batch=batch)
        queue = self._batch if batch else self._foreground
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(self.patience) as deadline:
                await place
        except BaseException as exc:
            with suppress(ValueError):
                queue.remove(place)
            if place.done() and not place.cancelled() and place.exception() is None:  # it came in this very moment
                self.leave(batch=batch)
            if isinstance(exc, TimeoutError) and deadline.expired():
                raise self._overloaded(f"no place came free within {self.patience:g} s", self.patience) from None
            raise

    def _make_room(self, *, batch: bool) -> None:
        """See to it that the queue takes one more; of batch requests it takes half as many."""
        most = max(QUEUE_LEAST, int(QUEUE_PER_PLACE * self.limit))
        if self.waiting < (most // 2 if batch else most):
            return
        if batch or not self._batch:
            raise self._overloaded(f"{self.waiting} requests wait already", self.expected_wait(batch=batch))
        shed = self._batch.pop()
        if not shed.done():
            shed.set_exception(self._overloaded("its place in the queue was needed", self.expected_wait(batch=True)))

    def _hand_on(self) -> None:
        """Give free places to those who wait."""
        while self.waiting and self.in_flight + 1 <= self.limit:
            self._turn += 1
            batch = bool(self._batch) and (
                self._turn % BATCH_TURN == 0 or (not self._foreground and self._takes_batches)
            )
            if not batch and not self._foreground:
                return  # batch requests only, and it is not their turn: they wait for the next place
            place = (self._batch if batch else self._foreground).popleft()
            if not place.done():
                self.in_flight += 1
                self.batches += batch
                place.set_result(None)

    def _overloaded(self, why: str, wait: float) -> Overloaded:
        return Overloaded(
            f"{self.name} has all it can take, and {why}.", hint="Try again later.", retry_after=max(1.0, wait)
        )

    # ------------------------------------------------------------------------------------------------------ the limit

    def served(self, now: float, first_token: float | None = None) -> None:
        """A request was answered, its first token after `first_token` seconds; None: it did not stream."""
        busy = 2 * self.in_flight >= self.limit
        if first_token is not None and self._is_late(first_token):
            if self.in_flight >= LEAST_BY_LATENCY and now - self._lowered > self._recent:
                self._lower(max(LEAST_BY_LATENCY, GIVE_WAY * min(self.limit, self.in_flight)), now)
        elif busy and self.limit < self.ceiling:
            step = 1.0 if now - self._lowered > QUIET else 1 / self.limit
            self.limit = min(float(self.ceiling), self.limit + step)
            if self._foreground or self._batch:
                self._hand_on()

    def overloaded(self, began: float, now: float) -> None:
        """A request that was sent at `began` was refused as one too many, or not answered in time."""
        if began > self._lowered:  # what was sent before the limit was lowered says nothing of the new limit
            self._lower(BACK_OFF * min(self.limit, self.in_flight), now)

    def _lower(self, limit: float, now: float) -> None:
        self.limit = max(1.0, min(self.limit, limit))
        self._lowered = now

    def _is_late(self, first_token: float) -> bool:
        """Whether first tokens come much later of late than they use to."""
        self._samples += 1
        if self._samples == 1:
            self._recent = self._usual = first_token
        self._recent += _RECENT * (first_token - self._recent)
        self._usual += _USUAL * (first_token - self._usual)
        return self._samples > USUAL_AFTER and self._recent > TOLERANCE * self._usual
