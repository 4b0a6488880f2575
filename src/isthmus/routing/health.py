"""How the offers are doing: a circuit breaker each, and how quickly they answer.

The breaker of an offer opens after `FAILURES_TO_OPEN` failures in a row, or at once for as long as the offer itself
asks (`Retry-After`). While it is open the offer rests. After that one request is let through as a probe: if it
succeeds the breaker closes, if it fails the offer rests twice as long, up to `LONGEST_REST`.

Times are monotonic seconds, handed in by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

FAILURES_TO_OPEN = 5
FIRST_REST = 5.0
LONGEST_REST = 120.0
PROBE_PATIENCE = 30.0
"""Seconds after which a probe that has not come back no longer keeps others out."""
SMOOTHING = 0.2
"""Weight of the newest latency in the moving average: about the last ten answers count."""


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


class HealthBoard:
    """Health of all offers, by name."""

    def __init__(self) -> None:
        self._offers: dict[str, OfferHealth] = {}

    def of(self, name: str) -> OfferHealth:
        """State of an offer; one never heard of is well."""
        state = self._offers.get(name)
        if state is None:
            state = self._offers[name] = OfferHealth()
        return state

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
        previous = state.first_byte
        state.first_byte = first_byte if previous is None else previous + SMOOTHING * (first_byte - previous)

    def failed(self, name: str, error: str, now: float, retry_after: float | None = None) -> None:
        """The offer failed with the error code `error`, and may have asked to be left alone for `retry_after` s."""
        state = self.of(name)
        state.last_error = error
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
