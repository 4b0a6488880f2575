"""A ledger in memory."""

from isthmus.domain.entry import CrossingNote, Entry, Opened
from isthmus.domain.errors import LedgerError


class MemoryRecorder:
    """Fulfils `domain.ports.Recorder`; keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[Opened] = []
        self.entries: list[Entry] = []
        self.crossings: list[CrossingNote] = []
        self.refuses: str | None = None
        self.warns: str | None = None
        self.forgetful: str | None = None
        """Why no crossing can be put on record; None: each can."""

    def admit(self) -> str | None:
        if self.refuses is not None:
            raise LedgerError(self.refuses)
        return self.warns

    def opened(self, opened: Opened) -> None:
        self.begun.append(opened)

    def settled(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def secure(self, crossing: CrossingNote) -> None:
        if self.forgetful is not None:
            raise LedgerError(self.forgetful)
        self.crossings.append(crossing)

    @property
    def entry(self) -> Entry:
        """The only entry."""
        (entry,) = self.entries
        return entry

    @property
    def balanced(self) -> bool:
        """Every request that was opened is settled, exactly once."""
        return sorted(o.id for o in self.begun) == sorted(e.id for e in self.entries)
