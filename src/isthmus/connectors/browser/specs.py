"""The tools of a browser, as a model and the monitor know them. Their texts are part of every request: they are short.

Whatever is typed or chosen can be sent by the page at once, and so can a click: all three are sends, whose destination
is the site of the element. Which site that is, the tool set says itself (`Toolset.parties`), never the model. What is
chosen is one of few that the page itself offers, so it is no content.
"""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_PLACE: dict[str, Any] = {"type": "integer", "minimum": 0}
_FLAG: dict[str, Any] = {"type": "boolean"}

MOST_TYPED = 10_000
"""Characters that are typed at once."""


def specs(*, can_download: bool) -> tuple[ToolSpec, ...]:
    """The tools of a browser."""
    url = Parameter(name="url", kind="url", role="destination", summary="Address.", schema=_TEXT)
    element = Parameter(name="element", kind="element", role="destination", summary="As in [e12].", schema=_TEXT)
    start = Parameter(
        name="start", kind="number", role="option", summary="Go on at this character.", schema=_PLACE, required=False
    )
    found = [
        ToolSpec(name="browser_open", summary="Open a page and show it.", effect="fetch", parameters=(url,)),
        ToolSpec(
            name="browser_snapshot",
            summary="Show the page as text; [e12] names an element.",
            effect="read",
            parameters=(start,),
        ),
        ToolSpec(name="browser_click", summary="Click an element.", effect="send", parameters=(element,)),
        ToolSpec(
            name="browser_type",
            summary="Type text into a field, in place of what is there.",
            effect="send",
            parameters=(
                element,
                Parameter(
                    name="text",
                    kind="text",
                    role="content",
                    summary="What to type.",
                    schema={**_TEXT, "maxLength": MOST_TYPED},
                ),
                Parameter(
                    name="submit",
                    kind="flag",
                    role="option",
                    summary="Press Enter then.",
                    schema=_FLAG,
                    required=False,
                ),
            ),
        ),
        ToolSpec(
            name="browser_select",
            summary="Choose from a list.",
            effect="send",
            parameters=(
                element,
                Parameter(name="option", kind="choice", role="option", summary="As shown.", schema=_TEXT),
            ),
        ),
        ToolSpec(name="browser_screenshot", summary="Take a picture of the page.", effect="read", parameters=()),
    ]
    if can_download:
        found.append(
            ToolSpec(
                name="browser_download",
                summary="Save what an address leads to as a file.",
                effect="fetch",
                parameters=(url,),
                makes="file",
            )
        )
    return tuple(found)
