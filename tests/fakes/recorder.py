"""A ledger in memory."""

from isthmus.domain.entry import Entry, Opened
from isthmus.domain.errors import LedgerError


class MemoryRecorder:
    """Fulfils `domain.ports.Recorder`; keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[Opened] = []
        self.entries: list[Entry] = []
        self.refuses: str | None = None
        self.warns: str | None = None

    def admit(self) -> str | None:
        if self.refuses is not None:
            raise LedgerError(self.refuses)
        return self.warns

    def opened(self, opened: Opened) -> None:
        self.begun.append(opened)

    def settled(self, entry: Entry) -> None:
        self.entries.append(entry)

    @property
    def entry(self) -> Entry:
        """The only entry."""
        (entry,) = self.entries
        return entry

    @property
    def balanced(self) -> bool:
        """Every request that was opened is settled, exactly once."""
        return sorted(o.id for o in self.begun) == sorted(e.id for e in self.entries)
