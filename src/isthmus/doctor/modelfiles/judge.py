"""What a model file is, by its content, and what is wrong with it. The name only says what else to try."""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from isthmus.doctor.modelfiles import arrays, gguf, layers
from isthmus.doctor.modelfiles.archives import (
    UNPACKED_MAX,
    ZIP_MAGIC,
    Member,
    Zip,
    ends_as_zip,
    is_tar,
    tar_members,
    unpacked_stream,
)
from isthmus.doctor.modelfiles.judgement import Fault, Format, Judgement, quoted
from isthmus.doctor.modelfiles.pickles import Followed, follow
from isthmus.doctor.modelfiles.safetensors import judge_safetensors
from isthmus.doctor.modelfiles.templates import lint

PICKLE_SUFFIXES = frozenset(
    {".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".dill", ".dat", ".data", ".p"}
)
"""Of files that programmes unpickle. `.bin`, `.dat` and `.data` are also names of other things."""

_MUST_BE_PICKLE = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"})
_TEXT_SUFFIXES = frozenset(
    {
        ".txt",
        ".md",
        ".json",
        ".jsonl",
        ".yaml",
        ".yml",
        ".toml",
        ".py",
        ".csv",
        ".html",
        ".js",
        ".css",
        ".xml",
        ".jinja",
    }
)
_HEAD = 512
_DEPTH_MAX = 4
"""Archives in archives, streams in streams."""

_TORCH_TENSOR = re.compile(r"(?:^|/)data/\d+\Z")
_IN_ZIP = re.compile(r"\.(?:pkl|pickle|pt|pth|bin|ckpt|joblib|dill)\Z", re.IGNORECASE)


def judge_file(path: Path) -> Judgement:
    """What a file is and what is wrong with it; never runs, imports or unpickles anything.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return Judgement("other", (Fault("not-judged", "it is no ordinary file.", "high"),))
        return judge(file, status.st_size, path.name)


def judge(file: BinaryIO, size: int, name: str, *, depth: int = 0) -> Judgement:
    """What `size` bytes are, which stand under a name.

    Args:
        file: seekable.
        size: of the whole.
        name: a suffix counts where the content does not say what it is.
        depth: of archives around it.
    """
    if depth > _DEPTH_MAX:
        return Judgement("other", (Fault("not-judged", "it is packed in too many layers.", "high"),))
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    suffix = Path(name).suffix.lower()
    found = _by_content(file, size, head, suffix, depth)
    if found.format != "pickle" and suffix in PICKLE_SUFFIXES:
        found = _as_pickle_too(file, found)
    if found.format not in {"zip", "torch-zip", "npz", "keras"} and ends_as_zip(file, size):
        inner = _zip(file, size, suffix, depth)
        if inner.pickled or inner.format != "zip" or found.format == "pickle":
            twice = _two_formats(f"begins as {found.format} and ends as a zip archive")
            return Judgement(found.format, (*found.faults, twice, *inner.faults), found.pickled or inner.pickled)
    return found


def _as_pickle_too(file: BinaryIO, found: Judgement) -> Judgement:
    """Whether what begins as another format is, to an unpickler, a pickle.

    Many beginnings are instructions: `GGUF` pushes a number, `PK` reads a line, the name of a tar's first file is free.
    """
    file.seek(0)
    followed = follow(file)
    if not _names_modules(followed):
        return found
    twice = _two_formats(f"begins as {found.format}, and an unpickler takes it for a pickle")
    return Judgement(found.format, (*found.faults, twice, *followed.faults), pickled=True)


def _two_formats(says: str) -> Fault:
    return Fault("two-formats", f"{says}, so programmes differ.", "high")


def _by_content(file: BinaryIO, size: int, head: bytes, suffix: str, depth: int) -> Judgement:
    if head.startswith(gguf.MAGIC):
        return gguf.judge_gguf(file, size)
    if head.startswith(ZIP_MAGIC):
        return _zip(file, size, suffix, depth)
    if head.startswith(layers.HDF5_MAGIC):
        return layers.judge_hdf5(file)
    if head.startswith(arrays.MAGIC):
        return arrays.judge_array(file)
    if suffix == ".safetensors":
        return judge_safetensors(file, size)
    if is_tar(head):
        return _tar(file, depth)
    if suffix == ".gguf":
        return Judgement("gguf", (Fault("malformed", "it does not begin as GGUF.", "high"),))
    if suffix == ".jinja":
        return _template(file)
    if (inner := unpacked_stream(file, head)) is not None:
        if len(inner) > UNPACKED_MAX:
            return Judgement("other", (_too_large(),), pickled=suffix in _MUST_BE_PICKLE)
        return judge(io.BytesIO(inner), len(inner), f"stream{suffix}", depth=depth + 1)
    file.seek(0)
    return _perhaps_pickle(file, head, suffix)


def _perhaps_pickle(file: BinaryIO, head: bytes, suffix: str) -> Judgement:
    """A pickle where it begins as one, is named as one, or happens to be one."""
    protocol = len(head) > 1 and head[0] == 0x80 and head[1] <= 5
    if suffix in _TEXT_SUFFIXES and not protocol:
        return Judgement("other")
    if not head:
        faults = (Fault("malformed", "it is empty.", "warn"),) if suffix in _MUST_BE_PICKLE else ()
        return Judgement("other", faults)
    followed = follow(file)
    if suffix in _MUST_BE_PICKLE or (protocol and (suffix in PICKLE_SUFFIXES or followed.imports)):
        return Judgement("pickle", followed.faults, pickled=True)
    # What is named like many other things is a pickle if it comes to an end as one, or imports something by a name
    # that could be one.
    if followed.pickles or (suffix in PICKLE_SUFFIXES and _names_modules(followed)):
        known = bool(followed.imports) or suffix in PICKLE_SUFFIXES
        return Judgement("pickle", followed.faults, pickled=True) if known else Judgement("other")
    return Judgement("other")


def _names_modules(followed: Followed) -> bool:
    return any(re.fullmatch(r"[A-Za-z_][\w.]*", found.module) for found in followed.imports)


def _zip(file: BinaryIO, size: int, suffix: str, depth: int) -> Judgement:
    archive = Zip(file, size)
    found: list[Fault] = []
    format_: Format = "npz" if suffix == ".npz" else "keras" if suffix == ".keras" else "zip"
    pickled = False
    for member in archive.members():
        if _TORCH_TENSOR.search(member.name):
            continue  # bytes of numbers, however they begin
        if Path(member.name).name in {"data.pkl", "constants.pkl"}:
            format_ = "torch-zip"
        inner = _member(member, format_, depth)
        pickled = pickled or inner.pickled
        found += (_placed(fault, member.name) for fault in inner.faults)
    torch = suffix in _MUST_BE_PICKLE | {".bin"} and format_ == "zip"  # torch takes it for its own
    return Judgement(format_, (*archive.faults, *found), pickled or torch)


def _member(member: Member, format_: Format, depth: int) -> Judgement:
    """What one file of a zip archive is."""
    name = Path(member.name).name
    config = format_ == "keras" and name == "config.json"
    if not (config or _IN_ZIP.search(name) or _begins_as_model(member.head)):
        return Judgement("other")
    if member.head.startswith(arrays.MAGIC) and not (header := arrays.judge_array(io.BytesIO(member.head))).pickled:
        return header  # nothing but numbers follow
    content = member.content
    if content is None:
        return Judgement("other", (_too_large(),), pickled=True)
    if config:
        return Judgement("json", layers.judge_config(content))
    return judge(io.BytesIO(content), len(content), name, depth=depth + 1)


def _begins_as_model(head: bytes) -> bool:
    pickle = head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}
    return pickle or head.startswith((ZIP_MAGIC, arrays.MAGIC))


def _tar(file: BinaryIO, depth: int) -> Judgement:
    faults: list[Fault] = []
    pickled = False
    for name, content in tar_members(file, faults):
        if content is None:
            # Of torch's own archives, `storages` and `tensors` are large and no pickles as a whole.
            pickled = pickled or Path(name).suffix.lower() in _MUST_BE_PICKLE
            faults += [_placed(_too_large(), name)] if Path(name).suffix.lower() in PICKLE_SUFFIXES else []
            continue
        inner = judge(io.BytesIO(content), len(content), name, depth=depth + 1)
        pickled = pickled or inner.pickled
        faults += (_placed(fault, name) for fault in inner.faults)
    return Judgement("tar", tuple(faults), pickled)


def _placed(fault: Fault, where: str) -> Fault:
    """A fault of something inside an archive."""
    shown = quoted(where).strip("`")
    return Fault(fault.code, f"{shown}: {fault.says}", fault.severity)


def _too_large() -> Fault:
    return Fault("not-judged", f"is larger than what is unpacked ({UNPACKED_MAX:,} bytes).", "high")


def _template(file: BinaryIO) -> Judgement:
    text = file.read(1 << 21).decode("utf-8", "replace")
    return Judgement("template", lint(text))
