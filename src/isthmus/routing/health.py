"""How the offers are doing: a circuit breaker each, how quickly they answer, how much of each is in use.

The breaker of an offer opens after `FAILURES_TO_OPEN` failures in a row, or at once for as long as the offer itself
asks (`Retry-After`). While it is open the offer rests. After that one request is let through as a probe: if it
succeeds the breaker closes, if it fails the offer rests twice as long, up to `LONGEST_REST`.

An offer that fails much more often than its peers goes behind them for a time (`outliers.py`). How many requests an
offer has in hand at once is bounded by its lane (`concurrency.py`).

Times are monotonic seconds, handed in by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from isthmus.domain.offer import Offer
from isthmus.routing.concurrency import Lane
from isthmus.routing.outliers import Record, is_outlier

FAILURES_TO_OPEN = 5
FIRST_REST = 5.0
LONGEST_REST = 120.0
PROBE_PATIENCE = 30.0
"""Seconds after which a probe that has not come back no longer keeps others out."""
SMOOTHING = 0.2
"""Weight of the newest latency in the moving average: about the last ten answers count."""

_NOBODY: Mapping[str, str] = {}


@dataclass(slots=True)
class OfferHealth:
    """State of one offer. Mutable, and owned by one `HealthBoard`."""

    failures: int = 0
    """In a row."""
    rest: float = FIRST_REST
    """Seconds of the next rest."""
    rests_until: float = 0.0
    probing_since: float | None = None
    first_byte: float | None = None
    """Moving average of seconds to the first byte of an answer; None: never measured."""
    last_error: str | None = None
    lane: Lane = field(default_factory=Lane)
    record: Record = field(default_factory=Record)


class HealthBoard:
    """Health of all offers, by name."""

    def __init__(self) -> None:
        self._offers: dict[str, OfferHealth] = {}
        self.ejects: set[str] = set()
        """Offers that are ejected or coming back."""

    def of(self, name: str) -> OfferHealth:
        """State of an offer; one never heard of is well."""
        state = self._offers.get(name)
        if state is None:
            state = self._offers[name] = OfferHealth()
        return state

    def lane(self, offer: Offer) -> Lane:
        """The places of an offer."""
        lane = self.of(offer.name).lane
        if lane.offer is not offer:
            lane.fit(offer)
        return lane

    def in_flight(self, name: str) -> int:
        """Requests that the offer has in hand."""
        state = self._offers.get(name)
        return 0 if state is None else state.lane.in_flight

    def is_idle(self, name: str) -> bool:
        """Whether the offer has nothing in hand but batch requests, and nothing else waits for it."""
        state = self._offers.get(name)
        return state is None or state.lane.is_idle

    def held_back(self, names: Iterable[str], now: float) -> Mapping[str, str]:
        """Offers that go last for this request, each with the reason as a sentence. Asking counts the request."""
        if not self.ejects:
            return _NOBODY
        back: dict[str, str] = {}
        for name in names:
            if name not in self.ejects:
                continue
            record = self.of(name).record
            if record.share(now) >= 1.0:
                record.until = 0.0
                self.ejects.discard(name)
            elif not record.is_its_turn(now):
                left = record.until - now
                back[name] = f"{name} failed much more often than its peers and " + (
                    f"goes last for {left:.1f} s more." if left > 0 else "is asked more often only by and by."
                )
        return back

    def compare(self, name: str, peers: Iterable[str], now: float) -> None:
        """After a failure: eject the offer where it fails much more often than the others of its workload."""
        record = self.of(name).record
        if is_outlier(record, [self.of(peer).record for peer in peers if peer != name], now):
            record.eject(now)
            self.ejects.add(name)

    def resting(self, name: str, now: float) -> str | None:
        """Why the offer is not to be asked now, as a sentence; None: it may be asked."""
        state = self._offers.get(name)
        if state is None or (not state.rests_until and state.probing_since is None):
            return None
        if now < state.rests_until:
            wait = state.rests_until - now
            return f"{name} rests for {wait:.1f} s more after {state.last_error or 'failures'}."
        if state.probing_since is not None and now - state.probing_since < PROBE_PATIENCE:
            return f"{name} is being probed after {state.last_error or 'failures'}."
        return None

    def enter(self, name: str, now: float) -> bool:
        """A request is about to be sent. False: the offer rests, or is being probed by another request."""
        if self.resting(name, now) is not None:
            return False
        state = self.of(name)
        if state.rests_until:
            state.probing_since = now
        return True

    def leave(self, name: str) -> None:
        """A request ended without telling anything about the offer (the client left, the request was at fault)."""
        state = self._offers.get(name)
        if state is not None:
            state.probing_since = None

    def succeeded(self, name: str, first_byte: float) -> None:
        """The offer answered, its first byte after `first_byte` seconds."""
        state = self.of(name)
        state.failures = 0
        state.rests_until = 0.0
        state.rest = FIRST_REST
        state.probing_since = None
        state.last_error = None
        state.record.count(failed=False)
        previous = state.first_byte
        state.first_byte = first_byte if previous is None else previous + SMOOTHING * (first_byte - previous)

    def failed(self, name: str, error: str, now: float, retry_after: float | None = None) -> None:
        """The offer failed with the error code `error`, and may have asked to be left alone for `retry_after` s."""
        state = self.of(name)
        state.last_error = error
        state.record.count(failed=True)
        probed = state.probing_since is not None
        state.probing_since = None
        state.failures += 1
        if retry_after is not None:
            state.rests_until = max(state.rests_until, now + min(retry_after, LONGEST_REST))
        elif probed or state.failures >= FAILURES_TO_OPEN:
            state.rests_until = now + state.rest
            state.rest = min(state.rest * 2, LONGEST_REST)

    def soonest(self, names: tuple[str, ...], now: float) -> float | None:
        """Seconds until the first of the offers may be asked again; None: none of them rests."""
        waits = [
            state.rests_until - now for name in names if (state := self._offers.get(name)) and state.rests_until > now
        ]
        return min(waits) if waits else None
