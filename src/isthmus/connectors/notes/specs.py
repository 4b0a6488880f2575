"""The tools for notes, as a model and the monitor know them."""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}

_NOTE = Parameter(name="note", kind="note", role="object", summary="Id of the note.", schema=_TEXT)
_BODY = Parameter(name="text", kind="text", role="content", summary="Text.", schema=_TEXT)

SPECS: tuple[ToolSpec, ...] = (
    ToolSpec(
        name="note_add",
        summary="Write down something to remember.",
        effect="keep",
        makes="note",
        parameters=(
            Parameter(name="title", kind="text", role="content", summary="Title.", schema=_TEXT),
            _BODY,
        ),
    ),
    ToolSpec(
        name="note_find",
        summary="Find notes by words; without words, the newest.",
        effect="read",
        parameters=(
            Parameter(name="words", kind="text", role="query", summary="Words in it.", schema=_TEXT, required=False),
        ),
    ),
    ToolSpec(
        name="note_read",
        summary="Read a note.",
        effect="read",
        parameters=(
            _NOTE,
            Parameter(
                name="start",
                kind="number",
                role="option",
                summary="Go on at this character.",
                schema={"type": "integer", "minimum": 0},
                required=False,
            ),
        ),
    ),
    ToolSpec(
        name="note_edit",
        summary="Add to a note, or replace a piece of it. The version before is kept.",
        effect="keep",
        makes="note",
        undone_by="note_edit",
        parameters=(
            _NOTE,
            _BODY,
            Parameter(
                name="old",
                kind="text",
                role="content",
                summary="What it replaces, exactly; default: it is added.",
                schema=_TEXT,
                required=False,
            ),
        ),
    ),
)
