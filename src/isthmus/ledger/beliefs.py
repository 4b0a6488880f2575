"""What was believed: the content behind the versions that entries carry, kept under its own hash.

An entry says by which catalog and which policy it was decided, as the first 16 hexadecimal digits of a SHA-256. Here
lies what was hashed: the offers with all that was held to be true of them and what followed, the rules of labels, the
records of the catalog. A file is written once and never changed; that its content has the hash of its name shows it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from isthmus.catalog.catalog import manifest_of
from isthmus.domain.errors import LedgerError, NotFound

_VERSION = re.compile(r"[0-9a-f]{16}\Z")


def folder(store: Path) -> Path:
    """Where beliefs lie, beside the ledger."""
    return store.parent / f"{store.stem}-beliefs"


def keep(folder: Path, beliefs: Mapping[str, str]) -> None:
    """Write what is not there yet, each whole or not at all.

    Args:
        folder: made when it is needed.
        beliefs: text by its version.

    Raises:
        LedgerError: it cannot be written; a version without its content would answer nothing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for version, text in beliefs.items():
            target = _file(folder, version)
            if target.exists():
                continue
            draft = folder / f".{version}.{os.getpid()}"
            draft.write_bytes(gzip.compress(text.encode(), mtime=0))
            draft.replace(target)
    except OSError as exc:
        raise LedgerError(f"What is believed cannot be kept in {folder}: {exc.strerror or exc}.") from exc


def has(folder: Path, version: str) -> bool:
    """Whether something is kept under a version."""
    return _file(folder, version).exists()


def read(folder: Path, version: str) -> str:
    """The content behind a version.

    Raises:
        NotFound: nothing is kept under it.
        LedgerError: what is kept is not what was hashed.
    """
    path = _file(folder, version)
    if not _VERSION.match(version) or not path.is_file():
        raise NotFound(
            f"Nothing is kept under the version {version[:32]!r}.",
            hint="`isthmus ledger show` tells those of a request.",
        )
    content = b""
    with contextlib.suppress(OSError, EOFError, zlib.error):
        content = gzip.decompress(path.read_bytes())
    if hashlib.sha256(content).hexdigest()[:16] != version:
        raise LedgerError(f"{path} was changed: its content does not have the hash of its name.")
    return content.decode()


def catalog_text(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The files of a catalog as beliefs: the manifest by its version, and each file by its own.

    The version of a catalog is the hash of its manifest (`catalog.version_of`), which has the SHA-256 of every file.
    """
    manifest = manifest_of(contents)
    texts = [manifest, *(content.decode() for content in contents.values())]
    return {hashlib.sha256(text.encode()).hexdigest()[:16]: text for text in texts}


def read_catalog(folder: Path, version: str) -> dict[str, bytes]:
    """The files of the catalog of a version, by path.

    Raises:
        NotFound, LedgerError: as `read`.
    """
    files: dict[str, bytes] = {}
    for line in read(folder, version).splitlines():
        digest, _, path = line.partition("  ")
        files[path] = read(folder, digest[:16]).encode()
    return files


def _file(folder: Path, version: str) -> Path:
    return folder / f"{version}.gz"
