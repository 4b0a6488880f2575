"""Which runs of text were seen without a label in several conversations, in bounded memory.

That is what tells a few-shot example, a signature or a template from somebody's record. What is forgotten for want of
room counts as never seen: text is then remembered that need not be, never the other way round.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEVERAL = 3
"""Conversations. One tells nothing, and two are soon one person who asks twice."""
REFRESH_DAYS = 7
"""After so many days, what was told to be common is told again when it is seen."""

_WAYS = 8
"""Places a run may take: the least recently seen of them gives way."""
_TAG_BITS = 31
_TAG = (1 << _TAG_BITS) - 1


class Sighted(NamedTuple):
    """What is special about runs just seen. They are told again each time, until settled or cleared."""

    common: list[int]
    """Seen in at least `SEVERAL` conversations."""
    elsewhere: Mapping[int, int]
    """Seen in another conversation too, which: as a tag."""


class Sightings:
    """For each run up to two conversations it was seen in. A third one is told to the caller.

    A set-associative table: 20 bytes a place, memory is taken as places are used. Safe to use from several threads.
    """

    def __init__(self, places: int = 1 << 20) -> None:
        """Make an empty table.

        Args:
            places: runs it holds at most, a power of two. A million are the fingerprints of some 20 MB of text.
        """
        import numpy as np  # noqa: PLC0415

        sets = max(1, places // _WAYS)
        if sets & (sets - 1):
            raise ValueError("the number of places is a power of two")
        self._lock = threading.Lock()
        self._hashes = np.zeros((sets, _WAYS), dtype=np.int64)
        self._seen = np.zeros((sets, _WAYS), dtype=np.int64)
        """Tags of two conversations, 31 bits each; negative: common, settled on that day. 0: the place is free."""
        self._age = np.zeros((sets, _WAYS), dtype=np.uint32)
        self._clock = 0

    def add(self, hashes: Collection[int], conversation: int, *, day: int) -> Sighted:
        """Note that runs were seen in a conversation.

        Args:
            hashes: each at most once.
            conversation: a number that stands for it; its lowest 31 bits are its tag.
            day: of today, counted from anywhere above 0.
        """
        import numpy as np  # noqa: PLC0415

        tag = conversation & _TAG or 1
        with self._lock:
            self._clock += 1
            wanted, sets, ways, known = self._places(hashes)
            seen = np.where(known, self._seen[sets, ways], 0)
            counted = seen >= 0
            stale = ~counted & (-seen <= day - REFRESH_DAYS)
            first, second = seen & _TAG, seen >> _TAG_BITS
            other = np.where(first != tag, first, second)
            third = counted & (second != 0) & (first != tag) & (second != tag)
            seen = np.where(counted & (first == 0), tag, seen)
            seen = np.where(counted & (first != 0) & (first != tag) & (second == 0), first | (tag << _TAG_BITS), seen)
            self._hashes[sets, ways] = wanted
            self._seen[sets, ways] = seen
            self._age[sets, ways] = self._clock
            repeated = (counted & (other != 0)) | stale
            return Sighted(
                common=wanted[third | stale].tolist(),
                elsewhere=dict(zip(wanted[repeated].tolist(), (other & _TAG)[repeated].tolist(), strict=True)),
            )

    def settle(self, hashes: Collection[int], *, day: int) -> None:
        """Note that runs are known to be common, so that they are not told again for `REFRESH_DAYS`."""
        with self._lock:
            _, sets, ways, known = self._places(hashes)
            self._seen[sets[known], ways[known]] = -day

    def clear(self, hashes: Collection[int]) -> None:
        """Let runs count as never seen."""
        with self._lock:
            _, sets, ways, known = self._places(hashes)
            self._seen[sets[known], ways[known]] = 0
            self._age[sets[known], ways[known]] = 0

    def _places(
        self, hashes: Collection[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """For each: itself, its set, its way there or the one it may take, and whether it is in it."""
        import numpy as np  # noqa: PLC0415

        wanted = np.fromiter(hashes, dtype=np.int64, count=len(hashes))
        sets = wanted & (len(self._hashes) - 1)
        match = (self._hashes[sets] == wanted[:, None]) & (self._seen[sets] != 0)
        known = match.any(axis=1)
        ways = match.argmax(axis=1)
        # Those that are there are no longer the oldest; of the others of one set, each takes the next oldest place.
        self._age[sets[known], ways[known]] = self._clock
        fresh = np.flatnonzero(~known)
        fresh = fresh[np.argsort(sets[fresh], kind="stable")]
        _, first, count = np.unique(sets[fresh], return_index=True, return_counts=True)
        rank = (np.arange(len(fresh)) - np.repeat(first, count)) % _WAYS
        ways[fresh] = np.argsort(self._age[sets[fresh]], axis=1)[np.arange(len(fresh)), rank]
        return wanted, sets, ways, known
