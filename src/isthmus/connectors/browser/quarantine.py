"""Files that come out of the browser: into one folder, under names that do no harm, never over another file."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from isthmus.domain.errors import ToolError

MOST_BYTES = 50 * 1024 * 1024

_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_MAX_NAME_BYTES = 120
_MAX_SUFFIX_BYTES = 16
_MOST_OF_A_NAME = 100


class Saved(NamedTuple):
    """A file that was saved."""

    path: Path
    size: int
    sha256: str


def save(folder: Path, name: str, data: bytes) -> Saved:
    """Save a file that only the user can read, and nobody can run.

    Raises:
        ToolError: it cannot be saved.
    """
    safe = safe_name(name)
    stem, suffix = Path(safe).stem, Path(safe).suffix
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, _MOST_OF_A_NAME):
            path = folder / (safe if number == 1 else f"{stem} ({number}){suffix}")
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            with open(file, "wb") as out:
                out.write(data)
            return Saved(path.resolve(), len(data), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise ToolError(f"The file cannot be saved ({error.strerror}).") from error
    raise ToolError("There are too many files of that name.")


def safe_name(name: str) -> str:
    """A name that is one file in any folder, shown by every programme, and no command's option."""
    clean = _UNWANTED.sub("_", name.encode("utf-8", "replace").decode()).strip(" .-") or "download"
    stem, suffix = Path(clean).stem, Path(clean).suffix
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:
        stem, suffix = clean, ""
    return stem.encode()[: _MAX_NAME_BYTES - len(suffix.encode())].decode("utf-8", "ignore") + suffix
