"""Deadlines of many exchanges by one coarse clock."""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_SECONDS = 0.05
"""A deadline is noticed at most this late. A timer for each request would be exact and costs more than all else here
does: making and cancelling one takes longer than sending the request's head."""


class Watched(Protocol):
    """What waits for something no longer than it may."""

    check_at: float
    """By the loop's clock: when a deadline may have passed."""

    def check(self, now: float) -> None:
        """Give up if a deadline has passed; else set `check_at` anew."""
        ...


class Watch:
    """Looks after all exchanges in flight, every `TICK_SECONDS`, and sleeps while there are none."""

    __slots__ = ("_in_flight", "_loop", "_ticking")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._in_flight: set[Watched] = set()
        self._ticking = False

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def begin(self, watched: Watched) -> None:
        self._in_flight.add(watched)
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_SECONDS, self._tick)

    def end(self, watched: Watched) -> None:
        self._in_flight.discard(watched)

    def _tick(self) -> None:
        if not self._in_flight:
            self._ticking = False
            return
        self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        for watched in [watched for watched in self._in_flight if watched.check_at <= now]:
            watched.check(now)
