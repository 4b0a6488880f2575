"""Weights held against the lock: what changed, what is missing, what came on top."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isthmus.catalog.licensing.text import digest
from isthmus.doctor.modelfiles.repository import read_folder
from isthmus.domain.errors import ConfigError
from isthmus.providers.embedded.lock import LockedFile, LockedLicence, LockedModel, file_facts
from isthmus.providers.embedded.reference import PathRef, Reference, parse

LICENCE_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING")
"""Where a repository's licence is looked for, the first that is there."""

_LICENCE_MAX = 1 << 20

Kind = Literal["changed", "missing", "extra", "licence"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was locked."""

    kind: Kind
    file: str
    """Path below the folder, or the name of the file."""
    says: str


def place_of(ref: str, weights_dir: Path) -> Path:
    """Where the weights of a reference lie, or would lie.

    Args:
        ref: as the settings name them.
        weights_dir: folder of what was fetched.
    """
    reference: Reference = parse(ref)
    return reference.path if isinstance(reference, PathRef) else weights_dir / f"{reference.name}.gguf"


def files_at(place: Path) -> dict[str, Path]:
    """The files of a model by their paths below the folder; of a single file, by its name.

    Raises:
        OSError: it cannot be read.
        ConfigError: the folder has more files than are read.
    """
    if not place.is_dir():
        return {place.name: place}
    folder = read_folder(place)
    if not folder.complete:
        raise ConfigError(f"{place} has more files than a lock keeps.", hint="Name the folder of one model.")
    return {path.relative_to(place).as_posix(): path for path in folder.files}


def facts_at(place: Path) -> dict[str, LockedFile]:
    """Size and hash of every file of a model, read in full.

    Raises:
        OSError: one cannot be read.
        ConfigError: the folder has more files than are read.
    """
    return {name: file_facts(path) for name, path in files_at(place).items()}


def licence_at(place: Path) -> str:
    """Name of the file with the licence in a model's folder; empty: there is none."""
    return next((name for name in LICENCE_NAMES if place.is_dir() and (place / name).is_file()), "")


def licence_digest(place: Path, file: str) -> str | None:
    """Hash of a licence's text; None: it is not there.

    Args:
        place: of the model.
        file: path below the model's folder, or an absolute one.
    """
    path = (place if place.is_dir() else place.parent) / file
    try:
        with path.open("rb") as opened:
            return digest(opened.read(_LICENCE_MAX))
    except OSError:
        return None


def differences(model: LockedModel, place: Path) -> Iterator[Difference]:
    """What is not as it was locked. Reads every file in full.

    Raises:
        OSError: a file that is there cannot be read.
    """
    if not place.exists():
        yield Difference("missing", place.name, f"{place} is not there.")
        return
    here = files_at(place)
    if not place.is_dir() and len(model.files) == 1:
        here = {next(iter(model.files)): place}  # in the cache it has the name of its reference
    for name, locked in sorted(model.files.items()):
        if name not in here:
            yield Difference("missing", name, "It is locked and not there.")
        elif (now := file_facts(here[name])) != locked:
            yield Difference("changed", name, _change(locked, now))
    for name in sorted(here.keys() - model.files.keys()):
        yield Difference("extra", name, "It is not locked, and lies beside what is.")
    yield from _licence(model.licence, place)


def _change(locked: LockedFile, now: LockedFile) -> str:
    if locked.size != now.size:
        return (
            f"It has {now.size:,} bytes, and had {locked.size:,}; its sha256 is {now.sha256}, and was {locked.sha256}."
        )
    return f"Its sha256 is {now.sha256}, and was {locked.sha256}; the size is the same."


def _licence(locked: LockedLicence, place: Path) -> Iterator[Difference]:
    if not locked.text_sha256:
        return
    now = licence_digest(place, locked.file)
    if now is None:
        yield Difference("licence", locked.file, "The licence that was approved is not there any more.")
    elif now != locked.text_sha256:
        yield Difference("licence", locked.file, "The text of the licence is another one than when it was approved.")
