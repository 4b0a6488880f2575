"""One writer's place in the store: its connection, its number, its chain, and the transactions it writes.

Everything here blocks and belongs to one thread. What is written together is one `Group`, and it is written whole or
not at all. When the answer to a commit is lost, `reopen` finds out which.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Dialect, Table, delete, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from isthmus.domain.entry import CrossingNote, Entry, Opened
from isthmus.domain.request import RequestId
from isthmus.ledger import schema
from isthmus.ledger.chain import BEFORE_START, Head, link, place, places, seq_at
from isthmus.ledger.checkpoints import FIRST_PREVIOUS, checkpoint_hash, signed_checkpoint
from isthmus.ledger.documents import (
    FORMAT,
    ContentDocument,
    CrossingDocument,
    EntryDocument,
    GapDocument,
    StartDocument,
    canonical,
    crossing_document,
    entry_document,
    opened_document,
    storable,
)
from isthmus.ledger.faults import StoreFault, brief, explain, vanished
from isthmus.ledger.process import this_process
from isthmus.ledger.recovery import bury_dead_writers, crashed_requests
from isthmus.ledger.schema import to_microseconds
from isthmus.ledger.signing import SigningKey, ensure_signing_key, key_file
from isthmus.ledger.store import Store

T = TypeVar("T")

log = logging.getLogger(__name__)

CHECKPOINT_RECORDS = 1_000
CHECKPOINT_SECONDS = 60.0
"""A checkpoint is signed after so many records, or so long after the last one if there is a record since."""

_CHUNKS = (16, 4, 1)
"""Rows per statement, largest first. Each statement gives the interpreter's lock up once, so 16 rows in one cost the
event loop one hand-over instead of 16, and building them holds the lock for some 60 µs. Measured: 40 are no cheaper
in a row, and dearer when the caches are cold."""

_REFUSED = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ArithmeticError,
    ValueError,
    TypeError,
)
"""What the driver or the schema raises over the contents of a row; anything else is the store's failure."""

_FULL = 2
"""SQLite's number for `PRAGMA synchronous = FULL`: a commit returns when the disk has it."""


@dataclass(slots=True)
class Loss:
    """Entries that could not be kept."""

    lost: int
    first: datetime
    """When the earliest of them began."""
    last: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ContentNote:
    """Content of a request was kept beside the chain."""

    request: RequestId
    digest: str
    """SHA-256 of the sealed content, in hex."""
    at: datetime
    expires: datetime


@dataclass(slots=True)
class Group:
    """What is written in one transaction."""

    entries: list[Entry] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    """Requests begun and not settled."""
    settled: list[RequestId] = field(default_factory=list)
    """Requests of earlier groups whose note in `in_flight` has done its service."""
    crossings: list[CrossingNote] = field(default_factory=list)
    """With these, the group is written through to the disk."""
    contents: list[ContentNote] = field(default_factory=list)
    loss: Loss | None = None

    def __bool__(self) -> bool:
        return bool(self.entries or self.opened or self.settled or self.crossings or self.contents or self.loss)


class StoreVanished(Exception):
    """The file that was opened is no longer the file at the path."""


class Journal:
    """Writes groups under one writer's number, as a chain without gaps."""

    def __init__(self, store: Store, *, signing_key: Path | None = None) -> None:
        """Take a store; `open` opens it.

        Args:
            store: where to write.
            signing_key: file of the key that signs checkpoints, made where there is none; None: beside the store.
        """
        self._store = store
        self._key_file = key_file(store.path) if signing_key is None else signing_key
        self._key: SigningKey | None = None
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._synchronous = self._usual = _FULL
        self._process = this_process()
        self._statements = _Statements(sqlite.dialect())
        self._writer = 0
        self._head = BEFORE_START
        """Of what is known to be in the store."""
        self._signed = BEFORE_START.seq
        """Number of the last record known to be under a checkpoint."""
        self._signed_at = 0.0
        self.recovered = 0
        """Requests found in flight by a process that had died, and settled as crashed."""

    def open(self) -> None:
        """Bring the store up to date, register as a writer, and settle what dead writers left in flight.

        Raises:
            LedgerError: the store cannot be used, or the signing key.
        """
        self._store.prepare()
        self._key = ensure_signing_key(self._key_file)
        try:
            connection = self._connect()
            with connection.begin():
                now = datetime.now(UTC)
                writer = self._register(connection, now)
                bury_dead_writers(connection, writer=writer, now=now)
                page = _Page(connection, self._statements, writer, BEFORE_START)
                page.add(self._start(writer, now), None, to_microseconds(now))
                for crashed in crashed_requests(connection, writer=writer, seq=page.seq + 1, now=now):
                    page.add(crashed, crashed.id, crashed.settled)
                head = page.finish()
                self._checkpoint(connection, writer, head)
        except (OSError, DBAPIError, sqlite3.Error, StoreVanished) as error:
            self._disconnect()
            raise self.fault(error).as_error() from error
        self._writer, self._head, self.recovered = writer, head, head.seq
        self._is_signed(head)
        if self.recovered:
            log.warning(
                "ledger: %d requests were in flight when isthmus last stopped; settled as crashed", self.recovered
            )

    def close(self) -> None:
        """Note that this writer has ended, signed. What is still in flight then counts as crashed at the next start."""
        if self._connection is None:
            return
        try:
            with self._connection.begin():
                self._connection.execute(
                    update(schema.writers).where(schema.writers.c.id == self._writer).values(ended=datetime.now(UTC))
                )
                self._checkpoint(self._connection, self._writer, self._head)
        finally:
            self._disconnect()

    def fault(self, error: Exception) -> StoreFault:
        """What an exception of this class's methods means."""
        return vanished(self._store.path) if isinstance(error, StoreVanished) else explain(error, self._store.path)

    @property
    def checkpoint_in(self) -> float | None:
        """Seconds until a checkpoint is due, 0 if it is; None: everything is signed."""
        if self._head.seq == self._signed:
            return None
        return max(0.0, self._signed_at + CHECKPOINT_SECONDS - time.monotonic())

    def write(self, group: Group) -> None:
        """Write a group in one transaction, and a checkpoint if one is due.

        Raises:
            Exception: it could not be written, or it is not known whether it was: `reopen` before the next try.
        """
        connection = self._connection
        if connection is None:
            raise StoreVanished
        self._wait_for_disk(_FULL if group.crossings else self._usual)
        try:
            with connection.begin():
                head, signed = self._signed_if_due(connection, self._insert(connection, group))
        except _REFUSED as error:
            log.warning("ledger: a group was refused (%s); its entries are written one by one", brief(error))
            with connection.begin():
                head, signed = self._signed_if_due(connection, self._insert_one_by_one(connection, group))
        if self._store.file_id() != self._file:
            # SQLite goes on writing to a file that has lost its name. Asked after the commit, since only then
            # is it certain that the group is in the file people see.
            raise StoreVanished
        self._head = head
        if signed:
            self._is_signed(head)

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
            head = None if mine is None else _stored_head(_driver(connection), self._writer)
        if head is None:
            raise StoreVanished
        written = head.seq > self._head.seq
        if written:
            self._head = head
        # A store that was put back as an older copy lacks records: the chain goes on from the last one
        # that was written, so that their absence shows.
        return written

    def _register(self, connection: Connection, now: datetime) -> int:
        row = connection.execute(
            insert(schema.writers)
            .values(
                host=self._process.host,
                pid=self._process.pid,
                process_started=self._process.started,
                started=now,
                crashed=False,
                sealed=False,
            )
            .returning(schema.writers.c.id)
        ).one()
        writer: int = row.id
        return writer

    def _start(self, writer: int, now: datetime) -> StartDocument:
        return StartDocument(
            at=to_microseconds(now),
            format=FORMAT,
            host=self._process.host,
            kind="start",
            pid=self._process.pid,
            process=self._process.started,
            seq=0,
            writer=writer,
        )

    def _connect(self) -> Connection:
        self._file = self._store.file_id()
        if self._file is None:
            raise StoreVanished
        self._connection = connection = self._store.engine(writing=True).connect()
        (self._usual,) = _driver(connection).execute("PRAGMA synchronous").fetchone()
        self._synchronous = self._usual
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except (OSError, DBAPIError, sqlite3.Error) as error:
            log.debug("ledger: closing a broken connection: %s", error)

    def _wait_for_disk(self, wanted: int) -> None:
        """How the next commit is written. Through to the disk, it takes along all commits before it."""
        if self._synchronous != wanted:
            assert self._connection is not None
            _driver(self._connection).execute(f"PRAGMA synchronous = {wanted}").close()
            self._synchronous = wanted

    def _signed_if_due(self, connection: Connection, head: Head) -> tuple[Head, bool]:
        unsigned = head.seq - self._signed
        late = time.monotonic() >= self._signed_at + CHECKPOINT_SECONDS
        due = unsigned >= CHECKPOINT_RECORDS or (unsigned > 0 and late)
        if due:
            self._checkpoint(connection, self._writer, head)
        return head, due

    def _is_signed(self, head: Head) -> None:
        self._signed, self._signed_at = head.seq, time.monotonic()

    def _checkpoint(self, connection: Connection, writer: int, head: Head) -> None:
        """Sign how far this writer and all that may have gone on have come. Within a transaction."""
        assert self._key is not None
        driver = _driver(connection)
        heads = {writer: head}
        for (other,) in driver.execute("SELECT id FROM writers WHERE NOT sealed").fetchall():
            found = None if other == writer else _stored_head(driver, other)
            if found is not None:
                heads[other] = found
        last = driver.execute("SELECT number, document FROM checkpoints ORDER BY number DESC LIMIT 1").fetchone()
        number = 1 if last is None else last[0] + 1
        document, signature = signed_checkpoint(
            self._key,
            heads,
            writer=writer,
            number=number,
            previous=FIRST_PREVIOUS if last is None else checkpoint_hash(last[1].encode()),
            at=to_microseconds(datetime.now(UTC)),
        )
        driver.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (number, document.decode(), signature)).close()
        driver.execute("UPDATE writers SET sealed = 1 WHERE NOT sealed AND ended IS NOT NULL").close()

    def _insert(self, connection: Connection, group: Group) -> Head:
        writer = self._writer
        page = _Page(connection, self._statements, writer, self._head)
        if group.loss is not None:
            page.add_gap(group.loss)
        page.add_notes(group)
        page.add_entries(group.entries)
        head = page.finish()
        driver = _driver(connection)
        for some in _chunks(group.opened):
            values: list[str | int] = []
            for request in some:
                values += (storable(request.id), writer, canonical(opened_document(request)).decode())
            driver.execute(self._statements.insert_opened[len(some)], values).close()
        self._forget(driver, group.settled)
        return head

    def _insert_one_by_one(self, connection: Connection, group: Group) -> Head:
        writer, head, loss = self._writer, self._head, group.loss
        driver = _driver(connection)
        page = _Page(connection, self._statements, writer, head)
        page.add_notes(group)
        head = page.finish()
        for entry in group.entries:
            try:
                with connection.begin_nested():
                    page = _Page(connection, self._statements, writer, head)
                    document = entry_document(entry, writer, page.seq + 1)
                    page.add(document, storable(entry.id), document.settled)
                    head = page.finish()
            except _REFUSED as error:
                log.error("ledger: entry %r cannot be kept: %s", entry.id, brief(error))
                lost = 1 if loss is None else loss.lost + 1
                first = entry.began if loss is None else loss.first
                loss = Loss(lost, first, entry.began, f"entry {entry.id!a} could not be kept: {type(error).__name__}")
        for request in group.opened:
            row = (storable(request.id), writer, canonical(opened_document(request)).decode())
            try:
                with connection.begin_nested():
                    driver.execute(self._statements.insert_opened[1], row).close()
            except _REFUSED as error:
                log.warning("ledger: request %r is not noted: %s", request.id, brief(error))
        self._forget(driver, group.settled)
        if loss is not None:
            page = _Page(connection, self._statements, writer, head)
            page.add_gap(loss)
            head = page.finish()
        return head

    def _forget(self, driver: sqlite3.Connection, settled: Sequence[RequestId]) -> None:
        size = _CHUNKS[0]
        for start in range(0, len(settled), size):
            ids: list[str | None] = [storable(request) for request in settled[start : start + size]]
            # NULL equals nothing, so one statement does for any number.
            driver.execute(self._statements.delete_settled, (*ids, *[None] * (size - len(ids)))).close()


class _Page:
    """Records of one transaction: numbered, chained, and written several to a statement."""

    def __init__(self, connection: Connection, statements: _Statements, writer: int, head: Head) -> None:
        self._driver = _driver(connection)
        self._statements = statements
        self._writer = writer
        self._place = place(writer, 0)
        self.seq, self._hash = head
        """Number of the last record."""
        self._values: list[str | int | bytes | None] = []

    def add(
        self,
        document: EntryDocument | CrossingDocument | ContentDocument | GapDocument | StartDocument,
        request: str | None,
        at: int,
    ) -> None:
        """Add a document that bears the next number. `at` in microseconds."""
        text = canonical(document)
        self.seq += 1
        self._hash = link(self._hash, text)
        values = self._values
        values += (self._place + self.seq, document.kind, request, at, text.decode(), self._hash)
        if len(values) == _CHUNKS[0] * _COLUMNS:
            self._driver.execute(self._statements.insert_records[_CHUNKS[0]], values).close()
            values.clear()

    def add_entries(self, entries: Sequence[Entry]) -> None:
        """As `add` for each, without its calls: this is the ledger's inner loop."""
        writer, first, seq, previous = self._writer, self._place, self.seq, self._hash
        values, full = self._values, _CHUNKS[0] * _COLUMNS
        statement, execute = self._statements.insert_records[_CHUNKS[0]], self._driver.execute
        for entry in entries:
            seq += 1
            document = entry_document(entry, writer, seq)
            text = canonical(document)
            previous = sha256(previous + text).digest()
            request = entry.id
            values += (
                first + seq,
                "entry",
                request if request.isascii() else storable(request),
                document.began + (document.total_us or 0),
                text.decode(),
                previous,
            )
            if len(values) == full:
                execute(statement, values).close()
                values.clear()
        self.seq, self._hash = seq, previous

    def add_gap(self, loss: Loss) -> None:
        at = to_microseconds(datetime.now(UTC))
        document = GapDocument(
            at=at,
            first=to_microseconds(loss.first),
            last=to_microseconds(loss.last),
            lost=loss.lost,
            reason=loss.reason,
            seq=self.seq + 1,
            writer=self._writer,
        )
        self.add(document, None, at)

    def add_notes(self, group: Group) -> None:
        """Add what can always be stored: crossings, and notes of kept content."""
        for crossing in group.crossings:
            document = crossing_document(crossing, self._writer, self.seq + 1)
            self.add(document, storable(crossing.request), document.at)
        for content in group.contents:
            at = to_microseconds(content.at)
            kept = ContentDocument(
                at=at,
                digest=content.digest,
                expires=to_microseconds(content.expires),
                request=content.request,
                seq=self.seq + 1,
                writer=self._writer,
            )
            self.add(kept, storable(content.request), at)

    def finish(self) -> Head:
        """Write what is left; the head of the chain."""
        values = self._values
        for rows in _chunks([values[start : start + _COLUMNS] for start in range(0, len(values), _COLUMNS)]):
            flat = [value for row in rows for value in row]
            self._driver.execute(self._statements.insert_records[len(rows)], flat).close()
        self._values = []
        return Head(self.seq, self._hash)


_COLUMNS = len(schema.records.c)


class _Statements:
    """The hot statements as the driver takes them, by number of rows; values in the order of the columns.

    They go past the layer that converts values and past its bookkeeping: at some thousand entries a second both would
    cost more than the database.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.insert_records = _inserts(schema.records, dialect)
        self.insert_opened = _inserts(schema.in_flight, dialect)
        column = schema.in_flight.c.id
        self.delete_settled = str(
            delete(schema.in_flight)
            .where(column.in_([None] * _CHUNKS[0]))
            .compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        )


def _stored_head(driver: sqlite3.Connection, writer: int) -> Head | None:
    """The last record of a writer in the store; None: there is none."""
    row = driver.execute(
        "SELECT place, hash FROM records WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1", places(writer)
    ).fetchone()
    return None if row is None else Head(seq_at(row[0]), row[1])


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _inserts(table: Table, dialect: Dialect) -> dict[int, str]:
    head, values = str(insert(table).compile(dialect=dialect)).split(" VALUES ")
    return {size: f"{head} VALUES {', '.join([values] * size)}" for size in _CHUNKS}


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    start = 0
    for size in _CHUNKS:
        while len(values) - start >= size:
            yield values[start : start + size]
            start += size
