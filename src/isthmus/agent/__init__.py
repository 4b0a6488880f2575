"""The agent: a loop between any model and typed tools, and the monitor that stands between both."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isthmus.agent.agent import Agent

__all__ = ["Agent"]


def __getattr__(name: str) -> object:
    """The library's face, imported when it is asked for: settings that name a profile need no loop."""
    if name == "Agent":
        from isthmus.agent.agent import Agent  # noqa: PLC0415

        return Agent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
