"""Whether an offer may see data with these labels. The one place where labels and clearances meet.

A request whose labels an offer is not cleared for never goes there. More labels never widen the choice: the test is a
subset test, joined over all labels with *and*.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.domain.label import Label
from isthmus.domain.offer import Offer


def not_cleared(offer: Offer, labels: Iterable[Label]) -> str | None:
    """Why the offer may not see the data, as a sentence; None: it may."""
    missing = offer.clearance.missing(labels)
    if not missing:
        return None
    names = ", ".join(repr(str(name)) for name in sorted(missing))
    return f"{offer.name} is not cleared for {'label' if len(missing) == 1 else 'labels'} {names}."
