"""Arrays of numpy in files of their own (`.npy`): a header in words, then numbers, or a pickle.

Source:
    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
from typing import BinaryIO

from isthmus.doctor.modelfiles.judgement import Fault, Judgement
from isthmus.doctor.modelfiles.pickles import follow

MAGIC = b"\x93NUMPY"
_HEADER_MAX = 10_000
"""As numpy itself reads without being told that the file is trusted."""


def judge_array(file: BinaryIO, where: str = "") -> Judgement:
    """What one array is. The file stands at its beginning."""
    told = f"{where}: " if where else ""
    lead = file.read(len(MAGIC) + 2)
    width = 2 if lead[6:7] == b"\x01" else 4
    size = int.from_bytes(file.read(width), "little")
    if len(lead) < 8 or lead[:6] != MAGIC or size > _HEADER_MAX:
        return Judgement("npy", (Fault("malformed", f"{told}has no header that numpy would read.", "warn"),))
    try:
        header = ast.literal_eval(file.read(size).decode("latin-1").strip())
        objects = _has_objects(header["descr"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return Judgement("npy", (Fault("malformed", f"{told}has a header that says nothing usable.", "warn"),))
    if not objects:
        return Judgement("npy")
    return Judgement("npy", follow(file, where).faults, pickled=True)


def _has_objects(descr: object) -> bool:
    """Whether elements are Python objects, which numpy keeps as a pickle."""
    if isinstance(descr, str):
        return "O" in descr
    if isinstance(descr, (list, tuple)):
        return any(_has_objects(part) for part in descr)
    return False
