"""What the scripted vendors say to an agent: the next step of a task, by its tools and by what was done so far.

Nothing is remembered between requests: the history in the request is all there is, as for a real model. An agent that
loses a part of the conversation on the way, or whose gateway does, is played the same step again and never gets done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROMPT = "Create hello.txt with the word hi, then read it back and say done."
FILE = "hello.txt"
WORD = "hi"
TITLE = "A small file"
"""What a request without the agent's tools is answered: some agents ask for a title of the conversation."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One tool call of the task."""

    thought: str = ""
    text: str = ""
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a request tells of the conversation, whatever its dialect."""

    tools: frozenset[str]
    called: Sequence[str]
    """Names of the tools called so far, oldest first."""
    results: Sequence[str]
    """Their results, in the same order."""


@dataclass(kw_only=True)
class Play:
    """The steps of one task, and what came of them."""

    steps: Sequence[Step]
    played: list[str] = field(default_factory=list)
    """Names of the tools whose calls were asked for, and `end` once the task is done."""
    odd: list[str] = field(default_factory=list)
    """What in the history is not as it was played."""

    def next(self, told: Told) -> Step | str:
        """The next step, or what to say when there is none."""
        script = [step.tool for step in self.steps]
        if not told.tools & set(script):
            return TITLE
        if list(told.called) != script[: len(told.called)]:
            self.odd.append(f"called so far: {', '.join(told.called)}")
            return "This is not what I did."
        if len(told.results) != len(told.called):
            self.odd.append(f"{len(told.called)} calls, {len(told.results)} results")
        if len(told.called) < len(script):
            step = self.steps[len(told.called)]
            self.played.append(step.tool)
            return step
        if WORD not in told.results[-1]:
            self.odd.append(f"the file was not read: {told.results[-1][:200]}")
            return "The file says something else."
        self.played.append("end")
        return "done"

    @property
    def complete(self) -> bool:
        """Each step once, in order, and the end."""
        return self.played == [*(step.tool for step in self.steps), "end"] and not self.odd
