"""Which offer fails much more often than those beside it, and how it comes back.

The breaker (`health.py`) sees failures in a row. An offer that fails every second request never opens it, and still
costs every second request a try. Such an offer is ejected: it goes last, behind its peers, for a time. It is never out
altogether, so that ejection alone refuses nothing. Afterwards a growing share of requests goes to it in its turn again.

Pure, but for the counts of a `Record`. Times are monotonic seconds, handed in by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NEWEST = 0.1
"""Weight of the newest answer in the rate of failures: about the last twenty count."""
ENOUGH_OF_ITSELF, ENOUGH_OF_PEERS = 10, 5
"""Answers before a rate says something."""
WORSE_BY = 0.3
"""How much higher than the mean of its peers the rate of an outlier is."""
MOST_EJECTED = 0.5
"""Of the offers of a workload."""
EJECTED = 30.0
"""Seconds of the first ejection; each further one is longer by as much."""
LONGEST_EJECTED = 300.0
RETURNING = 30.0
"""Seconds over which the share of an offer that comes back grows to all."""
FIRST_SHARE = 0.1


@dataclass(slots=True)
class Record:
    """How an offer answered of late. Mutable, and owned by one `HealthBoard`."""

    answers: int = 0
    """Since it was last ejected."""
    failing: float = 0.0
    """Moving average: 1 where each fails."""
    ejections: int = 0
    until: float = 0.0
    """When its ejection ends; 0: it is not ejected, and not coming back."""
    turn: float = 0.0

    def count(self, failed: bool) -> None:
        self.answers += 1
        if failed or self.failing:
            self.failing += NEWEST * (failed - self.failing)

    def eject(self, now: float) -> None:
        self.ejections += 1
        self.until = now + min(LONGEST_EJECTED, EJECTED * self.ejections)
        self.answers, self.turn = 0, 0.0

    def share(self, now: float) -> float:
        """Of the requests whose turn it would be, the part that goes to it. 1: all of them."""
        if not self.until:
            return 1.0
        if now < self.until:
            return 0.0
        return min(1.0, FIRST_SHARE + (1 - FIRST_SHARE) * (now - self.until) / RETURNING)

    def is_its_turn(self, now: float) -> bool:
        """Whether the next request goes to it in its turn; asking counts the request."""
        share = self.share(now)
        self.turn += share
        if self.turn < 1.0:
            return False
        self.turn -= 1.0
        return True


def is_outlier(record: Record, peers: Sequence[Record], now: float) -> bool:
    """Whether an offer is to be ejected.

    Args:
        record: of the offer.
        peers: of the other offers of the workload.
        now: monotonic.
    """
    if record.answers < ENOUGH_OF_ITSELF or record.until > now:
        return False
    out = sum(peer.until > now for peer in peers)
    if out + 1 > MOST_EJECTED * (len(peers) + 1):
        return False
    known = [peer.failing for peer in peers if peer.until <= now and peer.answers >= ENOUGH_OF_PEERS]
    return bool(known) and record.failing >= sum(known) / len(known) + WORSE_BY
