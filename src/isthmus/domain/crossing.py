"""What is about to leave for an offer, with what the perimeter knows of it.

Only `isthmus.perimeter.gate` makes a crossing, and a sender takes nothing else: the seal in it is the gate's own, and
the gate refuses to check one that bears another.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.domain.value import quick_value


@quick_value()
class WireRequest:
    """What is sent to an offer. The sender adds address, key and framing."""

    path: str
    """Below the offer's `base_url`, beginning with a slash; may carry a query."""
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Beyond those of the offer and of the framing."""


@quick_value()
class Crossing:
    """A request to one offer, cleared."""

    offer: Offer
    request: WireRequest
    labels: frozenset[Label]
    """Of what is sent, after the transforms, with all that they imply."""
    lowered: frozenset[Label]
    """Labels that a transform took off what is sent."""
    seal: object
    """The gate's proof that it made this crossing, and what it knows of the content."""
