"""The tools for files, as a model and the monitor know them.

Writing keeps what was there, moving never overwrites, and the trash is a folder: all of it can be undone.
"""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 50}
_PLACE: dict[str, Any] = {"type": "integer", "minimum": 0}

_FILE = Parameter(name="file", kind="file", role="object", summary="Path of the file.", schema=_TEXT)
_FOLDER = Parameter(name="folder", kind="file", role="object", summary="Where.", schema=_TEXT, required=False)
_LIMIT = Parameter(
    name="limit", kind="number", role="option", summary="How many; default 20.", schema=_COUNT, required=False
)

_READING = (
    ToolSpec(
        name="file_list",
        summary="List the folders, or what is in one.",
        effect="read",
        parameters=(_FOLDER, _LIMIT),
    ),
    ToolSpec(
        name="file_search",
        summary="Find files by words in their name or text.",
        effect="read",
        parameters=(
            Parameter(name="text", kind="text", role="query", summary="Words.", schema=_TEXT),
            _FOLDER,
            _LIMIT,
        ),
    ),
    ToolSpec(
        name="file_read",
        summary="Read the text of a file (text, HTML, PDF, DOCX).",
        effect="read",
        parameters=(
            _FILE,
            Parameter(
                name="start",
                kind="number",
                role="option",
                summary="Go on at this character.",
                schema=_PLACE,
                required=False,
            ),
        ),
    ),
)

_WRITING = (
    ToolSpec(
        name="file_write",
        summary="Write a text file. An older version of it is kept.",
        effect="keep",
        makes="file",
        undone_by="file_trash",
        parameters=(
            _FILE,
            Parameter(name="text", kind="text", role="content", summary="All of its text.", schema=_TEXT),
        ),
    ),
    ToolSpec(
        name="file_move",
        summary="Move or rename a file.",
        effect="keep",
        makes="file",
        undone_by="file_move",
        parameters=(
            _FILE,
            Parameter(name="to", kind="text", role="object", summary="Its new path.", schema=_TEXT),
        ),
    ),
    ToolSpec(
        name="file_trash",
        summary="Put a file into the trash.",
        effect="keep",
        makes="file",
        undone_by="file_move",
        parameters=(_FILE,),
    ),
)


def specs(*, can_write: bool) -> tuple[ToolSpec, ...]:
    """The tools of an account.

    Args:
        can_write: whether there is a folder that may be written to.
    """
    return (*_READING, *_WRITING) if can_write else _READING
