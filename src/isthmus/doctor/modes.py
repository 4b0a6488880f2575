"""Who may do what with a file: its mode, and the folders that keep others out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from isthmus.doctor.check import Fix

OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITING = stat.S_IWGRP | stat.S_IWOTH


def mode_of(path: Path) -> int | None:
    """The bits of its mode; None: it is not there."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def owner_of(path: Path) -> int | None:
    """The number of the user it belongs to; None: it is not there."""
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def others_may(path: Path) -> int:
    """The rights of its group and of everybody to a file, as far as the folders above let them get to it."""
    rights = (mode_of(path) or 0) & OTHERS
    for folder in path.absolute().parents:
        above = mode_of(folder) or 0
        if not above & stat.S_IXGRP:
            rights &= ~stat.S_IRWXG
        if not above & stat.S_IXOTH:
            rights &= ~stat.S_IRWXO
    return rights


def without(path: Path, bits: int) -> Fix:
    """Takes rights to a file away."""
    mode = (mode_of(path) or 0) & ~bits
    return Fix(says=f"chmod {mode:03o} {path}", apply=partial(os.chmod, path, mode))


def together(fixes: Iterable[Fix]) -> Fix:
    """Several fixes as one."""
    wanted = tuple(fixes)

    def apply() -> None:
        for fix in wanted:
            fix.apply()

    return Fix(says="\n".join(fix.says for fix in wanted), apply=apply)
