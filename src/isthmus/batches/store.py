"""What batches need of a store. All calls block; what is stored is sealed and survives a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from isthmus.batches.batch import Batch, BatchId, Counts, Kind, Line, Outcome, Result
from isthmus.batches.file import FileId, StoredFile
from isthmus.domain.usage import Usage

Order = Literal["asc", "desc"]


class BatchStore(Protocol):
    """Keeps files, batches and lines. Every method may raise LedgerError: the store cannot be used."""

    # ---- files

    def write(self, file: StoredFile, pieces: Iterable[bytes]) -> None:
        """Write a file, in place of one of its id. Nobody sees it before `show`, or before its batch ends."""
        ...

    def show(self, file: FileId) -> None:
        """A file is complete."""
        ...

    def file(self, tenant: str, file: str) -> StoredFile | None:
        """A complete file that has not expired; None: the tenant has none of that id."""
        ...

    def files(
        self, tenant: str, *, purpose: str | None, after: str | None, limit: int, order: Order
    ) -> list[StoredFile]:
        """Complete files by time, from behind the id `after`."""
        ...

    def content(self, file: StoredFile) -> Iterator[bytes]:
        """The content of a file, piece by piece.

        Raises:
            LedgerError: also where it was altered or is gone.
        """
        ...

    def delete_file(self, tenant: str, file: str) -> bool:
        """Delete a file so that nothing of it is left. Returns whether there was one."""
        ...

    def kept(self, tenant: str) -> int:
        """Bytes of all files of a tenant."""
        ...

    # ---- batches

    def add(self, batch: Batch, lines: Sequence[Line]) -> None:
        """Keep a new batch, with those lines that are known already."""
        ...

    def batch(self, tenant: str, batch: str) -> Batch | None:
        """A batch, with its counts as they are now; None: the tenant has none of that id."""
        ...

    def batches(self, tenant: str, kind: Kind, *, after: str | None, before: str | None, limit: int) -> list[Batch]:
        """Batches with their counts, newest first: those behind the id `after`, or just before the id `before`."""
        ...

    def open_batches(self, tenant: str) -> int:
        """How many batches of a tenant have not ended."""
        ...

    def change(self, batch: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        """Replace a batch by what `change` makes of it; nobody else changes it meanwhile.

        Raises:
            LedgerError: also where it is gone.
        """
        ...

    def end(self, batch: BatchId, end: Callable[[Batch], Batch], keep_until: datetime) -> Batch:
        """Let a batch end, and its output files be seen, in one step.

        Lines of a batch whose results went into files are deleted; others are kept until `keep_until`, as the batch is.
        """
        ...

    def delete_batch(self, tenant: str, batch: str) -> bool:
        """Delete a batch that has ended, with its results. Returns whether there was one."""
        ...

    # ---- lines

    def add_lines(self, lines: Sequence[Line]) -> None: ...

    def drop_lines(self, batch: BatchId) -> None:
        """Forget the lines of a batch, to read its input anew."""
        ...

    def waiting(self, batch: BatchId, after: int, limit: int) -> list[Line]:
        """Lines that have not ended, by number, from behind the number `after`."""
        ...

    def settle(self, results: Sequence[Result]) -> None:
        """Note how lines ended. A line that has ended before keeps the result it has."""
        ...

    def settle_rest(self, batch: BatchId, outcome: Outcome) -> None:
        """Let all lines that have not ended end so, without having been asked."""
        ...

    def results(self, batch: BatchId, after: int, limit: int) -> list[Result]:
        """Results by number, from behind the number `after`."""
        ...

    def tally(self, batch: BatchId) -> tuple[Counts, Usage | None]:
        """How many lines are where, and what they used."""
        ...

    # ---- processes

    def claim(self) -> list[Batch]:
        """Open batches that this process is to work on: those nobody has in hand, or whose holder died."""
        ...

    def release(self) -> None:
        """This process works on no batch any more."""
        ...

    def sweep(self, now: datetime) -> None:
        """Delete what has expired, so that nothing of it is left."""
        ...
