"""What an encoder says otherwise than it was meant, so that the caller can be told.

A dialect that cannot say something at all refuses (`Unsupported`). What it can say only nearly, or leaves out because
nothing is lost by it, it notes here; the road tells the client in the header `isthmus-adapted`.
"""

from __future__ import annotations

MOST_NOTES = 16
"""Fields noted at most: more would not help a person, and headers have limits."""


class Adapted:
    """The notes of one request towards one offer."""

    __slots__ = ("_more", "_notes")

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}
        self._more = False

    def note(self, field: str, how: str) -> None:
        """Note a field, in the words of the domain's values (`reasoning.budget`), and in a few words how it is said.

        A field that many parts have is noted once, without the place of the part (`message.name`).
        """
        if field in self._notes:
            return
        if len(self._notes) == MOST_NOTES:
            self._more = True
        else:
            self._notes[field] = how

    def __bool__(self) -> bool:
        return bool(self._notes)

    @property
    def text(self) -> str:
        """All notes on one line: `field: how; field: how`."""
        return "; ".join([*(f"{field}: {how}" for field, how in self._notes.items()), *(["…"] if self._more else [])])
