"""The name of the dialect, by which its extra fields are tagged."""

from __future__ import annotations

from isthmus.dialects.openai_chat.fields import Fields
from isthmus.domain.message import Extra

NAME = "gemini-generate"


def extra(fields: Fields) -> Extra | None:
    """What was not taken of `fields`, as this dialect's."""
    return Extra(NAME, fields.rest) if fields.rest else None
