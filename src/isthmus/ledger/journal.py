"""One writer's place in the store: its connection, its number, its sequence, and the transactions it writes.

Everything here blocks and belongs to one thread. What is written together is one `Group`, and it is written whole or
not at all. When the answer to a commit is lost, `reopen` finds out which.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, Dialect, Table, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError

from isthmus.domain.entry import Entry, Opened
from isthmus.domain.request import RequestId
from isthmus.ledger import schema
from isthmus.ledger.faults import StoreFault, brief, explain, vanished
from isthmus.ledger.process import this_process
from isthmus.ledger.recovery import settle_crashed
from isthmus.ledger.rows import Value, entry_row, mended, opened_row
from isthmus.ledger.store import Store

T = TypeVar("T")

log = logging.getLogger(__name__)

_CHUNKS = (16, 4, 1)
"""Rows per statement, largest first. Each statement gives the interpreter's lock up once, so 16 rows in one cost the
event loop one hand-over instead of 16, and building them holds the lock for some 50 µs. Measured: 32 are no cheaper
in a row, and dearer when the caches are cold."""

_REFUSED = (IntegrityError, DataError, InterfaceError, ProgrammingError, ArithmeticError, ValueError, TypeError)
"""What the driver or the schema raises over the contents of a row; anything else is the store's failure."""


@dataclass(slots=True)
class Loss:
    """Entries that could not be kept."""

    lost: int
    first: datetime
    """When the earliest of them began."""
    last: datetime
    reason: str


@dataclass(slots=True)
class Group:
    """What is written in one transaction."""

    entries: list[Entry] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    """Requests begun and not settled."""
    settled: list[RequestId] = field(default_factory=list)
    """Requests of earlier groups whose note in `in_flight` has done its service."""
    loss: Loss | None = None

    def __bool__(self) -> bool:
        return bool(self.entries or self.opened or self.settled or self.loss)


class StoreVanished(Exception):
    """The file that was opened is no longer the file at the path."""


class Journal:
    """Writes groups under one writer's number, with a sequence without gaps."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._process = this_process()
        self._statements = _Statements(sqlite.dialect())
        self._writer = 0
        self._seq = 0
        """Number of the last entry or gap known to be in the store."""
        self.recovered = 0
        """Requests found in flight by a process that had died, and settled as crashed."""

    def open(self) -> None:
        """Bring the store up to date, register as a writer, and settle what dead writers left in flight.

        Raises:
            LedgerError: the store cannot be used.
        """
        self._store.prepare()
        try:
            connection = self._connect()
            with connection.begin():
                now = datetime.now(UTC)
                row = connection.execute(
                    insert(schema.writers)
                    .values(
                        host=self._process.host,
                        pid=self._process.pid,
                        process_started=self._process.started,
                        started=now,
                        crashed=False,
                    )
                    .returning(schema.writers.c.id)
                ).one()
                writer: int = row.id
                recovered = settle_crashed(connection, writer=writer, now=now)
            self._writer, self._seq, self.recovered = writer, recovered, recovered
        except (OSError, DBAPIError, StoreVanished) as error:
            self._disconnect()
            raise self.fault(error).as_error() from error
        if recovered:
            log.warning("ledger: %d requests were in flight when isthmus last stopped; settled as crashed", recovered)

    def close(self) -> None:
        """Note that this writer has ended. What is still in flight then counts as crashed at the next start."""
        if self._connection is None:
            return
        try:
            with self._connection.begin():
                self._connection.execute(
                    update(schema.writers).where(schema.writers.c.id == self._writer).values(ended=datetime.now(UTC))
                )
        finally:
            self._disconnect()

    def fault(self, error: Exception) -> StoreFault:
        """What an exception of this class's methods means."""
        return vanished(self._store.path) if isinstance(error, StoreVanished) else explain(error, self._store.path)

    def write(self, group: Group) -> None:
        """Write a group in one transaction.

        Raises:
            Exception: it could not be written, or it is not known whether it was: `reopen` before the next try.
        """
        connection = self._connection
        if connection is None:
            raise StoreVanished
        seq = self._seq
        try:
            with connection.begin():
                seq = self._insert(connection, group)
        except _REFUSED as error:
            log.warning("ledger: a group was refused (%s); its entries are written one by one", brief(error))
            with connection.begin():
                seq = self._insert_one_by_one(connection, group)
        if self._store.file_id() != self._file:
            # SQLite goes on writing to a file that has lost its name. Asked after the commit, since only then
            # is it certain that the group is in the file people see.
            raise StoreVanished
        self._seq = seq

    def reopen(self) -> bool:
        """Connect again after a failure.

        Returns:
            Whether the group whose writing failed is in the store nevertheless.

        Raises:
            Exception: the store is still not usable, or another one lies in its place.
        """
        self._disconnect()
        connection = self._connect()
        writers = schema.writers
        with connection.begin():
            mine = connection.execute(
                select(writers.c.id).where(
                    writers.c.id == self._writer,
                    writers.c.host == self._process.host,
                    writers.c.pid == self._process.pid,
                    writers.c.process_started == self._process.started,
                )
            ).first()
            if mine is None:
                raise StoreVanished
            stored = max(
                connection.execute(select(func.max(table.c.seq)).where(table.c.writer == self._writer)).scalar() or 0
                for table in (schema.entries, schema.gaps)
            )
        written = stored > self._seq
        self._seq = max(stored, self._seq)
        return written

    def _connect(self) -> Connection:
        self._file = self._store.file_id()
        if self._file is None:
            raise StoreVanished
        self._connection = self._store.engine(writing=True).connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except (OSError, DBAPIError) as error:
            log.debug("ledger: closing a broken connection: %s", error)

    def _insert(self, connection: Connection, group: Group) -> int:
        seq = self._seq
        if group.loss is not None:
            seq += 1
            self._insert_gap(connection, group.loss, seq)
        for entries in _chunks(group.entries):
            values: list[Value] = []
            for entry in entries:
                seq += 1
                values += entry_row(entry, self._writer, seq)
            connection.exec_driver_sql(self._statements.insert_entries[len(entries)], tuple(values))
        for opened in _chunks(group.opened):
            values = []
            for request in opened:
                values += opened_row(request, self._writer)
            connection.exec_driver_sql(self._statements.insert_opened[len(opened)], tuple(values))
        self._forget(connection, group.settled)
        return seq

    def _insert_one_by_one(self, connection: Connection, group: Group) -> int:
        seq = self._seq
        loss = group.loss
        for entry in group.entries:
            try:
                with connection.begin_nested():
                    row = mended(entry_row(entry, self._writer, seq + 1))
                    connection.exec_driver_sql(self._statements.insert_entries[1], row)
                seq += 1
            except _REFUSED as error:
                log.error("ledger: entry %r cannot be kept: %s", entry.id, brief(error))
                lost = 1 if loss is None else loss.lost + 1
                first = entry.began if loss is None else loss.first
                loss = Loss(lost, first, entry.began, f"entry {entry.id!a} could not be kept: {type(error).__name__}")
        for request in group.opened:
            try:
                with connection.begin_nested():
                    connection.exec_driver_sql(
                        self._statements.insert_opened[1], mended(opened_row(request, self._writer))
                    )
            except _REFUSED as error:
                log.warning("ledger: request %r is not noted: %s", request.id, brief(error))
        self._forget(connection, group.settled)
        if loss is not None:
            seq += 1
            self._insert_gap(connection, loss, seq)
        return seq

    def _insert_gap(self, connection: Connection, loss: Loss, seq: int) -> None:
        connection.execute(
            insert(schema.gaps).values(
                writer=self._writer,
                seq=seq,
                lost=loss.lost,
                first=loss.first,
                last=loss.last,
                reason=loss.reason,
                recorded=datetime.now(UTC),
            )
        )

    def _forget(self, connection: Connection, settled: Sequence[RequestId]) -> None:
        size = _CHUNKS[0]
        for start in range(0, len(settled), size):
            ids: list[str | None] = [*settled[start : start + size]]
            # NULL equals nothing, so one statement does for any number.
            connection.exec_driver_sql(self._statements.delete_settled, (*ids, *[None] * (size - len(ids))))


class _Statements:
    """The hot statements as the driver takes them, by number of rows; values in the order of the columns."""

    def __init__(self, dialect: Dialect) -> None:
        self.insert_entries = _inserts(schema.entries, dialect)
        self.insert_opened = _inserts(schema.in_flight, dialect)
        column = schema.in_flight.c.id
        self.delete_settled = str(
            delete(schema.in_flight)
            .where(column.in_([None] * _CHUNKS[0]))
            .compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        )


def _inserts(table: Table, dialect: Dialect) -> dict[int, str]:
    head, values = str(insert(table).compile(dialect=dialect)).split(" VALUES ")
    return {size: f"{head} VALUES {', '.join([values] * size)}" for size in _CHUNKS}


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    start = 0
    for size in _CHUNKS:
        while len(values) - start >= size:
            yield values[start : start + size]
            start += size
