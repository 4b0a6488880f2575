"""GGUF files: key-value metadata, descriptions of tensors, then numbers.

llama.cpp reads them in C++, and several of its faults were counts and sizes that a file lied about. The metadata carry
the chat template, which is a programme.

Source:
    https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; block sizes from `ggml.c`.
"""

from __future__ import annotations

import io
import struct
from math import prod
from typing import BinaryIO

from isthmus.doctor.modelfiles.judgement import Fault, Judgement, quoted
from isthmus.doctor.modelfiles.templates import TEMPLATE_MAX, lint

MAGIC = b"GGUF"
_ENTRIES_MAX = 100_000
_TENSORS_MAX = 100_000
_ITEMS_MAX = 5_000_000
"""Of all arrays together. A large vocabulary with its merges has 800,000."""
_KEY_MAX = 65_535
_NAME_MAX = 64
"""GGML_MAX_NAME; llama.cpp refuses longer names of tensors."""
_UNKNOWN_MAX = 3
"""Types that are named; new ones come every year, so they are no lie."""
_TEXT, _ARRAY = 8, 9
_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
}
"""By type: numbers in a block, bytes of a block."""


class _Lie(Exception):
    """The file says something that cannot be."""


def judge_gguf(file: BinaryIO, size: int) -> Judgement:
    """What is wrong with a file of `size` bytes; it stands at its beginning."""
    reader = _Reader(file, size)
    try:
        templates = reader.metadata()
        reader.tensors()
    except _Lie as lie:
        return Judgement("gguf", (*_linted(reader.templates), Fault("malformed", f"{lie}.", "high")))
    unknown = (
        Fault(
            "not-judged",
            f"it has tensors of type {kind}, which is not known, so their places were not checked.",
            "warn",
        )
        for kind in sorted(reader.unknown_types)
    )
    return Judgement("gguf", (*_linted(templates), *unknown))


def _linted(templates: dict[str, str]) -> tuple[Fault, ...]:
    return tuple(fault for key, text in templates.items() for fault in lint(text, where=key))


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._items = 0
        self._tensors = 0
        self._alignment = 32
        self.templates: dict[str, str] = {}
        self.unknown_types: set[int] = set()

    def metadata(self) -> dict[str, str]:
        """Read to the end of the metadata; returns the chat templates by their keys."""
        if self._file.read(4) != MAGIC:
            raise _Lie("it does not begin as GGUF")
        version = self._number(4)
        if version not in {2, 3}:
            raise _Lie(f"its version {version} is not known")
        self._tensors, entries = self._number(8), self._number(8)
        if self._tensors > _TENSORS_MAX or entries > _ENTRIES_MAX:
            raise _Lie(f"it claims {self._tensors:,} tensors and {entries:,} entries")
        seen: set[bytes] = set()
        for _ in range(entries):
            key = self._text(_KEY_MAX)
            if key in seen:
                raise _Lie(f"the key {quoted(key.decode('latin-1'))} stands twice")
            seen.add(key)
            self._value(key.decode("latin-1"), self._number(4))
        return self.templates

    def tensors(self) -> None:
        """Read the descriptions of the tensors, and whether they lie inside the file, apart from each other."""
        spans: list[tuple[int, int, str]] = []
        names: set[str] = set()
        for _ in range(self._tensors):
            name = self._text(_NAME_MAX).decode("latin-1")
            if name in names:
                raise _Lie(f"there are two tensors {quoted(name)}")
            names.add(name)
            dimensions = self._number(4)
            if dimensions > 4:
                raise _Lie(f"tensor {quoted(name)} has {dimensions:,} dimensions")
            shape = [self._number(8) for _ in range(dimensions)]
            kind, offset = self._number(4), self._number(8)
            spans.append((offset, offset + self._bytes_of(name, shape, kind), name))
            if offset % self._alignment:
                raise _Lie(f"tensor {quoted(name)} does not begin at a multiple of {self._alignment}")
        data = -(-self._file.tell() // self._alignment) * self._alignment
        reached = 0
        for begin, end, name in sorted(spans):
            if begin < reached:
                raise _Lie(f"tensor {quoted(name)} lies in the bytes of another one")
            if data + end > self._size:
                raise _Lie(f"tensor {quoted(name)} lies outside of the file")
            reached = end

    def _bytes_of(self, name: str, shape: list[int], kind: int) -> int:
        if kind not in _BLOCKS:
            if len(self.unknown_types) < _UNKNOWN_MAX:
                self.unknown_types.add(kind)
            return 0
        per_block, block_bytes = _BLOCKS[kind]
        count = prod(shape)
        if count >= 1 << 62 or (shape and shape[0] % per_block):
            raise _Lie(f"tensor {quoted(name)} has a shape that cannot be")
        return count // per_block * block_bytes

    def _value(self, key: str, kind: int) -> None:
        if kind == _TEXT and (key == "tokenizer.chat_template" or key.startswith("tokenizer.chat_template.")):
            self.templates[key] = self._text(TEMPLATE_MAX).decode("utf-8", "replace")
        elif kind == 4 and key == "general.alignment":
            self._alignment = self._number(4)
            if self._alignment.bit_count() != 1 or self._alignment > 1 << 20:
                raise _Lie(f"its alignment {self._alignment:,} is no small power of two")
        else:
            self._pass(key, kind, depth=0)

    def _pass(self, key: str, kind: int, depth: int) -> None:
        """Pass over a value."""
        if kind in _SCALAR_BYTES:
            self._skip(_SCALAR_BYTES[kind])
        elif kind == _TEXT:
            self._skip(self._number(8))
        elif kind == _ARRAY and depth < 2:
            self._pass_array(key, depth)
        else:
            raise _Lie(f"{quoted(key)} is of type {kind}, which is not known")

    def _pass_array(self, key: str, depth: int) -> None:
        kind, count = self._number(4), self._number(8)
        self._items += count
        if self._items > _ITEMS_MAX or count * _SCALAR_BYTES.get(kind, 8) > self._size:
            raise _Lie(f"{quoted(key)} claims {count:,} items")
        if kind in _SCALAR_BYTES:
            self._skip(_SCALAR_BYTES[kind] * count)
            return
        for _ in range(count):
            self._pass(key, kind, depth + 1)

    def _number(self, width: int) -> int:
        data = self._file.read(width)
        if len(data) < width:
            raise _Lie("it ends in the middle of its header")
        return int(struct.unpack("<I" if width == 4 else "<Q", data)[0])

    def _text(self, limit: int) -> bytes:
        length = self._number(8)
        if length > limit:
            raise _Lie(f"a text of {length:,} bytes stands where {limit:,} are the most")
        data = self._file.read(length)
        if len(data) < length:
            raise _Lie("it ends in the middle of its header")
        return data

    def _skip(self, count: int) -> None:
        here = self._file.tell()
        if count > self._size - here:
            raise _Lie("it ends in the middle of its header")
        # Seeking throws the buffer away, and a vocabulary has a hundred thousand short texts.
        if count <= 256:
            self._file.read(count)
        else:
            self._file.seek(count, io.SEEK_CUR)
