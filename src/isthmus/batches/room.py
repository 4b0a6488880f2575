"""When a line of a batch may be asked: there is a place for it, and nobody who waits for an answer needs the offer.

Requests of people go first. On an own offer, whose capacity is the installation's own, a line is asked only while no
such request is under way there; elsewhere the provider's capacity is not ours to save.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from isthmus.domain.offer import Offer

Idle = Callable[[str], bool]
"""Whether no request but those of batches is under way at the offer of that name."""


def always_idle(offer: str) -> bool:  # noqa: ARG001
    """For where nobody else asks."""
    return True


class Room:
    """The places of all lines of a process. For one event loop."""

    def __init__(self, places: int, idle: Idle) -> None:
        self._free = places
        self._idle = idle
        self._at: Counter[str] = Counter()
        """Lines under way, by own offer that may serve them."""

    @property
    def full(self) -> bool:
        return self._free <= 0

    def gives_way(self, own: Iterable[Offer]) -> bool:
        """Whether an own offer that might serve the line is in use by others."""
        return not all(self._idle(offer.name) for offer in own)

    def has_place(self, own: Iterable[Offer]) -> bool:
        """Whether a line may be asked without crowding an engine: one of its places stays free for others."""
        if self.full:
            return False
        return all(
            self._at[offer.name] < max(1, offer.engine.parallel - 1) for offer in own if offer.engine is not None
        )

    def take(self, own: Sequence[Offer]) -> None:
        self._free -= 1
        self._at.update(offer.name for offer in own)

    def leave(self, own: Sequence[Offer]) -> None:
        self._free += 1
        self._at.subtract(offer.name for offer in own)
