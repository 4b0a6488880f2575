"""What the ledger keeps of a request."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from isthmus.domain.decision import Rejection
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Goal, Side
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage
from isthmus.domain.value import quick_value

Outcome = Literal["completed", "refused", "failed", "interrupted", "client_gone", "stopped", "crashed"]
"""How a request ended.

completed     the client was sent the whole answer
refused       isthmus said no, nothing was sent to an offer (policy, capability, bad request past the key)
failed        every offer tried failed before the first byte of an answer
interrupted   the offer died after the first byte of the answer
client_gone   the client left before the answer was complete
stopped       isthmus was stopped while the request was under way
crashed       isthmus itself died while the request was in flight; found at the next start
"""


Fate = Literal["outrun", "broken_off", "continued"]
"""What became of the answer of a try.

outrun       another offer was quicker, this one was given up
broken_off   the client was sent its beginning, and the offer died
continued    it went on from what another try had said
"""


@quick_value()
class Attempt:
    """One try at one offer."""

    offer: str
    started: float
    """Seconds after the request began."""
    seconds: float
    status: int | None
    """HTTP status of the answer; None: there was none."""
    error: str | None = None
    """Code of the error (`errors.py`); None: it served."""
    labels: tuple[Label, ...] = ()
    """Of what was sent, after the transforms."""
    lowered: tuple[Label, ...] = ()
    """Labels that a transform took off what was sent."""
    usage: Usage | None = None
    """As far as the offer told; None: it told none. Where one try was all there was, the entry has it alone."""
    cost: Decimal | None = None
    """Dollars, of `usage`; None: usage or price not known."""
    fate: Fate | None = None
    """What became of its answer, where that is not the client's answer as a whole. None: it is, or there was none."""


@quick_value(kw_only=True)
class Opened:
    """A request has begun. Written so that one that a crash cut off can be told from one that never was."""

    id: RequestId
    began: datetime
    principal: Principal
    dialect: str
    model: str
    workload: str | None
    conversation: str | None = None
    labels: tuple[Labelled, ...] = ()


@quick_value(kw_only=True)
class CrossingNote:
    """Labelled content is about to be sent to an offer. On record before its first byte leaves."""

    request: RequestId
    offer: str
    labels: tuple[Label, ...]
    """Of what is sent, after the transforms."""
    lowered: tuple[Label, ...] = ()
    """Labels that a transform took off what is sent."""
    digest: str
    """SHA-256 of the bytes about to be sent, in hex."""
    at: datetime


@quick_value(kw_only=True)
class Entry:
    """The record of one request, complete."""

    id: RequestId
    began: datetime
    principal: Principal
    dialect: str
    """Of the client."""
    model: str
    """As the client named it."""
    workload: str | None
    conversation: str | None
    labels: tuple[Labelled, ...]
    outcome: Outcome
    error: str | None
    """Code of the error the client was told; None: none."""
    offer: str | None
    """Name of the offer that served, or was the last to fail."""
    offer_model: str | None
    side: Side | None
    streamed: bool
    usage: Usage | None
    """As billed by the providers, of all tries that told; None: none did."""
    cost: Decimal | None
    """Dollars, the sum over all tries whose cost is known; None: no usage or no price is known."""
    price_source: str | None
    first_token: float | None
    """Seconds from the request's arrival to the first byte of the answer's body."""
    total: float
    """Seconds from the request's arrival to the end."""
    goal: Goal | None
    attempts: tuple[Attempt, ...]
    rejected: tuple[Rejection, ...]
    catalog_version: str | None
    policy_version: str | None = None
    """Hash of the labels' rules in force; None: there were none."""
    cached: bool = False
    """The answer was given before, to the same request, and nobody was asked. `offer` is the one that made it."""
