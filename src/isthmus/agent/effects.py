"""Doing what was granted, once, and saying truthfully what came of it.

done        it happened, and this is what it found or made
failed      it did not happen
uncertain   nobody can tell whether it happened; it is not done again, and a person is told

Whether something happened is asked of the service it happens at (`Toolset.find_done`), after a crash as well as after
an error that left it open.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import anyio

from isthmus.agent.happenings import Stepped
from isthmus.agent.inert import one_line
from isthmus.agent.means import Means
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.ports import EventKind
from isthmus.agent.recorded import written
from isthmus.agent.tool import Grant, ToolResult, Toolset
from isthmus.domain.errors import IsthmusError, ToolError, ToolUncertain

log = logging.getLogger("isthmus.agent")

SECONDS = 300.0
"""After which a tool set is waited for no longer. Tools that wait for somebody have bounds of their own, below."""

_SHORT = 80
"""Characters of an argument in a sentence for people."""

_UNCERTAIN = "It is not known whether {tool} was done. It is not done again: the user has to look."


class Outcome(NamedTuple):
    """What came of an effect: an event for the log, and what those are told who watch."""

    kind: EventKind
    content: Mapping[str, Any]
    stepped: Stepped


async def carry_out(means: Means, call: ProposedCall, grant: Grant, *, begun: bool, most: int) -> Outcome:
    """Do what was granted.

    Args:
        means: with the tool set that does it.
        call: resolved.
        grant: for it.
        begun: whether it was begun before, by a process that did not live to tell.
        most: characters of the result that a model is shown.
    """
    toolset = means.toolsets.get(call.toolset)
    if toolset is None:
        return _failed(call, f"The account {call.toolset} is not there any more.")
    if begun and _matters(call):
        try:
            with anyio.fail_after(SECONDS):
                found = await toolset.find_done(grant)
        except Exception as error:  # the boundary to foreign code: whatever it is, nobody can tell
            return _uncertain(call, _said(error))
        if found is not None:
            return _done(call, found, most)
    try:
        with anyio.fail_after(SECONDS):
            return _done(call, await toolset.run(grant), most)
    except ToolUncertain as error:
        return await _after_all(toolset, call, grant, error, most)
    except ToolError as error:
        return _failed(call, error.sentence)
    except Exception as error:  # the boundary to foreign code: whatever it is, the service is asked what came of it
        log.error("%s failed: %s", call.spec.name, type(error).__name__)
        return await _after_all(toolset, call, grant, error, most)


async def _after_all(toolset: Toolset, call: ProposedCall, grant: Grant, error: Exception, most: int) -> Outcome:
    """An error left it open whether something happened. It is not tried again here."""
    if not _matters(call):
        return _failed(call, _said(error))
    try:
        with anyio.fail_after(SECONDS):
            found = await toolset.find_done(grant)
    except Exception as second:
        return _uncertain(call, _said(second))
    return _failed(call, _said(error)) if found is None else _done(call, found, most)


def _matters(call: ProposedCall) -> bool:
    """Whether doing it twice would be something else than doing it once."""
    return call.spec.effect not in {"read", "fetch"}


def _said(error: Exception) -> str:
    """What may be said of an error of foreign code, whose message may hold anything."""
    return error.sentence if isinstance(error, IsthmusError) else f"It failed ({type(error).__name__})."


def _done(call: ProposedCall, result: ToolResult, most: int) -> Outcome:
    content = {"call": call.id, "tool": call.spec.name, "result": written(result), "shown": most}
    state = "failed" if result.failed else "done"
    return Outcome("effect_done", content, stepped(call, state, one_line(result.note, 200)))


def _failed(call: ProposedCall, why: str) -> Outcome:
    content = {"call": call.id, "tool": call.spec.name, "told": f"It was not done. {why}"}
    return Outcome("effect_failed", content, stepped(call, "failed", why))


def _uncertain(call: ProposedCall, why: str) -> Outcome:
    told = f"{_UNCERTAIN.format(tool=call.spec.name)} {why}"
    content = {"call": call.id, "tool": call.spec.name, "told": told}
    return Outcome("effect_uncertain", content, stepped(call, "failed", told))


def stepped(call: ProposedCall, state: Any, note: str = "") -> Stepped:
    """A call, for those who watch: what it acts on and whom it reaches, never what it says."""
    named = [
        f"{parameter.name}={one_line(str(worth.value), _SHORT)}"
        for parameter, worth in call.played("destination", "object", "query", "option")
    ]
    says = f"{call.spec.name}({', '.join(named)})"
    return Stepped(call=call.id, tool=call.spec.name, effect=call.spec.effect, says=says, state=state, note=note)
