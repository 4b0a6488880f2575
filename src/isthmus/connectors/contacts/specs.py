"""The tools for contacts, as a model and the monitor know them. Their texts are part of every request."""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Kind, Parameter, Role, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 50}


def _of(
    name: str, kind: Kind, role: Role, summary: str, schema: dict[str, Any], *, required: bool = False
) -> Parameter:
    return Parameter(name=name, kind=kind, role=role, summary=summary, schema=schema, required=required)


def specs(*, can_add: bool) -> tuple[ToolSpec, ...]:
    """The tools of an account.

    Args:
        can_add: it has an address book of the user's own.
    """
    found = [
        ToolSpec(
            name="contact_find",
            summary="Find people's addresses.",
            effect="read",
            parameters=(
                _of("name", "person", "query", "Name, or part of an address.", _TEXT, required=True),
                _of("limit", "number", "option", "How many; default 10.", _COUNT),
            ),
        )
    ]
    if can_add:
        found.append(
            ToolSpec(
                name="contact_add",
                summary="Add a person to the address book.",
                effect="keep",
                makes="contact",
                parameters=(
                    _of("name", "person", "content", "Full name.", _TEXT, required=True),
                    _of("email", "email", "content", "Mail address.", _TEXT),
                    _of("phone", "text", "content", "Phone number.", _TEXT),
                    _of("organisation", "text", "content", "Where they work.", _TEXT),
                    _of("notes", "text", "content", "Notes.", _TEXT),
                ),
            )
        )
    return tuple(found)
