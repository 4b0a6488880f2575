"""A call and its values in words, for people."""

from __future__ import annotations

from isthmus.agent.marks import ISTHMUS, USER
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall, Worth

_LONGEST = 400
_MOST_NAMED = 3


def described(call: ProposedCall) -> str:
    """What would happen: the tool, and every argument that matters."""
    parts = [f"{name}: {_value(argument.value)}" for name, argument in call.arguments.items()]
    return f"{call.spec.summary.rstrip('.')} ({'; '.join(parts)})" if parts else call.spec.summary.rstrip(".")


def origin_of(worth: Worth, branch: Branch) -> str:
    """Where a value comes from, as the rest of a sentence that begins with it."""
    if worth.references:
        return f"comes from {_named(worth.references)}{_writers(worth.mark.origins)}"
    foreign = [shown.handle for shown in branch.shelf.shown if not shown.mark.trusted]
    if foreign:
        return f"was written by a model that had read {_named(tuple(foreign))}"
    return "was written by a model"


def _writers(origins: frozenset[str]) -> str:
    others = sorted(origins - {USER, ISTHMUS})
    return f", which {_named(tuple(others))} could have written" if others else ""


def _named(names: tuple[str, ...]) -> str:
    names = tuple(dict.fromkeys(names))
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
    return ", ".join(names)


def _value(value: object) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
