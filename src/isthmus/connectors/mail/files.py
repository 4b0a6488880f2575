"""Files that go into mails and come out of them: only from and into the folders that the user named for it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from isthmus.agent.marks import ISTHMUS, Mark
from isthmus.agent.tool import Field, Item
from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.connectors.mail.letter import MAX_BYTES, Attached, media_type_of
from isthmus.domain.errors import ToolError

_READING_SECONDS = 20.0
_UNWANTED = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
_MAX_NAME_BYTES = 150
_MAX_OF_A_NAME = 100


class Files:
    """The folders of an account."""

    def __init__(self, attach_from: Sequence[str], save_to: str | None) -> None:
        self._attach_from = tuple(Path(folder).expanduser() for folder in attach_from)
        self._save_to = None if save_to is None else Path(save_to).expanduser()

    async def attached(self, path: str) -> Attached:
        """A file to be attached.

        Raises:
            ToolError: it is none that may be.
        """
        return await to_thread.run_sync(self._attached, path)

    async def save(self, name: str, data: bytes) -> tuple[str, str]:
        """Save a file under a name of its own; nothing is ever overwritten.

        Returns:
            Its path, and SHA-256 of its content.

        Raises:
            ToolError: it cannot be saved.
        """
        path = await to_thread.run_sync(self._save, name, data)
        return str(path), hashlib.sha256(data).hexdigest()

    async def text(self, data: bytes) -> str:
        """The text of a document, by a process of its own whose time and memory are bounded.

        Raises:
            ToolError: there is none to be had.
        """
        try:
            return await to_thread.run_sync(_text, data)
        except Refused as error:
            raise ToolError(f"The text of the attachment cannot be had: {error}.") from error

    def item(self, path: str, size: int, mark: Mark) -> Item:
        """A file that was saved. Its name came with the mail."""
        asserted = Mark(labels=mark.labels, readers=mark.readers, origins=frozenset({ISTHMUS}))
        return Item(
            kind="file",
            id=path,
            fields={
                "name": Field(value=Path(path).name, kind="text", mark=mark),
                "size": Field(value=size, kind="number", mark=asserted),
            },
        )

    def _attached(self, given: str) -> Attached:
        refused = ToolError(
            "That file may not be attached, or there is none.",
            hint="The user names the folders whose files may be, as attach_from in the settings of the account.",
        )
        try:
            path = Path(given).expanduser().resolve(strict=True)
            within = next((folder for folder in self._attach_from if path.is_relative_to(folder.resolve())), None)
            # What begins with a dot is for programmes, keys among it.
            if within is None or any(part.startswith(".") for part in path.relative_to(within.resolve()).parts):
                raise refused
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise refused
                if status.st_size > MAX_BYTES:
                    raise ToolError(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
                data = file.read(MAX_BYTES)
        except (OSError, ValueError, RuntimeError) as error:  # no such file; a null in it; links in a circle
            raise refused from error
        return Attached(name=path.name, media_type=media_type_of(path.name), data=data)

    def _save(self, name: str, data: bytes) -> Path:
        assert self._save_to is not None
        safe = _safe(name)
        stem, suffix = Path(safe).stem, Path(safe).suffix
        try:
            self._save_to.mkdir(parents=True, exist_ok=True)
            for number in range(1, _MAX_OF_A_NAME):
                path = self._save_to / (safe if number == 1 else f"{stem} ({number}){suffix}")
                try:
                    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                except FileExistsError:
                    continue
                with open(file, "wb") as out:
                    out.write(data)
                return path.resolve()
        except OSError as error:
            raise ToolError(f"The file cannot be saved ({error.strerror}).") from error
        raise ToolError("There are too many files of that name.")


def _safe(name: str) -> str:
    """A file's name that can do no harm: no folder, no leading dot, no end."""
    clean = _UNWANTED.sub("_", name).strip(" .") or "attachment"
    stem, suffix = Path(clean).stem, Path(clean).suffix
    suffix = suffix if len(suffix.encode()) <= 20 else ""
    return stem.encode()[: _MAX_NAME_BYTES - len(suffix.encode())].decode("utf-8", "ignore") + suffix


def _text(data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="isthmus-mail-") as folder:
        path = Path(folder) / "attachment"
        path.write_bytes(data)
        with DocumentReader(seconds=_READING_SECONDS) as reader:
            return "\n".join(reader.texts(path)).strip()
