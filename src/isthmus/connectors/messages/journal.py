"""What came in by messages, kept until it is dealt with: a small file that survives the end of the process.

A message is written here before its service may forget it, and marked when a turn is begun for it and when that has
ended. So none is lost and none is dealt with twice, whenever the process ends. The text of a message is deleted when it
is dealt with; its id stays for a while, so that the same message, told again, is known.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from isthmus.agent.channels.meeting import Inbound
from isthmus.agent.channels.people import Code, People

T = TypeVar("T")

_KNOWN = 20_000
"""Ids of messages that are remembered, of each account."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (line TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, content BLOB,
    UNIQUE (line, id)
);
CREATE INDEX IF NOT EXISTS open ON messages (line, number) WHERE state != 'done';
CREATE TABLE IF NOT EXISTS paired (address TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, address TEXT NOT NULL, name TEXT NOT NULL, expires_at TEXT NOT NULL
);
"""


class Waiting(NamedTuple):
    """A message that is not dealt with yet."""

    inbound: Inbound
    state: Literal["new", "begun"]
    """`begun`: a turn was begun for it, and a process did not live to end it."""


class Journal:
    """The file. May be used by several processes: the terminal confirms a code while the agent listens."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it; nobody but the user can read it.

        Raises:
            OSError, sqlite3.Error: it cannot be.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- messages -----------------------------------------------------------------------------------------------

    def cursor(self, line: str) -> str | None:
        """Up to where everything of an account was kept. None: nothing was yet."""
        with self._lock:
            row = self._db.execute("SELECT cursor FROM cursors WHERE line = ?", (line,)).fetchone()
        return None if row is None else str(row[0])

    def take(self, line: str, came: Sequence[Inbound], cursor: str) -> Sequence[Inbound]:
        """Keep what came, and up to where that is all. Durable when it returns.

        Returns:
            What was not known before.
        """
        new: list[Inbound] = []
        with self._lock, self._transaction():
            for inbound in came:
                put = self._db.execute(
                    "INSERT OR IGNORE INTO messages (line, id, state, content) VALUES (?, ?, 'new', ?)",
                    (line, inbound.id, msgspec.json.encode(inbound)),
                )
                if put.rowcount:
                    new.append(inbound)
            if cursor:
                self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (line, cursor))
            self._db.execute(
                "DELETE FROM messages WHERE line = ? AND state = 'done' AND number <= "
                "(SELECT max(number) FROM messages WHERE line = ?) - ?",
                (line, line, _KNOWN),
            )
        return new

    def waiting(self, line: str) -> Sequence[Waiting]:
        """What is not dealt with, in the order it came."""
        with self._lock:
            rows = self._db.execute(
                "SELECT content, state FROM messages WHERE line = ? AND state != 'done' ORDER BY number", (line,)
            ).fetchall()
        return [Waiting(msgspec.json.decode(content, type=Inbound), state) for content, state in rows]

    def begun(self, line: str, message: str) -> None:
        """A turn is about to begin for a message."""
        self._mark("UPDATE messages SET state = 'begun' WHERE line = ? AND id = ?", (line, message))

    def done(self, line: str, message: str) -> None:
        """A message is dealt with; its text is deleted."""
        self._mark("UPDATE messages SET state = 'done', content = NULL WHERE line = ? AND id = ?", (line, message))

    # -- people -------------------------------------------------------------------------------------------------

    def people(self, named: Iterable[str] = ()) -> People:
        """Who may speak to the agent.

        Args:
            named: by the settings.
        """
        with self._lock:
            return self._people().naming(named)

    def change_people(self, change: Callable[[People], tuple[People, T]]) -> T:
        """Change who may speak to the agent; nobody else changes it meanwhile. Durable when it returns.

        Args:
            change: makes of what is known what is known then, and a result.
        """
        with self._lock, self._transaction():
            people, result = change(self._people())
            self._db.execute("DELETE FROM paired")
            self._db.execute("DELETE FROM codes")
            self._db.executemany(
                "INSERT INTO paired VALUES (?, ?)", [(one, at.isoformat()) for one, at in people.paired.items()]
            )
            self._db.executemany(
                "INSERT INTO codes VALUES (?, ?, ?, ?)",
                [(one.code, one.address, one.name, one.expires_at.isoformat()) for one in people.codes],
            )
            return result

    def pair(self, code: str, now: datetime) -> Code | None:
        """Confirm a code, as the terminal does.

        Returns:
            Whose it was. None: there is no such code any more.
        """
        return self.change_people(lambda people: people.confirmed(code, now))

    def _people(self) -> People:
        paired = self._db.execute("SELECT address, at FROM paired").fetchall()
        codes = self._db.execute("SELECT code, address, name, expires_at FROM codes ORDER BY rowid").fetchall()
        return People(
            paired={address: datetime.fromisoformat(at) for address, at in paired},
            codes=tuple(
                Code(code=code, address=address, name=name, expires_at=datetime.fromisoformat(expires_at))
                for code, address, name, expires_at in codes
            ),
        )

    def _mark(self, statement: str, given: tuple[Any, ...]) -> None:
        with self._lock:
            self._db.execute(statement, given)

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db
