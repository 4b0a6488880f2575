"""Whether the settings file has changed since it was last looked at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class _Mark(NamedTuple):
    modified_ns: int
    size: int
    inode: int


class SettingsFile:
    """Tells a change of a file by its time, size and inode, so that looking costs one system call.

    Editors replace files and orchestrators swap links: both change the inode. The content of the file is not read;
    a change is only a reason to `load` again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _mark(path)

    def changed(self) -> bool:
        """Whether the file is another one than at the last call, or at the beginning.

        A file that has gone is a change, and its return is one too; while it is away there is none.
        """
        now = _mark(self.path)
        if now == self._seen:
            return False
        self._seen = now
        return True


def _mark(path: Path) -> _Mark | None:
    """None: there is no such file, or it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _Mark(status.st_mtime_ns, status.st_size, status.st_ino)
