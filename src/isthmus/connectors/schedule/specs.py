"""The tools for reminders and repeated tasks, as a model and the monitor know them.

A job is seen by the user alone and can be cancelled, so making one keeps. What it does when it wakes is judged then.
"""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_MINUTES: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 527_040}
_DOLLARS: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
_PROFILES = ["privacy-first", "performance-first", "cost-optimised"]
_CATCH_UP = ["late", "once", "skip"]

SPECS: tuple[ToolSpec, ...] = (
    ToolSpec(
        name="remind_me",
        summary="Remind the user of something at a time.",
        effect="keep",
        makes="job",
        undone_by="schedule_cancel",
        parameters=(
            Parameter(name="text", kind="text", role="content", summary="Of what.", schema=_TEXT),
            Parameter(
                name="when",
                kind="time",
                role="option",
                summary="As in 2026-11-21T15:30.",
                schema=_TEXT,
                required=False,
            ),
            Parameter(
                name="minutes",
                kind="duration",
                role="option",
                summary="Or in so many minutes.",
                schema=_MINUTES,
                required=False,
            ),
        ),
    ),
    ToolSpec(
        name="schedule_add",
        summary="Do a task again and again.",
        effect="keep",
        makes="job",
        undone_by="schedule_cancel",
        parameters=(
            Parameter(
                name="task", kind="text", role="content", summary="What to do, in the user's own words.", schema=_TEXT
            ),
            Parameter(
                name="cron",
                kind="text",
                role="option",
                summary='When: "0 8 * * 1-5" is 8:00 on weekdays.',
                schema=_TEXT,
            ),
            Parameter(
                name="zone",
                kind="text",
                role="option",
                summary="Time zone, if not the user's.",
                schema=_TEXT,
                required=False,
            ),
            Parameter(
                name="missed",
                kind="choice",
                role="option",
                summary="What of missed times: make up for each, for one, for none.",
                schema={"type": "string", "enum": _CATCH_UP},
                required=False,
            ),
            Parameter(
                name="profile",
                kind="choice",
                role="option",
                summary="Which models.",
                schema={"type": "string", "enum": _PROFILES},
                required=False,
            ),
            Parameter(
                name="budget",
                kind="number",
                role="option",
                summary="Dollars each time.",
                schema=_DOLLARS,
                required=False,
            ),
        ),
    ),
    ToolSpec(
        name="schedule_list",
        summary="List reminders and repeated tasks, and how they ended.",
        effect="read",
        parameters=(
            Parameter(
                name="ended",
                kind="flag",
                role="option",
                summary="Also those that are over.",
                schema={"type": "boolean"},
                required=False,
            ),
        ),
    ),
    ToolSpec(
        name="schedule_cancel",
        summary="Cancel a reminder or task, or take that back.",
        effect="keep",
        undone_by="schedule_cancel",
        parameters=(
            Parameter(name="job", kind="job", role="object", summary="Its id.", schema=_TEXT),
            Parameter(
                name="undo",
                kind="flag",
                role="option",
                summary="true takes it back.",
                schema={"type": "boolean"},
                required=False,
            ),
        ),
    ),
)
