"""Why a document is not taken."""

from __future__ import annotations


class Refused(Exception):
    """The text of a document cannot be had. The message goes on after a colon: "it is encrypted"."""


MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT = 64 * 1024 * 1024
"""Characters of one document: some 20,000 pages."""


def require_bounded(characters: int) -> None:
    """Refuse a document whose text has no end.

    Raises:
        Refused: it is longer than `MAX_TEXT`.
    """
    if characters > MAX_TEXT:
        raise Refused(f"its text is longer than {MAX_TEXT // 1024**2} million characters")
