"""A model as it lies on the disk, file or folder: everything about it that a check or an approver should know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isthmus.doctor.check import SEVERITIES, Severity
from isthmus.doctor.modelfiles.judge import judge_file
from isthmus.doctor.modelfiles.judgement import Fault, quoted
from isthmus.doctor.modelfiles.repository import (
    FILES_MAX,
    Folder,
    config_templates,
    is_config,
    python_files,
    read_folder,
    remote_code,
)

Check = Literal["MF-1", "MF-2", "MF-4", "MF-6", "MF-10"]

_SAFE_SUFFIXES = frozenset({".safetensors", ".gguf"})


@dataclass(frozen=True, slots=True)
class Observed:
    """One thing that stands out."""

    check: Check
    """Id of the check of the doctor that it belongs to."""
    file: str
    """Path below the folder, or the name of the file."""
    says: str
    severity: Severity
    barred: bool = False
    """Whether nobody should approve of it: it runs code when it is loaded, or is a pickle that is not needed."""


def observe(place: Path) -> tuple[Observed, ...]:
    """What stands out in a file or a folder, the worst first. Every model file in it is judged by its content.

    Raises:
        OSError: it cannot be read.
    """
    found = tuple(_in_folder(read_folder(place))) if place.is_dir() else tuple(_in_file(place, place.name, beside=()))
    return tuple(sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.check, one.file)))


def _in_folder(folder: Folder) -> Iterator[Observed]:
    for path in folder.files:
        name = path.relative_to(folder.root).as_posix()
        beside = tuple(
            other.name for other in folder.files if other.parent == path.parent and other.suffix in _SAFE_SUFFIXES
        )
        yield from _in_file(path, name, beside=beside)
    for path in python_files(folder):
        name = path.relative_to(folder.root).as_posix()
        yield Observed("MF-4", name, "It is a programme that came with the weights.", "warn")
    for path in (*folder.leaving, *folder.special):
        name = path.relative_to(folder.root).as_posix()
        says = (
            "It is a link that leads out of the folder, or nowhere." if path.is_symlink() else "It is no ordinary file."
        )
        yield Observed("MF-10", name, says, "high")
    if not folder.complete:
        yield Observed("MF-2", ".", f"It has more than {FILES_MAX:,} files; the rest was not looked at.", "high")


def _in_file(path: Path, name: str, *, beside: tuple[str, ...]) -> Iterator[Observed]:
    judgement = judge_file(path)
    if judgement.pickled:
        if beside:
            also = f"The same folder has {quoted(beside[0], 60)}, so it is not needed."
        else:
            also = "Nothing in it was found that harms." if judgement.harmless else ""
        severity: Severity = "warn" if judgement.harmless and not beside else "high"
        says = f"Loading it unpickles, which can run code. {also}".strip()
        yield Observed("MF-1", name, says, severity, barred=bool(beside))
    yield from (_observed(fault, name) for fault in judgement.faults)
    if is_config(path):
        yield from (_observed(fault, name) for fault in config_templates(path))
        for code in remote_code(path):
            yield Observed("MF-4", name, f"It has code loaded from the repository: {quoted(code)}.", "high")


def _observed(fault: Fault, name: str) -> Observed:
    says = fault.says[:1].upper() + fault.says[1:]
    check: Check = "MF-6" if fault.code == "template-access" else "MF-2"
    return Observed(check, name, says, fault.severity, barred=fault.severity == "critical")
