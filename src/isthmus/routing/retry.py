"""When a failed try is worth another, and how long to wait before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.domain.errors import ProviderError, UpstreamRefused

FIRST_WAIT = 0.25
LONGEST_WAIT = 8.0
PATIENCE = 20.0
"""The longest `Retry-After` in seconds that is waited for; a longer one is told to the caller."""

Verdict = Literal["caller", "offer", "again"]
"""Whose fault a failure is, and so what to do.

caller   the request itself is refused: the caller is told, no other offer is bothered
offer    this offer cannot serve it (bad credential, model gone): go to another, do not come back
again    a passing fault: go to another, or come back later
"""

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_OFFER = frozenset({401, 402, 403, 404, 405, 407, 410, 426})


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that failed."""

    verdict: Verdict
    ails: bool
    """Whether the failure says that the offer is unwell (counts for its breaker)."""


def judge(error: ProviderError) -> Failure:
    """Whose fault a failure is.

    A status of 400, 413, 415 or 422 is the caller's: it would be refused again. A wrong credential or a missing model
    at the offer is the operator's business, never told to the caller as if its own key were wrong.
    """
    if not isinstance(error, UpstreamRefused):
        return Failure("again", ails=True)
    if error.upstream_status in _PASSING or error.upstream_status >= 500:
        return Failure("again", ails=True)
    if error.upstream_status in _OFFER or error.upstream_status < 400:
        return Failure("offer", ails=True)
    if error.upstream_code == "context_length_exceeded":
        return Failure("offer", ails=False)
    return Failure("caller", ails=False)


def wait_before(tries_over_route: int, draw: float, retry_after: float | None) -> float | None:
    """Seconds to wait before the route is gone through once more.

    Full jitter: a uniform draw from 0 to FIRST_WAIT·2ⁿ, at most LONGEST_WAIT, and never less than what was asked for.

    Args:
        tries_over_route: how often the whole route has been gone through, from 1.
        draw: uniform in [0, 1).
        retry_after: seconds the offer asked to be left alone; None: it did not say.

    Returns:
        Seconds; None: the offer asked for more than we are willing to wait.

    Source:
        Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if retry_after is not None and retry_after > PATIENCE:
        return None
    jittered = draw * min(LONGEST_WAIT, FIRST_WAIT * 2.0**tries_over_route)
    return max(jittered, retry_after or 0.0)
