"""Updates that were applied, in a folder of the state: `catalog`, which the catalog in force is read with.

`catalog` is a link to one of the folders below `catalog.d`, each written whole before the link is turned to it in one
step: whoever reads sees the update before or the one after, never half of one. The folder before stays for `undo`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import msgspec

from isthmus.catalog.bundle import is_catalog_path
from isthmus.catalog.catalog import version_of
from isthmus.domain.errors import ConfigError

RECORD = "applied.json"


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied, when, and from where."""

    form: int = 1
    applied_at: datetime
    """UTC."""
    source: str
    """A file, or the feeds that were downloaded."""
    sha256: Mapping[str, str]
    """Of what it came from: the bundle, or each feed."""
    catalog_before: str
    """Versions, as entries of the ledger carry them."""
    catalog_after: str
    accepted: tuple[str, ...]
    """Loosening changes that somebody accepted, by their ids."""
    held: tuple[str, ...]
    """Changes that were not applied."""
    over: Mapping[str, str | None]
    """Path of each file, and the SHA-256 of the one that came along with isthmus then; None: none did."""
    previous: str | None = None
    """Folder of the update before; None: none was applied."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the updates of a state folder, so that no other process applies one meanwhile.

    Raises:
        ConfigError: another one does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except OSError as exc:
            raise ConfigError("Another process is updating the catalog.", hint="Wait until it is done.") from exc
        yield


def applied(folder: Path) -> Applied | None:
    """The update that is in force in a folder; None: none is, or its record cannot be read."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Applied)
    except (OSError, msgspec.DecodeError):
        return None


def apply(folder: Path, files: Mapping[str, bytes], *, shipped: Mapping[str, bytes], record: Applied) -> Applied:
    """Put files in force in the place of those that came along.

    Args:
        folder: `catalog` in the state folder.
        files: all files of the catalog that is to be; those equal to the shipped ones are not written.
        shipped: the files that came along with isthmus.
        record: what is said of it; `over` and `previous` are filled in here.

    Raises:
        ConfigError: it cannot be written. Then what was in force stays.
    """
    own = {path: text for path, text in files.items() if shipped.get(path) != text}
    assert all(is_catalog_path(path) for path in own)
    if folder.exists() and not folder.is_symlink():
        raise ConfigError(f"{folder}: is a folder that no update made.", hint="Move it away, or set [catalog] folder.")
    before = folder.readlink().name if folder.is_symlink() else None
    record = msgspec.structs.replace(
        record,
        over={path: _sha256(shipped.get(path)) for path in sorted(own)},
        previous=before,
    )
    try:
        target = _write(folder, own, record)
        _turn(folder, target.name)
        _forget(folder, {target.name, before})
    except OSError as exc:
        raise ConfigError(f"{exc.filename or folder}: cannot be written: {exc.strerror}.") from exc
    return record


def undo(folder: Path) -> Applied | None:
    """Put in force again what was before the last update; gives that update, or None where none is applied.

    Raises:
        ConfigError: the folder cannot be changed.
    """
    last = applied(folder)
    if last is None or not folder.is_symlink():
        return None
    gone = folder.resolve()
    try:
        if last.previous is not None and (_kept(folder) / last.previous).is_dir():
            _turn(folder, last.previous)
        else:
            folder.unlink()
        shutil.rmtree(gone, ignore_errors=True)
    except OSError as exc:
        raise ConfigError(f"{exc.filename or folder}: cannot be changed: {exc.strerror}.") from exc
    return last


def outdated(record: Applied, shipped: Mapping[str, bytes]) -> tuple[str, ...]:
    """Files of an update that stand before others than they stood before then: isthmus was upgraded since."""
    return tuple(path for path, then in record.over.items() if _sha256(shipped.get(path)) != then)


def _write(folder: Path, files: Mapping[str, bytes], record: Applied) -> Path:
    name = f"{record.applied_at:%Y%m%dT%H%M%S%f}-{version_of(files)}"
    target = _kept(folder) / name
    partial = _kept(folder) / f".{name}"
    shutil.rmtree(partial, ignore_errors=True)
    for path, text in {**files, RECORD: msgspec.json.format(msgspec.json.encode(record), indent=2)}.items():
        file = partial / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    partial.rename(target)
    return target


def _turn(folder: Path, name: str) -> None:
    """Point the link elsewhere, in one step."""
    link = folder.with_name(f".{folder.name}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(Path(_kept(folder).name) / name)
    link.replace(folder)


def _forget(folder: Path, keep: set[str | None]) -> None:
    for old in _kept(folder).iterdir():
        if old.name not in keep:
            shutil.rmtree(old, ignore_errors=True)


def _kept(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.d")


def _sha256(text: bytes | None) -> str | None:
    return None if text is None else hashlib.sha256(text).hexdigest()
