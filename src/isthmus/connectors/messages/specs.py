"""The tools for messages, as a model and the monitor know them. Their texts are part of every request: short."""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Parameter, Role, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
MOST_READ = 50
MOST_SECONDS = 300


def _channel(role: Role, name: str, summary: str) -> Parameter:
    return Parameter(name=name, kind="channel", role=role, summary=summary, schema=_TEXT)


def _count(name: str, summary: str, most: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most}
    return Parameter(name=name, kind="number", role="option", summary=summary, schema=schema, required=False)


SPECS = (
    ToolSpec(name="msg_channels", summary="List chat channels.", effect="read", parameters=()),
    ToolSpec(
        name="msg_read",
        summary="Read the last messages of a channel.",
        effect="read",
        parameters=(
            _channel("object", "channel", "Its address."),
            _count("limit", "How many; default 20.", MOST_READ),
        ),
    ),
    ToolSpec(
        name="msg_wait",
        summary="Wait for the next message in a channel.",
        effect="read",
        parameters=(
            _channel("object", "channel", "Its address."),
            _count("seconds", "How long; default 60.", MOST_SECONDS),
        ),
    ),
    ToolSpec(
        name="msg_send",
        summary="Send a chat message.",
        effect="send",
        makes="mail",
        parameters=(
            _channel("destination", "to", "Address of a channel or person."),
            Parameter(name="text", kind="text", role="content", summary="Plain text.", schema=_TEXT),
        ),
    ),
)
