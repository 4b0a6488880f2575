"""Where the store is and how it is opened. All that is particular to SQLite stands here.

The file is made in one place only, `Store.prepare`; every connection refuses to make it. So a store that vanishes
under a running process is noticed, not replaced by an empty one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from isthmus.domain.errors import LedgerError
from isthmus.ledger.faults import explain
from isthmus.ledger.schema import REVISION

_OTHERS_AT_WORK = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_RECOVERY"})

Synchronous = Literal["normal", "full"]
"""normal: a crash of the process loses nothing that was committed, a power cut may lose the last commits.
full: neither does; each group then waits for the disk.
"""


class Store:
    """A SQLite file and how to connect to it. Holds no connection."""

    def __init__(self, url: str, *, synchronous: Synchronous = "normal", busy_timeout: float = 5.0) -> None:
        """Take the address; nothing is opened yet.

        Args:
            url: as SQLAlchemy writes it, `sqlite:////absolute/path.db`.
            synchronous: what a commit waits for.
            busy_timeout: seconds a connection waits for another that holds the lock.

        Raises:
            LedgerError: not an address of a SQLite file.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise LedgerError(f"{url!r} is no address of a store.", hint=_HINT_URL) from error
        if parsed.get_backend_name() != "sqlite":
            raise LedgerError(
                f"A store of kind {parsed.get_backend_name()!r} is not supported in this version.", hint=_HINT_URL
            )
        if not parsed.database or parsed.database == ":memory:":
            raise LedgerError("A store in memory would forget the ledger at the end of the process.", hint=_HINT_URL)
        self.path = Path(parsed.database).absolute()
        self.busy_timeout = busy_timeout
        self._synchronous = synchronous
        self._engines: dict[bool, Engine] = {}

    def exists(self) -> bool:
        return self.path.exists()

    def file_id(self) -> tuple[int, int] | None:
        """Device and inode of the file at the path; None: there is none."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def prepare(self) -> None:
        """Make the file where there is none and bring its tables up to date.

        Safe when two processes do it at once.

        Raises:
            LedgerError: it cannot be made, is not a store, or is of a newer version of isthmus.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made by hand for its mode: principals and key hashes are nobody else's business.
            # SQLite gives the files beside it the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise explain(error, self.path).as_error() from error
        self._use_write_ahead_log()
        with self.transaction(writing=True) as connection:  # a second process waits here and then finds the work done
            _migrate(connection, self.path)

    def _use_write_ahead_log(self) -> None:
        """Once set, the file remembers it. SQLite does not wait for others to change it, so we do.

        Raises:
            LedgerError: it cannot be set.
        """
        end = time.monotonic() + self.busy_timeout
        while True:
            try:
                with contextlib.closing(sqlite3.connect(self.path, timeout=self.busy_timeout)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL").close()
            except sqlite3.Error as error:
                if time.monotonic() > end or getattr(error, "sqlite_errorname", "") not in _OTHERS_AT_WORK:
                    raise explain(error, self.path).as_error() from error
                time.sleep(0.02)
            else:
                return

    def engine(self, *, writing: bool) -> Engine:
        """An engine that keeps no connection open.

        Args:
            writing: transactions take the write lock when they begin, so that none fails half-way for want of it.
                Otherwise nothing can be written.
        """
        known = self._engines.get(writing)
        if known is not None:
            return known
        engine = create_engine(
            URL.create("sqlite", database=f"file:{quote(str(self.path))}", query={"mode": "rw", "uri": "true"}),
            poolclass=NullPool,
            hide_parameters=True,  # what clients send does not belong into messages and logs
            connect_args={"timeout": self.busy_timeout},
        )
        pragmas = [
            "PRAGMA foreign_keys = ON",
            f"PRAGMA synchronous = {self._synchronous.upper()}",
        ]
        if not writing:
            pragmas = ["PRAGMA query_only = ON"]
        begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

        @event.listens_for(engine, "connect")
        def connected(connection: sqlite3.Connection, _record: object) -> None:
            # The driver's own transactions begin late and end early around DDL; ours are said in words.
            connection.isolation_level = None
            for pragma in pragmas:
                connection.execute(pragma).close()

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        self._engines[writing] = engine
        return engine

    @contextmanager
    def transaction(self, *, writing: bool) -> Iterator[Connection]:
        """A connection of its own, in one transaction.

        Raises:
            LedgerError: the store cannot be used.
        """
        try:
            with self.engine(writing=writing).begin() as connection:
                yield connection
        except DBAPIError as error:
            raise explain(error, self.path).as_error() from error

    def fold_log(self) -> None:
        """Write the log beside the file into the file, and empty it, as far as nobody is reading or writing.

        What was deleted would otherwise go on lying in the log for a while.

        Raises:
            LedgerError: the store cannot be used.
        """
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=self.busy_timeout)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        except sqlite3.Error as error:
            raise explain(error, self.path).as_error() from error

    def dispose(self) -> None:
        """Let go of the engines. The store may be used again."""
        while self._engines:
            self._engines.popitem()[1].dispose()

    def require(self) -> None:
        """Make sure that there is a store to read.

        Raises:
            LedgerError: there is none, or its tables are not those of this version.
        """
        if not self.exists():
            raise LedgerError(
                f"There is no store at {self.path} yet.", hint="It is made by `isthmus up` and by `isthmus keys add`."
            )
        with self.transaction(writing=False) as connection:
            found = _revision(connection)
        if found is None:
            raise LedgerError(
                f"{self.path} holds no ledger yet.",
                hint="Its tables are made by `isthmus up` and by `isthmus keys add`.",
            )
        if found > REVISION:
            raise _too_new(self.path, found)
        if found < REVISION:
            raise LedgerError(
                f"The store {self.path} is of an older version of isthmus.", hint="`isthmus up` brings it up to date."
            )


def open_store(url: str, *, synchronous: Synchronous = "normal", busy_timeout: float = 5.0) -> Store:
    """A store that exists and is up to date; made where there is none. Arguments and errors as those of `Store`."""
    store = Store(url, synchronous=synchronous, busy_timeout=busy_timeout)
    store.prepare()
    return store


_HINT_URL = 'Use the path of a file: url = "sqlite:isthmus.db" under [store].'


def _revision(connection: Connection) -> str | None:
    """Revision of the tables; None: there are none."""
    known = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first()
    if known is None:
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _migrate(connection: Connection, path: Path) -> None:
    found = _revision(connection)
    if found == REVISION:
        return
    if found is None and connection.execute(text("SELECT 1 FROM sqlite_master")).first() is not None:
        raise LedgerError(f"{path} is a SQLite file, but not a store of isthmus.", hint=_HINT_URL)
    if found is not None and found > REVISION:
        raise _too_new(path, found)
    _upgrade(connection)


def _too_new(path: Path, found: str) -> LedgerError:
    return LedgerError(
        f"The store {path} is of a newer version of isthmus (its tables are {found}, known here: {REVISION}).",
        hint="Use that version, or a copy of the store from before.",
    )


def _upgrade(connection: Connection) -> None:
    # Imported here: it costs a tenth of a second and 10 MB, and a store that is up to date does not need it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
