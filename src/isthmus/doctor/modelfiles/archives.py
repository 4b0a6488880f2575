"""Archives that model files are: zip (torch since 1.6, `.npz`, `.keras`), tar (early torch, NeMo), compressed streams.

Programmes differ in what they believe of an archive: the list at its end or the names in front of the data, checksums
or not, the first of two entries or the second. Whatever could be read in two ways is a fault.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from isthmus.doctor.modelfiles.judgement import Fault, quoted

ENTRIES_MAX = 100_000
DIRECTORY_MAX = 64 << 20
UNPACKED_MAX = 64 << 20
"""Bytes of one entry or stream that are unpacked. The pickle of a model is a few megabytes; its tensors lie apart."""

HEAD = 16_384
"""Bytes of every entry that are unpacked to see what it is."""

ZIP_MAGIC = b"PK\x03\x04"
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ODD = (
    zipfile.BadZipFile,
    struct.error,
    NotImplementedError,
    ValueError,
    EOFError,
    OverflowError,
    LookupError,
    OSError,
)
"""What the library raises on archives that are none, a seek to an impossible place included."""
_FAULTS_MAX = 10
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip archive."""

    name: str
    head: bytes
    """Its beginning, unpacked."""
    archive: Zip
    entry: zipfile.ZipInfo

    @property
    def content(self) -> bytes | None:
        """All of it; None: it is larger than what is unpacked."""
        return self.archive.content(self.entry)


class Zip:
    """A zip archive, read by its directory, and whether what lies in front of the data says the same."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.faults: list[Fault] = []
        self._entries = self._directory()

    def members(self) -> Iterator[Member]:
        """The files, each with its beginning."""
        seen: set[str] = set()
        for entry in self._entries:
            name = entry.filename
            if name in seen:
                self._odd(f"has two entries {quoted(name)}")
            seen.add(name)
            if _leads_out(name):
                self._odd(f"has an entry that leads out of the folder: {quoted(name)}")
            if not entry.is_dir() and self._stands_there(entry):
                yield Member(name, self._unpacked(entry, HEAD)[:HEAD], self, entry)

    def _directory(self) -> list[zipfile.ZipInfo]:
        try:
            end = _end(self._file, self._size)
            if end is not None and end.directory > DIRECTORY_MAX:
                self._odd(f"has a directory of more than {DIRECTORY_MAX:,} bytes")
                return []
            self._file.seek(0)
            with zipfile.ZipFile(self._file) as opened:
                entries = opened.infolist()
        except _ODD:
            self._odd("has no directory that can be read, and programmes that do without it may load it all the same")
            return []
        if len(entries) > ENTRIES_MAX:
            self._odd(f"has more than {ENTRIES_MAX:,} entries")
            return entries[:ENTRIES_MAX]
        if entries and min(entry.header_offset for entry in entries) != 0:
            self._odd("has its first entry elsewhere than at the beginning, so something else stands there")
        return entries

    def content(self, entry: zipfile.ZipInfo) -> bytes | None:
        """All of a file; None: it is larger than what is unpacked."""
        content = self._unpacked(entry, UNPACKED_MAX)
        if len(content) > UNPACKED_MAX:
            return None
        if len(content) != entry.file_size:
            self._odd(f"says another size of {quoted(entry.filename)} than it has")
        if zlib.crc32(content) != entry.CRC:
            self._odd(f"has a checksum of {quoted(entry.filename)} that is wrong, which not every programme looks at")
        return content

    def _stands_there(self, entry: zipfile.ZipInfo) -> bool:
        """Whether what lies in front of a file's data says the same as the directory."""
        name = quoted(entry.filename)
        header, local = self._local(entry)
        if header[0] != ZIP_MAGIC:
            self._odd(f"says of {name} that it is where it is not")
            return False
        # The name as bytes: how it is decoded depends on a flag that may differ, too.
        if local not in {entry.orig_filename.encode(code, "replace") for code in ("utf-8", "cp437")}:
            self._odd(f"calls an entry {name} in one place and {quoted(local.decode('latin-1'))} in another")
        if header[3] != entry.compress_type:
            self._odd(f"says in two ways how {name} is packed")
        if (header[2] | entry.flag_bits) & 1:
            self._odd(f"marks an entry as encrypted, which not every programme looks at: {name}")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            self._odd(f"packs {name} in a way that programmes for models do not")
            return False
        return True

    def _local(self, entry: zipfile.ZipInfo) -> tuple[tuple[Any, ...], bytes]:
        """The header in front of a file's data, and the name in it; leaves the position at the data."""
        try:
            self._file.seek(entry.header_offset)
            header = _LOCAL.unpack(self._file.read(_LOCAL.size))
            local = self._file.read(header[9])
            self._file.seek(header[10], io.SEEK_CUR)
        except (struct.error, ValueError, OverflowError, OSError):
            return (b"",), b""
        return header, local

    def _unpacked(self, entry: zipfile.ZipInfo, most: int) -> bytes:
        """At most one byte more than `most`."""
        self._local(entry)
        if entry.compress_type == zipfile.ZIP_STORED:
            return self._file.read(min(entry.compress_size, most + 1))
        unpacker = zlib.decompressobj(-15)
        found = bytearray()
        left = entry.compress_size
        try:
            while left > 0 and len(found) <= most and not unpacker.eof:
                packed = self._file.read(min(left, 1 << 16))
                if not packed:
                    break
                left -= len(packed)
                found += unpacker.decompress(packed, most + 1 - len(found))
                while unpacker.unconsumed_tail and len(found) <= most:
                    found += unpacker.decompress(unpacker.unconsumed_tail, most + 1 - len(found))
        except zlib.error:
            self._odd(f"has an entry that cannot be unpacked: {quoted(entry.filename)}")
        return bytes(found)

    def _odd(self, says: str) -> None:
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(Fault("odd-archive", f"the archive {says}.", "high"))


def ends_as_zip(file: BinaryIO, size: int) -> bool:
    """Whether a programme that looks from the end takes a file for a zip archive."""
    end = _end(file, size)
    if end is None or not 0 < end.directory <= size:
        return False
    # Some count from the beginning of the file, some back from the end of the directory.
    for place in (end.place - end.directory, end.offset):
        if 0 <= place < size:
            file.seek(place)
            if file.read(4) == b"PK\x01\x02":
                return True
    return False


@dataclass(frozen=True, slots=True)
class _End:
    """What stands at the end of a zip archive."""

    place: int
    """Where it begins."""
    directory: int
    """Bytes of the directory before it."""
    offset: int
    """Where that is said to begin."""


def _end(file: BinaryIO, size: int) -> _End | None:
    """The end of the archive; None: there is none.

    Source:
        APPNOTE.TXT of PKWARE, 4.3.14 to 4.3.16.
    """
    start = max(0, size - 65_557)
    file.seek(start)
    tail = file.read(65_557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return None
    short = _End(
        start + at, int.from_bytes(tail[at + 12 : at + 16], "little"), int.from_bytes(tail[at + 16 : at + 20], "little")
    )
    locator = tail[at - 20 : at] if at >= 20 else b""
    place = int.from_bytes(locator[8:16], "little")
    if short.directory != 0xFFFFFFFF or locator[:4] != b"PK\x06\x07" or place >= size:
        return short
    file.seek(place)
    long = file.read(56)
    return _End(place, int.from_bytes(long[40:48], "little"), int.from_bytes(long[48:56], "little"))


def tar_members(file: BinaryIO, faults: list[Fault]) -> Iterator[tuple[str, bytes | None]]:
    """The files of a tar archive with their content; None: it is larger than what is unpacked."""
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as opened:
            for count, entry in enumerate(opened):
                if count >= ENTRIES_MAX or len(faults) >= _FAULTS_MAX:
                    faults.append(Fault("not-judged", "the archive was not read to its end.", "high"))
                    return
                link = entry.issym() or entry.islnk()
                if _leads_out(entry.name) or (link and _leads_out(entry.linkname)):
                    says = f"the archive leads out of the folder with {quoted(entry.name)}."
                    faults.append(Fault("odd-archive", says, "high"))
                content = opened.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    yield entry.name, content.read() if entry.size <= UNPACKED_MAX else None
    except (tarfile.TarError, *_ODD, RecursionError):
        faults.append(Fault("malformed", "the archive is broken off or no archive.", "high"))


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar archive."""
    return head[257:262] == b"ustar"


def unpacked_stream(file: BinaryIO, head: bytes) -> bytes | None:
    """What a compressed stream holds (gzip, bzip2, xz, zlib), at most a byte more than the bound; None: it is none."""
    file.seek(0)
    try:
        if head[:2] == b"\x1f\x8b":
            return gzip.GzipFile(fileobj=file).read(UNPACKED_MAX + 1)
        if head[:3] == b"BZh":
            return bz2.BZ2File(file).read(UNPACKED_MAX + 1)
        if head[:6] == b"\xfd7zXZ\x00":
            return lzma.LZMAFile(file).read(UNPACKED_MAX + 1)
        if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
            return zlib.decompressobj().decompress(file.read(UNPACKED_MAX), UNPACKED_MAX + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, struct.error):
        return b""
    return None


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(_DRIVE.match(name)) or "\x00" in name
