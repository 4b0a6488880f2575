"""The process that takes documents apart: `python -m isthmus.connectors.documents.child`.

It reads paths from its input, one JSON string a line, and answers each with one line of JSON: the texts, or why there
are none. Its memory is bounded, and whoever asked kills it when it takes too long. It ends when its input does.
"""

from __future__ import annotations

import os
import resource
import stat
import sys
from typing import BinaryIO

import msgspec

from isthmus.connectors.documents.extraction import texts_of
from isthmus.connectors.documents.refusal import MAX_FILE_BYTES, Refused

MEMORY_BYTES = 2 * 1024**3


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one document."""

    texts: list[str] = []
    refused: str | None = None
    """Why there are no texts."""


def read(path: str) -> bytes:
    """The content of a regular file.

    Raises:
        Refused: it is something else, too large, or cannot be read.
    """
    try:
        # Without waiting: the name may lead to a pipe by now.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("it is no file")
            if status.st_size > MAX_FILE_BYTES:
                raise Refused(f"it is larger than {MAX_FILE_BYTES // 1024**2} MB")
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from error


def answer(path: str) -> Answer:
    """The texts of a file, or why there are none."""
    try:
        # A lone surrogate, which a damaged PDF may lead to, cannot be told in JSON and says nothing.
        return Answer([text.encode("utf-8", "ignore").decode() for text in texts_of(read(path))])
    except Refused as refused:
        return Answer(refused=str(refused))
    except MemoryError:
        return Answer(refused=f"it needs more than {MEMORY_BYTES // 1024**3} GB of memory")
    except RecursionError:
        return Answer(refused="it is nested too deeply")


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    for line in questions:
        answers.write(msgspec.json.encode(answer(msgspec.json.decode(line, type=str))) + b"\n")
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)
