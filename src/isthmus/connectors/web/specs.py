"""The tools for the web, as a model and the monitor know them. Their texts are part of every request."""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_PLACE: dict[str, Any] = {"type": "integer", "minimum": 0}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 20}


def specs(*, can_search: bool) -> tuple[ToolSpec, ...]:
    """The tools of an account."""
    fetch = ToolSpec(
        name="web_fetch",
        summary="Read a page or PDF of the web as text.",
        effect="fetch",
        parameters=(
            Parameter(name="url", kind="url", role="destination", summary="Address.", schema=_TEXT),
            Parameter(
                name="start",
                kind="number",
                role="option",
                summary="Go on at this character.",
                schema=_PLACE,
                required=False,
            ),
        ),
    )
    search = ToolSpec(
        name="web_search",
        summary="Search the web.",
        effect="fetch",
        parameters=(
            Parameter(name="query", kind="text", role="query", summary="Words.", schema=_TEXT),
            Parameter(
                name="limit",
                kind="number",
                role="option",
                summary="How many; default 5.",
                schema=_COUNT,
                required=False,
            ),
        ),
    )
    return (fetch, search) if can_search else (fetch,)
