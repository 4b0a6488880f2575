"""Files of safetensors: a header in JSON, then nothing but numbers.

Nothing is executed by loading them; what can be wrong is a header that lies to the programme that reads it.

Source:
    https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from typing import BinaryIO

from isthmus.doctor.modelfiles.judgement import Fault, Judgement, quoted

HEADER_MAX = 16 << 20
"""Bytes of a header that is read. The format allows 100 MB; one of 100,000 tensors has 12."""

_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
_FAULTS_MAX = 10


class _Twice(ValueError):
    """A key stands twice in one object."""


def judge_safetensors(file: BinaryIO, size: int) -> Judgement:
    """What is wrong with the header of a file of `size` bytes; the file stands at its beginning."""
    lead = file.read(8)
    length = int.from_bytes(lead, "little")
    if len(lead) < 8 or length > size - 8:
        return _malformed("its header is longer than the file")
    if length > HEADER_MAX:
        says = f"its header of {length:,} bytes is larger than what is read ({HEADER_MAX:,})"
        return Judgement("safetensors", (Fault("not-judged", f"{says}.", "high"),))
    raw = file.read(length)
    try:
        header = json.loads(raw, object_pairs_hook=_unique)
    except _Twice as twice:
        return _malformed(f"its header has the key {quoted(str(twice))} twice, which programmes read differently")
    except (ValueError, RecursionError):
        return _malformed("its header is no JSON")
    if not raw.startswith(b"{") or not isinstance(header, dict):
        return _malformed("its header is no JSON object")
    faults: list[str] = []
    for fault in _faults(header, size - 8 - length):
        faults.append(fault)
        if len(faults) == _FAULTS_MAX:
            break
    return _malformed(*faults) if faults else Judgement("safetensors")


def _malformed(*faults: str) -> Judgement:
    return Judgement("safetensors", tuple(Fault("malformed", f"{fault}.", "high") for fault in faults))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _faults(header: dict[str, object], data: int) -> Iterator[str]:
    """What is wrong with the entries of a header, before `data` bytes of numbers."""
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        if name == "__metadata__":
            if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
                yield "its metadata are not texts"
            continue
        span = _span(entry)
        if isinstance(span, str):
            yield f"tensor {quoted(name)} {span}"
        elif span[1] > data:
            yield f"tensor {quoted(name)} lies outside of the file"
        else:
            spans.append((*span, name))
    reached = 0
    for begin, end, name in sorted(spans):
        if begin < reached:
            yield f"tensor {quoted(name)} lies in the bytes of another one"
        elif begin > reached:
            yield f"there are {begin - reached:,} bytes that belong to no tensor before {quoted(name)}"
        reached = max(reached, end)
    if reached < data:
        yield f"there are {data - reached:,} bytes that belong to no tensor at the end"


def _span(entry: object) -> tuple[int, int] | str:
    """Where a tensor lies, or what is wrong with its entry."""
    if not isinstance(entry, dict):
        return "is not described"
    bits = _BITS.get(str(entry.get("dtype")))
    if bits is None:
        return f"is of a type that is not known: {quoted(str(entry.get('dtype')))}"
    shape, offsets = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        return "has no usable shape and place"
    if len(shape) > 64 or prod(shape) * bits != (offsets[1] - offsets[0]) * 8:
        return "has another size than its shape says"
    return offsets[0], offsets[1]


def _counts(value: object) -> list[int] | None:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 1 << 63 for item in value):
        return None
    return value
