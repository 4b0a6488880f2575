"""Where fingerprints of labelled text are kept: a SQLite file of its own beside the ledger, and the key they hang on.

It is apart from the ledger because it is the opposite of one: things are removed from it, and what is removed shall be
gone. Neither text nor anything that could be compared without the key is in it; names of documents and tenants are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote

from typing_extensions import override

from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.ledger.faults import StoreFault, explain, vanished
from isthmus.perimeter.lineage import Document, FingerprintStore, Trace

KEY_BYTES = 32
_OTHERS = 0o077
_VERSION = 1
_BUSY_SECONDS = 10.0
_DAY = 24 * 3600.0

_REQUEST, _DOCUMENT, _HARMLESS, _GONE = range(4)
"""Kinds of origins. Of what is gone, fingerprints may still have to be removed."""

_TABLES = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE origins (
    -- Never given twice: fingerprints that an interrupted removal left behind must not come to belong to another.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, fingerprints INTEGER NOT NULL, added REAL NOT NULL
);
CREATE UNIQUE INDEX documents ON origins (tenant, name) WHERE kind IN (1, 2);
CREATE INDEX kinds ON origins (kind, tenant);
CREATE TABLE labels (
    origin INTEGER NOT NULL, label TEXT NOT NULL, expires REAL, PRIMARY KEY (origin, label)
) WITHOUT ROWID;
-- 18 million rows are 100,000 pages of text: two small integers each, in the order in which they are looked up.
CREATE TABLE prints (hash INTEGER NOT NULL, origin INTEGER NOT NULL, PRIMARY KEY (hash, origin)) WITHOUT ROWID;
CREATE TABLE common (hash INTEGER PRIMARY KEY, day INTEGER NOT NULL);
PRAGMA user_version = {_VERSION};
"""

# 1 and 2 are `_DOCUMENT` and `_HARMLESS`, in figures: only so SQLite sees that the index on documents will do.
_DOCUMENT_NAMED = "SELECT id, fingerprints FROM origins WHERE tenant = ? AND name = ? AND kind IN (1, 2)"
_DOCUMENTS = """
SELECT name, label, fingerprints, added FROM origins LEFT JOIN labels ON labels.origin = origins.id
WHERE tenant = ? AND kind IN (1, 2) ORDER BY name
"""
# CROSS JOIN: SQLite takes the tables in this order, each hash first.
_FIND = """
SELECT prints.hash, origins.kind, labels.label, origins.name, labels.expires
FROM prints CROSS JOIN origins ON origins.id = prints.origin CROSS JOIN labels ON labels.origin = prints.origin
WHERE prints.hash IN ({marks}) AND origins.tenant = ? AND (labels.expires IS NULL OR labels.expires > ?)
"""
_COMMON = "SELECT hash FROM common WHERE hash IN ({marks}) AND day >= ?"
_ANY_HARMLESS = "SELECT 1 FROM origins WHERE tenant = ? AND kind = ? LIMIT 1"
_HARMLESS_RUNS = """
SELECT prints.hash FROM prints CROSS JOIN origins ON origins.id = prints.origin
WHERE prints.hash IN ({marks}) AND origins.tenant = ? AND origins.kind = ?
"""
_LOOKUPS: Final = (512, 64, 8)
"""Hashes per statement. Few sizes, so that each statement is prepared once; what is missing is filled up."""
_SWEEPS = 64
"""Parts in which the table is gone through to remove rows, so that nobody waits for all of it."""


# ------------------------------------------------------------------------------------------------------------- key


def lineage_file(store: Path) -> Path:
    """Where the fingerprints of a store lie: beside it."""
    return store.with_name("lineage.db")


def key_file(store: Path) -> Path:
    """Where the key of the installation lies that a store belongs to: beside it, and so in the state folder."""
    return store.with_name("installation.key")


def installation_key(path: Path) -> bytes:
    """The secret of this installation, which is made where there is none, for its owner alone.

    Returns:
        32 bytes. Nothing uses them as they are: see `derive`.

    Raises:
        LedgerError: the file cannot be read or made, holds something else, or may be read by others.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            return _read_key(path)
        _make_key(path)
        return _read_key(path)
    except OSError as error:
        raise LedgerError(
            f"The key of this installation, {path}, cannot be read or made: {error.strerror}.",
            hint="What isthmus remembers of labelled text hangs on it.",
        ) from error


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the other key nor that of another purpose can be told.

    BLAKE2b keyed with 32 random bytes is a pseudo-random function (RFC 7693), so this is HKDF's expansion (RFC 5869)
    with another one; its extraction is for keys that are not random bytes to begin with.

    Returns:
        32 bytes.
    """
    return hashlib.blake2b(purpose.encode(), key=key, digest_size=KEY_BYTES, person=b"isthmus derive").digest()


def lineage_key(installation: bytes) -> bytes:
    """What fingerprints are made with."""
    return derive(installation, "lineage")


def _read_key(path: Path) -> bytes:
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        key = file.read(KEY_BYTES + 1)
    if mode & _OTHERS:
        raise LedgerError(
            f"The key of this installation, {path}, may be read by other users of this machine.",
            hint=f"Run `chmod 600 {path}`, and ask yourself who read it.",
        )
    if len(key) != KEY_BYTES:
        raise LedgerError(
            f"{path} does not hold the {KEY_BYTES} bytes of a key.",
            hint="Put the key back; with another one nothing that was remembered is recognised.",
        )
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file)
        # A link, not a rename: of two that make the key at once, one wins and both then use that one.
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------------------------- store


class FingerprintFile(FingerprintStore):
    """Fingerprints in a SQLite file, which several threads and processes may share."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it where there is none.

        Raises:
            LedgerError: it cannot be used.
        """
        self.path = path
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        with self._faults():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._prepare()
            self._file = _file_id(path)

    @override
    def close(self) -> None:
        """Close all connections. Whatever still uses one fails."""
        with self._lock:
            while self._open:
                self._open.pop().close()

    @override
    def claim(self, mark: str) -> None:
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('mark', ?)", (mark,))
            ((found,),) = connection.execute("SELECT value FROM facts WHERE name = 'mark'")
        if found != mark:
            raise LedgerError(
                f"What {self.path} remembers was made under another key of the installation.",
                hint="Put that key back; or move the file away and register the documents again.",
            )

    @override
    def find(self, tenant: str, hashes: Collection[int], *, now: float) -> Mapping[int, Sequence[Trace]]:
        known: dict[int, list[Trace]] = {}
        with self._reading() as connection:
            for marks, some in _batches(hashes):
                rows = connection.execute(_FIND.format(marks=marks), (*some, tenant, now))
                for found, kind, label, name, expires in rows:
                    registered = kind == _DOCUMENT
                    origin = f"document {name}" if registered else name
                    trace = Trace("registered" if registered else "remembered", label, origin, expires)
                    known.setdefault(found, []).append(trace)
        return known

    @override
    def remember(
        self, tenant: str, origin: str, labels: Mapping[Label, float | None], hashes: Collection[int], *, now: float
    ) -> None:
        with self._writing() as connection:
            _insert(connection, (tenant, _REQUEST, origin, len(hashes), now), labels, hashes)

    @override
    def common(self, tenant: str, hashes: Collection[int], *, since: float) -> set[int]:
        found: set[int] = set()
        with self._reading() as connection:
            some_harmless = connection.execute(_ANY_HARMLESS, (tenant, _HARMLESS)).fetchone()
            for marks, some in _batches(hashes):
                rows = connection.execute(_COMMON.format(marks=marks), (*some, int(since // _DAY))).fetchall()
                if some_harmless:
                    rows += connection.execute(_HARMLESS_RUNS.format(marks=marks), (*some, tenant, _HARMLESS))
                found.update(number for (number,) in rows)
        return found

    @override
    def note_common(self, hashes: Collection[int], *, now: float) -> None:
        day = int(now // _DAY)
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO common VALUES (?, ?)", ((one, day) for one in sorted(hashes))
            )

    @override
    def register(self, tenant: str, name: str, label: Label | None, hashes: Collection[int], *, now: float) -> bool:
        kind = _HARMLESS if label is None else _DOCUMENT
        with self._writing() as connection:
            replaced = _dismiss(connection, tenant, name)
            labels = {} if label is None else {label: None}
            _insert(connection, (tenant, kind, name, len(hashes), now), labels, hashes)
        if replaced is not None:
            self._sweep()
            return True
        return False

    @override
    def forget(self, tenant: str, names: Collection[str]) -> dict[str, int]:
        with self._writing() as connection:
            counts = {name: _dismiss(connection, tenant, name) for name in names}
        gone = {name: count for name, count in counts.items() if count is not None}
        if gone:
            self._sweep()
            # What is removed is overwritten (secure_delete), but where SQLite moved rows from one page to another it
            # leaves copies behind: measured, 6 of 1,000. So the file is written anew, some 100 MB a second.
            with self._reading() as connection:
                connection.execute("VACUUM").close()
            self._cut_log()
        return gone

    @override
    def documents(self, tenant: str) -> list[Document]:
        with self._reading() as connection:
            rows = connection.execute(
                _DOCUMENTS,
                (tenant,),
            )
            return [Document(name=name, label=label, fingerprints=count, added=at) for name, label, count, at in rows]

    @override
    def tidy(self, *, now: float, common_since: float) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM labels WHERE expires <= ?", (now,))
            connection.execute(
                "UPDATE origins SET kind = ? WHERE kind = ? AND NOT EXISTS (SELECT 1 FROM labels WHERE origin = id)",
                (_GONE, _REQUEST),
            )
            connection.execute("DELETE FROM common WHERE day < ?", (int(common_since // _DAY),))
        self._sweep()

    def _sweep(self) -> None:
        """Remove the fingerprints of origins that are gone."""
        with self._reading() as connection:
            gone = [number for (number,) in connection.execute("SELECT id FROM origins WHERE kind = ?", (_GONE,))]
        if not gone:
            return
        step = (1 << 64) // _SWEEPS
        for low in range(-(1 << 63), 1 << 63, step):
            with self._writing() as connection:
                connection.execute(
                    "DELETE FROM prints WHERE hash BETWEEN ? AND ?"
                    " AND origin IN (SELECT id FROM origins WHERE kind = ?)",
                    (low, low + step - 1, _GONE),
                )
        with self._writing() as connection:
            connection.executemany("DELETE FROM origins WHERE id = ?", ((number,) for number in gone))

    def _cut_log(self) -> None:
        """Write the log back and empty it: what was removed is in it still."""
        end = time.monotonic() + _BUSY_SECONDS
        with self._reading() as connection:
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > end:
                    raise LedgerError(
                        f"What was forgotten is still in the log beside {self.path}, since another process reads it.",
                        hint="It goes when that process goes on or ends.",
                    )
                time.sleep(0.02)

    # ---------------------------------------------------------------------------------------------- connections

    def _prepare(self) -> None:
        """Make the tables. Of several that do it at once, one does."""
        end = time.monotonic() + _BUSY_SECONDS
        with contextlib.closing(self._connect()) as connection:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode = WAL").close()
                    break
                except sqlite3.OperationalError:  # SQLite does not wait for others to change it, so we do
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)
            connection.execute("BEGIN IMMEDIATE")
            ((version,),) = connection.execute("PRAGMA user_version")
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute("COMMIT")
            elif version != _VERSION:
                raise LedgerError(f"{self.path} is of a newer version of isthmus.", hint="Use that version.")

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a file that vanishes is noticed, not replaced by an empty one that recognises nothing.
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # each is used by one thread, and closed by any
        )
        for pragma in ("synchronous = NORMAL", "secure_delete = ON", "cache_size = -8192"):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._faults():
            connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
            if _file_id(self.path) != self._file:
                raise vanished(self.path).as_error()
            if connection is None:
                connection = self._mine.connection = self._connect()
                with self._lock:
                    self._open.append(connection)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            fault: StoreFault = explain(error, self.path)
            raise fault.as_error() from error


def _insert(
    connection: sqlite3.Connection,
    origin: tuple[str, int, str, int, float],
    labels: Mapping[Label, float | None],
    hashes: Collection[int],
) -> None:
    number = connection.execute(
        "INSERT INTO origins (tenant, kind, name, fingerprints, added) VALUES (?, ?, ?, ?, ?)", origin
    ).lastrowid
    connection.executemany("INSERT INTO labels VALUES (?, ?, ?)", ((number, *pair) for pair in labels.items()))
    # In order, so that neighbours in the file are written together.
    connection.executemany("INSERT INTO prints VALUES (?, ?)", ((one, number) for one in sorted(hashes)))


def _dismiss(connection: sqlite3.Connection, tenant: str, name: str) -> int | None:
    """Let a document count as gone, at once. Returns its fingerprints; None: there is none."""
    row = connection.execute(_DOCUMENT_NAMED, (tenant, name)).fetchone()
    if row is None:
        return None
    number, count = row
    connection.execute("UPDATE origins SET kind = ?, name = '' WHERE id = ?", (_GONE, number))
    connection.execute("DELETE FROM labels WHERE origin = ?", (number,))
    return int(count)


def _batches(hashes: Collection[int]) -> Iterator[tuple[str, list[int]]]:
    """The hashes in order, in batches of few sizes, each with as many question marks."""
    rest = iter(sorted(hashes))
    left = len(hashes)
    while left:
        size = next((size for size in _LOOKUPS if size <= left), _LOOKUPS[-1])
        batch = list(islice(rest, size))
        left -= len(batch)
        batch += batch[-1:] * (size - len(batch))
        yield ",".join("?" * size), batch


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
