"""What of an answer a client's dialect has no place for.

An answer is never refused for it. It is carried in `extra_content`, by the name of the dialect that knows it, which
clients that do not know the field pass over.
"""

from __future__ import annotations

from isthmus.domain.message import Audio, Citation, Document, Image, Json

UNKNOWN = "isthmus"
"""Stands for the dialect where none is known: the fields are named as the domain's are."""


def untold_citation(citation: Citation) -> tuple[str, dict[str, Json]]:
    """The dialect, and the citation in that dialect's words as far as they are known."""
    said = {name: value for name in ("title", "quote") if (value := getattr(citation, name)) is not None}
    if citation.extra is None:
        return UNKNOWN, said
    return citation.extra.dialect, said | dict(citation.extra.fields)


def untold_medium(part: Image | Audio | Document) -> dict[str, Json]:
    """The fields of a part that an answer cannot hold."""
    names = ("url", "data", "text", "file_id", "media_type", "title")
    kind = type(part).__name__.lower()
    return {"type": kind} | {name: value for name in names if (value := getattr(part, name, None)) is not None}
