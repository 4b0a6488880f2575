"""A bundle: the files of a catalog in one zip file, for machines that fetch nothing.

It holds `bundle.json` (form, day, which isthmus made it), `MANIFEST` (the SHA-256 of every file, as `sha256sum` writes
them) and the files at their paths. Reading one unpacks nothing to a disk: every entry must be in the manifest, have
the path of a record or of the snapshot, its size and its hash; sizes are held while it is decompressed, whatever the
zip file claims.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path

import msgspec

from isthmus.catalog.catalog import SNAPSHOT, manifest_of
from isthmus.catalog.reading import KINDS
from isthmus.domain.errors import ConfigError

FORM = 1
ABOUT, MANIFEST = "bundle.json", "MANIFEST"

FILES_MAX = 5_000
FILE_BYTES_MAX = 8_000_000
BYTES_MAX = 64_000_000
"""Of all files together, decompressed; and of the bundle itself."""

_RECORD = re.compile(rf"(?:{'|'.join(KINDS)})/(?:[A-Za-z0-9][A-Za-z0-9._:+-]*/)*[A-Za-z0-9][A-Za-z0-9._:+-]*\.yaml\Z")
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)\Z")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of itself."""

    form: int
    made_on: date
    made_by: str
    """`isthmus 0.1.0`."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    about: About
    sha256: str
    """Of the whole file, in hex."""
    contents: Mapping[str, bytes]
    """By path, as `catalog_of` takes them."""


def is_catalog_path(path: str) -> bool:
    """Whether a file of the catalog may have this path: a record's or the snapshot's, and nothing that leads away."""
    return path == SNAPSHOT or (_RECORD.match(path) is not None and ".." not in path.split("/"))


def write_bundle(target: Path, contents: Mapping[str, bytes], *, made_on: date) -> None:
    """Write a bundle, whole or not at all; the same contents on the same day make the same bytes."""
    about = About(form=FORM, made_on=made_on, made_by=f"isthmus {version('isthmus')}")
    files = {ABOUT: msgspec.json.encode(about), MANIFEST: manifest_of(contents).encode(), **contents}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in (ABOUT, MANIFEST, *sorted(contents)):
            bundle.writestr(zipfile.ZipInfo(path), files[path], zipfile.ZIP_DEFLATED)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_bytes(packed.getvalue())
        partial.replace(target)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"{target}: cannot be written: {exc.strerror}.") from exc


def read_bundle(source: Path, *, sha256: str | None = None) -> Bundle:
    """Read and check a bundle.

    Args:
        source: the file.
        sha256: what it must hash to, in hex; None: it says itself what its files hash to, and that is checked.

    Raises:
        ConfigError: it is none, is too large, or a file in it is not what the manifest says.
    """
    try:
        if source.stat().st_size > BYTES_MAX:
            raise ConfigError(f"{source}: is larger than {BYTES_MAX:,} bytes, so it is no bundle of a catalog.")
        packed = source.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{source}: cannot be read: {exc.strerror}.") from exc
    found = hashlib.sha256(packed).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ConfigError(f"{source}: has SHA-256 {found}, not the one that was asked for. Nothing of it was used.")
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
            return _checked(bundle, str(source), found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, msgspec.DecodeError) as exc:
        # zipfile says RuntimeError for encrypted entries and NotImplementedError for methods that it does not know
        raise ConfigError(f"{source}: is no bundle of a catalog: {exc}.") from exc


def _checked(bundle: zipfile.ZipFile, where: str, sha256: str) -> Bundle:
    entries = bundle.infolist()
    names = [entry.filename for entry in entries]
    if len(entries) > FILES_MAX or len(set(names)) != len(names):
        raise ConfigError(f"{where}: has too many files, or two of one name.")
    if not {ABOUT, MANIFEST} <= set(names):
        raise ConfigError(f"{where}: has no {ABOUT} or no {MANIFEST}, so it is no bundle of a catalog.")
    about = msgspec.json.decode(_entry(bundle, ABOUT, FILE_BYTES_MAX, where), type=About)
    if about.form != FORM:
        raise ConfigError(f"{where}: has form {about.form}; this isthmus reads form {FORM}.")
    hashes = _hashes(_entry(bundle, MANIFEST, FILE_BYTES_MAX, where), where)
    if hashes.keys() != set(names) - {ABOUT, MANIFEST}:
        raise ConfigError(f"{where}: the manifest and the files that are there differ.")
    contents: dict[str, bytes] = {}
    left = BYTES_MAX
    for path, expected in hashes.items():
        contents[path] = _entry(bundle, path, min(left, FILE_BYTES_MAX), where)
        left -= len(contents[path])
        if hashlib.sha256(contents[path]).hexdigest() != expected:
            raise ConfigError(f"{where}: {path} is not the file that the manifest names. Nothing of it was used.")
    return Bundle(about=about, sha256=sha256, contents=contents)


def _hashes(manifest: bytes, where: str) -> Mapping[str, str]:
    hashes: dict[str, str] = {}
    for line in manifest.decode("ascii", "replace").splitlines():
        found = _LINE.match(line)
        if found is None or not is_catalog_path(found[2]):
            raise ConfigError(f"{where}: the manifest has a line that names no file of a catalog: {line[:120]!r}.")
        hashes[found[2]] = found[1]
    return hashes


def _entry(bundle: zipfile.ZipFile, path: str, limit: int, where: str) -> bytes:
    """One file; never more than a limit is decompressed of it."""
    with bundle.open(path) as packed:
        text = packed.read(limit + 1)
    if len(text) > limit:
        raise ConfigError(f"{where}: {path} is too large for a file of a catalog.")
    return text
