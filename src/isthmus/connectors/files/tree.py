"""One folder and what lies beneath it, reached so that nothing leads out of it.

Every part of a path is opened by itself, from the folder before it, and no link is followed: not even one that is put
there between a look and a step. Pipes, devices and sockets are no files. What begins with a dot is for programmes.

Nothing is ever overwritten or removed. What takes the place of a file is exchanged with it in one step; what was there
is kept under `.isthmus`, and so is what is put into the trash.

Source: openat2(2) for the rules of resolving beneath a folder, renameat2(2) for the exchange.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isthmus.domain.errors import ToolError

KEPT = ".isthmus"
VERSIONS, TRASH = "versions", "trash"

Parts = tuple[str, ...]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOREPLACE, _EXCHANGE = 1, 2
_DEEPEST = 32
_LONGEST = 255
_MADE = "user.isthmus.made"
"""An attribute of files that isthmus made. It goes along when a file is moved or copied with its attributes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder that was found."""

    parts: Parts
    folder: bool
    size: int
    """Bytes; of a folder 0."""
    modified: datetime
    made: bool
    """Whether isthmus made it, as far as the file itself tells."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that can be read."""

    fd: int
    entry: Entry


class Tree:
    """One folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root.expanduser()))

    def path(self, parts: Parts) -> str:
        """Where it is: what the file is known by."""
        return str(self.root.joinpath(*parts))

    # ------------------------------------------------------------------------------------------------------- looking

    @contextmanager
    def folder(self, parts: Parts, *, make: bool = False) -> Iterator[int]:
        """A folder, held open.

        Args:
            parts: of the path, from here.
            make: whether what is not there is made.

        Raises:
            ToolError: there is none that may be entered.
        """
        with _explained():
            here = os.open(self.root, _FOLDER)
        try:
            for part in parts:
                with _explained():
                    there = _entered(here, part, make=make)
                os.close(here)
                here = there
            yield here
        finally:
            os.close(here)

    @contextmanager
    def file(self, parts: Parts) -> Iterator[Opened]:
        """A file, held open.

        Raises:
            ToolError: there is none that may be read.
        """
        if not parts:
            raise ToolError("That is a folder.")
        with self.folder(parts[:-1]) as folder:
            with _explained():
                fd = os.open(parts[-1], _FILE, dir_fd=folder)
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise ToolError("That is no file.")
                yield Opened(fd, _entry(parts, status, made=_is_made(fd)))
            finally:
                os.close(fd)

    def entry(self, parts: Parts) -> Entry | None:
        """What lies there. None: nothing that may be read."""
        try:
            with self.file(parts) as opened:
                return opened.entry
        except ToolError:
            return None

    def entries(self, parts: Parts) -> Iterator[Entry]:
        """What lies in a folder, by name; not what is for programmes, nor what is neither file nor folder.

        Raises:
            ToolError: there is no such folder.
        """
        with self.folder(parts) as folder:
            with _explained():
                names = sorted(os.listdir(folder))
            for name in names:
                if not _is_plain(name):
                    continue
                with suppress(OSError):
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                        yield _entry((*parts, name), status, made=False)

    def walk(self, parts: Parts) -> Iterator[Entry]:
        """All files beneath a folder, folder by folder.

        Raises:
            ToolError: there is no such folder.
        """
        waiting = [parts]
        while waiting:
            folder, *waiting = waiting
            try:
                for entry in self.entries(folder):
                    if not entry.folder:
                        yield entry
                    elif len(entry.parts) < _DEEPEST:
                        waiting.append(entry.parts)
            except ToolError:
                if folder == parts:  # others may be closed, or gone by now
                    raise

    # ------------------------------------------------------------------------------------------------------- changing

    def put(self, parts: Parts, data: bytes, token: str) -> Parts | None:
        """Put a file there.

        Args:
            parts: where.
            data: its content.
            token: names what was there before, when that is kept.

        Returns:
            Where that is kept now. None: nothing was there.

        Raises:
            ToolError: it cannot be; nothing has changed.
        """
        with self.folder(parts[:-1], make=True) as folder, _explained():
            if self._new(folder, parts, data, token, keep_draft=True):
                return None
            return self._exchanged(folder, parts, token)

    def put_new(self, parts: Parts, data: bytes, token: str) -> bool:
        """Put a file where nothing is. Returns: whether nothing was there. Else as `put`."""
        with self.folder(parts[:-1], make=True) as folder, _explained():
            return self._new(folder, parts, data, token, keep_draft=False)

    def _new(self, folder: int, parts: Parts, data: bytes, token: str, *, keep_draft: bool) -> bool:
        """Write a draft beside the place, and put it there if nothing is. Else the draft may stay for what is next."""
        draft = _draft(token)
        self._tidied(folder, parts, token)
        try:
            _write(folder, draft, data)
            _rename(folder, draft, folder, parts[-1], _NOREPLACE)
        except FileExistsError:
            if not keep_draft:
                _discard(folder, draft)
            return False
        except BaseException:
            _discard(folder, draft)
            raise
        return True

    def tidy(self, parts: Parts, token: str) -> None:
        """After a crash in the midst of `put`: what it left beside the file goes to the versions, whatever it is."""
        with self.folder(parts[:-1]) as folder, _explained():
            self._tidied(folder, parts, token)

    def kept(self, which: str, parts: Parts, token: str) -> list[Parts]:
        """Where files are kept that a call exchanged or put into the trash: several, where it was interrupted."""
        where = (KEPT, which, *parts)
        with suppress(ToolError), self.folder(where) as folder, _explained():
            return [(*where, name) for name in sorted(os.listdir(folder)) if name.startswith(f"{token}.")]
        return []

    def _tidied(self, folder: int, parts: Parts, token: str) -> None:
        with suppress(FileNotFoundError):
            os.stat(_draft(token), dir_fd=folder, follow_symlinks=False)
            kept = kept_at(VERSIONS, parts, token)
            with self.folder(kept[:-1], make=True) as versions:
                _rename(folder, _draft(token), versions, kept[-1], _NOREPLACE)

    def _exchanged(self, folder: int, parts: Parts, token: str) -> Parts:
        kept, draft = kept_at(VERSIONS, parts, token), _draft(token)
        exchanged = False
        try:
            before = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(before.st_mode):
                raise ToolError("There is something of that name that is no file.")
            os.chmod(draft, stat.S_IMODE(before.st_mode), dir_fd=folder)
            with self.folder(kept[:-1], make=True) as versions:
                _rename(folder, draft, folder, parts[-1], _EXCHANGE)
                exchanged = True
                try:
                    _rename(folder, draft, versions, kept[-1], _NOREPLACE)
                except OSError:
                    _rename(folder, draft, folder, parts[-1], _EXCHANGE)
                    exchanged = False
                    raise
        except BaseException:
            if not exchanged:  # else the draft is what was there
                _discard(folder, draft)
            raise
        return kept

    def move(self, parts: Parts, to: Tree, target: Parts) -> None:
        """Move a file to where nothing is.

        Raises:
            ToolError: it cannot be; nothing has changed.
        """
        with (
            self.file(parts),
            self.folder(parts[:-1]) as here,
            to.folder(target[:-1], make=True) as there,
            _explained(),
        ):
            _rename(here, parts[-1], there, target[-1], _NOREPLACE)

    def trash(self, parts: Parts, token: str) -> Parts:
        """Put a file into the trash.

        Returns:
            Where it is now.

        Raises:
            ToolError: it cannot be; nothing has changed.
        """
        kept = kept_at(TRASH, parts, token)
        self.move(parts, self, kept)
        return kept


def kept_at(which: str, parts: Parts, token: str) -> Parts:
    """Where a file is kept that is exchanged or put into the trash: a place that nothing else has."""
    return (KEPT, which, *parts, f"{token}.{secrets.token_hex(2)}{Path(parts[-1]).suffix[:20]}")


def _draft(token: str) -> str:
    return f".isthmus-{token}.part"


def _discard(folder: int, draft: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)


def parts_of(relative: str, *, kept: bool = False) -> Parts:
    """The parts of a path.

    Args:
        relative: as it was given, from a folder.
        kept: whether it may lead to what is kept.

    Raises:
        ToolError: it leads out of the folder, or to what is for programmes.
    """
    parts = tuple(part for part in relative.split("/") if part not in ("", "."))
    own = kept and parts[:2] in {(KEPT, VERSIONS), (KEPT, TRASH)}
    if len(parts) > _DEEPEST or not all(map(_is_plain, parts[2:] if own else parts)):
        raise ToolError(
            "That path cannot be used.",
            hint="No part of it may be `..` or begin with a dot, or hold what cannot be seen.",
        )
    return parts


def _is_plain(name: str) -> bool:
    return (
        not name.startswith(".")
        and name.isprintable()  # not where it is not UTF-8 either
        and len(name.encode("utf-8", "surrogateescape")) <= _LONGEST
    )


def _entry(parts: Parts, status: os.stat_result, *, made: bool) -> Entry:
    folder = stat.S_ISDIR(status.st_mode)
    modified = datetime.fromtimestamp(status.st_mtime, UTC).replace(microsecond=0)
    return Entry(parts, folder, 0 if folder else status.st_size, modified, made)


def _entered(here: int, part: str, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=here)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(part, 0o700 if part == KEPT else 0o777, dir_fd=here)
    return os.open(part, _FOLDER, dir_fd=here)


def _write(folder: int, name: str, data: bytes) -> None:
    with open(os.open(name, _NEW, 0o600, dir_fd=folder), "wb") as file:
        file.write(data)
        file.flush()
        with suppress(OSError):  # a file system without attributes; the store remembers as well
            os.setxattr(file.fileno(), _MADE, b"1")
        os.fsync(file.fileno())


def _is_made(fd: int) -> bool:
    try:
        return bool(os.getxattr(fd, _MADE))
    except OSError:
        return False


def _rename(here: int, name: str, there: int, target: str, how: int) -> None:
    """renameat2(2), which Python does not have.

    Raises:
        OSError: as `os.rename`.
    """
    call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    if call(here, os.fsencode(name), there, os.fsencode(target), ctypes.c_uint(how)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_SENTENCES = {
    errno.ENOENT: ("There is no such file or folder.", "file_list shows what there is."),
    errno.ELOOP: ("That is a link, and links are not followed.", None),
    errno.ENOTDIR: ("A part of the path is no folder, or is a link; links are not followed.", None),
    errno.EEXIST: ("There is a file of that name already.", "Take another name."),
    errno.EISDIR: ("That is a folder.", None),
    errno.ENXIO: ("That is no file.", None),
    errno.EACCES: ("The system does not allow it.", None),
    errno.EPERM: ("The system does not allow it.", None),
    errno.EROFS: ("The folder can only be read.", None),
    errno.ENOSPC: ("The disk is full.", None),
    errno.EDQUOT: ("The disk is full.", None),
    errno.EXDEV: ("That lies on another disk.", "Write it anew there, and put the old one into the trash."),
    errno.EINVAL: ("The file system of that folder cannot exchange files safely.", None),
    errno.ENOTEMPTY: ("There is a folder of that name already.", "Take another name."),
    errno.ENAMETOOLONG: ("That name is too long.", None),
}


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of the system in our words."""
    try:
        yield
    except OSError as error:
        sentence, hint = _SENTENCES.get(error.errno or 0, ("The file cannot be reached.", None))
        raise ToolError(sentence, hint=hint) from error
