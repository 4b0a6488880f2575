"""What can be wrong with the store, as sentences people can act on."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from isthmus.domain.errors import LedgerError


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Why the store cannot be used, and what to do."""

    message: str
    hint: str

    @property
    def sentence(self) -> str:
        return f"{self.message} {self.hint}"

    def as_error(self) -> LedgerError:
        return LedgerError(self.message, hint=self.hint)


_RESUMES = "Writing resumes by itself."

_FAULTS: dict[str, tuple[str, str]] = {
    "SQLITE_FULL": ("The disk of the store {path} is full.", f"Free some space. {_RESUMES}"),
    "SQLITE_BUSY": (
        "Another process keeps the store {path} locked.",
        f"Find it with `fuser {{path}}` and let it finish. {_RESUMES}",
    ),
    "SQLITE_READONLY": ("The store {path} may not be written.", f"Give this user the right to write it. {_RESUMES}"),
    "SQLITE_CANTOPEN": (
        "The store {path} cannot be opened.",
        f"See that the file and its folder exist and may be written. {_RESUMES}",
    ),
    "SQLITE_IOERR": ("The disk under the store {path} reports errors.", f"See to the disk. {_RESUMES}"),
    "SQLITE_CORRUPT": ("The store {path} is damaged.", "Stop isthmus and put a sound copy in its place."),
    "SQLITE_NOTADB": ("{path} is not a SQLite file.", "Put the store back, or give another path under [store]."),
}
"""By the error's primary name: SQLite appends details (`SQLITE_IOERR_WRITE`)."""


def vanished(path: Path) -> StoreFault:
    return StoreFault(
        f"The store {path} was removed or replaced while in use.",
        f"Put it back, and {_RESUMES[0].lower()}{_RESUMES[1:-1]}; or restart isthmus to begin with what is there.",
    )


def backlog(path: Path, pending: int) -> StoreFault:
    return StoreFault(
        f"{pending} requests are under way or wait to be written to the store {path}, as many as may.",
        "The disk is too slow for this load, or max_pending is too small.",
    )


def not_reserved(path: Path, pending: int) -> StoreFault:
    return StoreFault(
        f"The request has no place among the {pending} entries that may wait to be written to the store {path}.",
        "What must be on record before it is sent is not sent without one. Try again.",
    )


def late(path: Path, seconds: float) -> StoreFault:
    return StoreFault(f"The store {path} has not taken a record within {seconds:g} s.", f"See to its disk. {_RESUMES}")


def closed(path: Path) -> StoreFault:
    return StoreFault(f"Nothing is written to the store {path} any more: isthmus stops.", "Ask again once it runs.")


def stopped(path: Path) -> StoreFault:
    return StoreFault(
        f"Nothing is written to the store {path} any more: isthmus has a fault.", "See the log and restart."
    )


def explain(error: BaseException, path: Path) -> StoreFault:
    """The fault an error of the database or of the file system stands for."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (sqlite3.Error, OSError)):
        cause = cause.__cause__
    if isinstance(cause, OSError):
        return StoreFault(
            f"The store {path} cannot be opened: {cause.strerror or cause}.",
            f"See that its folder exists and may be written. {_RESUMES}",
        )
    name = getattr(cause, "sqlite_errorname", "")
    for known, (message, hint) in _FAULTS.items():
        if name.startswith(known):
            return StoreFault(message.format(path=path), hint.format(path=path))
    return StoreFault(f"The store {path} fails: {cause or error}.", f"See the log. {_RESUMES}")


def brief(error: BaseException) -> str:
    """An error for the log, without the values and the statement that the database and the encoder repeat in it."""
    origin = error if isinstance(error, sqlite3.Error) else getattr(error, "orig", None)
    return f"{type(origin).__name__}: {origin}" if origin is not None else type(error).__name__
