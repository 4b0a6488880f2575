"""The text of a file that is open, by way of `connectors.documents`."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import NamedTuple

from isthmus.connectors.documents.docx import is_zip
from isthmus.connectors.documents.html import is_html
from isthmus.connectors.documents.pdf import is_pdf
from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.connectors.documents.text import decoded
from isthmus.domain.errors import ToolError

MAX_BYTES = 64 * 1024 * 1024
_SECONDS = 20.0


class Content(NamedTuple):
    """What a file holds."""

    text: str
    sha256: str
    """Of its bytes."""


class Texts:
    """Reads texts. What could be made to trouble a parser is read by a process of its own, one file at a time."""

    def __init__(self) -> None:
        self._reader = DocumentReader(seconds=_SECONDS)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        with self._one_at_a_time:
            self._reader.__exit__(None, None, None)

    def content(self, fd: int, size: int) -> Content:
        """The text of an open file.

        Raises:
            ToolError: there is none to be had.
        """
        if size > MAX_BYTES:
            raise ToolError(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
        data = read(fd, MAX_BYTES)
        try:
            return Content(self._text(fd, data), hashlib.sha256(data).hexdigest())
        except Refused as error:
            raise ToolError(f"The text of the file cannot be had: {error}.") from error

    def _text(self, fd: int, data: bytes) -> str:
        if not (is_pdf(data) or is_zip(data) or is_html(data)):
            return decoded(data)
        # By its number, not its name: what is there by that name may be another file by now.
        with self._one_at_a_time:
            return "\n".join(self._reader.texts(Path(f"/proc/{os.getpid()}/fd/{fd}"))).strip()


def read(fd: int, most: int) -> bytes:
    """The first bytes of an open file."""
    with open(os.dup(fd), "rb") as file:
        file.seek(0)
        return file.read(most)


def is_document(head: bytes) -> bool:
    """Whether a file that begins so is taken apart by a process of its own."""
    return is_pdf(head) or is_zip(head)
