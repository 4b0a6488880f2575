"""Which files are meant by the paths somebody names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not taken."""

    path: Path
    reason: str


def documents_under(path: Path) -> Iterator[Path | Skipped]:
    """The file at a path; or the files in the folder there and the folders in it, by name.

    Links within a folder are not followed: they may lead out of it or round in circles. What begins with a dot
    is for programmes.

    Raises:
        InvalidRequest: there is nothing at the path, or it is neither file nor folder.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", param="path") from error
    if stat.S_ISREG(mode):
        yield path
    elif stat.S_ISDIR(mode):
        yield from _within(path)
    else:
        raise InvalidRequest(f"{path} is neither a file nor a folder.", param="path")


def _within(folder: Path) -> Iterator[Path | Skipped]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Skipped(folder, f"it cannot be read ({error.strerror})")
        return
    for entry in found:
        path = folder / entry.name
        if entry.name.startswith("."):
            yield Skipped(path, "its name begins with a dot")
        elif entry.is_symlink():
            yield Skipped(path, "it is a link")
        elif entry.is_dir():
            yield from _within(path)
        elif entry.is_file():
            yield path
        else:
            yield Skipped(path, "it is no file")
