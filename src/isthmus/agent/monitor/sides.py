"""Side branches: somebody else reads, and only typed values come back.

A side branch is given what is untrusted or heavy (a mailbox, a page) and a question with a form for the answer. Its
model may be the attacker's as soon as it reads, and what it answers with is then the attacker's choice. So:

- what comes back is a choice out of a list, yes or no, a number, a date, or a reference to a field that was read; a
  text only if the form asks for one, and then bounded;
- every value bears the mark of everything that the side branch read. In the parent it lies on the shelf as a field, and
  the parent's own words are marked with it from then on, as with anything else that its model was shown;
- except where the value is a choice, yes or no, a small number or a date, and the parent takes it *folded*: then the
  parent's readers and labels stay what they were, since so few bits cannot carry what was read, and the bits are
  counted against a budget per source. Its origins are never folded away: what an outsider could have chosen remains an
  outsider's choice, and endorses nothing.

The law: nothing that somebody writes into a source changes how a call of the parent is judged, except through values
that bear that source's origin, or, folded, through as many choices as the budget has bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from isthmus.agent.marks import Mark, join
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.shelf import Referred
from isthmus.agent.tool import Field, Item, Kind
from isthmus.domain.errors import ToolError

Form = Literal["choice", "flag", "number", "date", "reference", "text"]

_NUMBERS = 1001
"""How many numbers a `number` can be: 0 to 1000."""
_DAYS = 3 * 366
"""How many days a `date` can be, about: three years around the question. Others are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """One value that a side branch is asked for."""

    name: str
    form: Form
    choices: tuple[str, ...] = ()
    longest: int = 0
    """Characters of a text at most."""

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the value, for constrained decoding."""
        match self.form:
            case "choice":
                return {"type": "string", "enum": list(self.choices)}
            case "flag":
                return {"type": "boolean"}
            case "number":
                return {"type": "integer", "minimum": 0, "maximum": _NUMBERS - 1}
            case "date":
                return {"type": "string", "format": "date"}
            case "reference":
                return {"type": "string", "pattern": "^[a-z]+_[0-9]+\\.[A-Za-z0-9_-]+$"}
            case "text":
                return {"type": "string", "maxLength": self.longest}

    @property
    def bits(self) -> float:
        """What the value can carry at most. Infinite: more than is worth counting."""
        match self.form:
            case "choice":
                return math.log2(max(1, len(self.choices)))
            case "flag":
                return 1.0
            case "number":
                return math.log2(_NUMBERS)
            case "date":
                return math.log2(_DAYS)
            case "reference" | "text":
                return math.inf


def schema(blanks: Sequence[Blank]) -> Mapping[str, Any]:
    """JSON Schema of a whole answer."""
    return {
        "type": "object",
        "properties": {blank.name: blank.schema() for blank in blanks},
        "required": [blank.name for blank in blanks],
        "additionalProperties": False,
    }


def fork(parent: Branch, name: str, *, ground: Mark | None = None) -> Branch:
    """A side branch: it has seen nothing but its question.

    Args:
        parent: the branch that asks.
        name: of the side branch.
        ground: of the question. None: the parent's model wrote it, so it bears all that the parent has seen.
    """
    return Branch(id=name, conversation=parent.conversation, ground=ground or parent.context, granted=parent.granted)


def returned(
    parent: Branch,
    side: Branch,
    blanks: Sequence[Blank],
    answers: Mapping[str, Any],
    *,
    today: date,
    fold_bits: float = 0,
) -> tuple[Branch, Item]:
    """The parent with what a side branch answered on its shelf.

    Args:
        parent: the branch that asked.
        side: the branch that read, at its end.
        blanks: what was asked for.
        answers: by the name of the blank.
        today: what a date may be around.
        fold_bits: how many bits each source may put into the parent folded, over the whole conversation. 0: none.

    Returns:
        The parent, and the item that its model is shown.

    Raises:
        ToolError: an answer is not of its form.
    """
    fields: dict[str, Field] = {}
    total = sum(blank.bits for blank in blanks)
    sources = sorted(_sources(side))
    room = all(parent.bits.get(source, 0.0) + total <= fold_bits for source in sources)
    for blank in blanks:
        if blank.name not in answers:
            raise ToolError(f"The answer has no {blank.name!r}.")
        fields[blank.name] = _field(blank, answers[blank.name], side, today, folded=room, parent=parent)
    item = Item(kind="note", id=side.id, fields=fields)
    shelf = parent.shelf.put([item], toolset="side", call=side.id)
    bits = dict(parent.bits)
    if room:
        for source in sources:
            bits[source] = bits.get(source, 0.0) + total
    granted = (*parent.granted, *(one for one in side.granted if one not in parent.granted))
    return replace(parent, shelf=shelf, bits=bits, granted=granted), item


def _sources(side: Branch) -> set[str]:
    return {str(origin) for origin in side.context.origins}


def _field(blank: Blank, value: Any, side: Branch, today: date, *, folded: bool, parent: Branch) -> Field:
    mark = side.context
    kinds: Mapping[Form, Kind] = {
        "choice": "choice",
        "flag": "flag",
        "number": "number",
        "date": "time",
        "text": "text",
    }
    match blank.form:
        case "choice" if value in blank.choices:
            pass
        case "flag" if isinstance(value, bool):
            pass
        case "number" if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _NUMBERS:
            pass
        case "date" if isinstance(value, str) and _near(value, today):
            pass
        case "text" if isinstance(value, str) and len(value) <= blank.longest:
            pass
        case "reference" if isinstance(value, str) and isinstance(found := side.shelf.refer(value), Referred):
            # which field it is was chosen by who had read all of it
            return Field(
                value=found.field.value, kind=found.field.kind, mark=found.mark.joined(mark), party=found.field.party
            )
        case _:
            raise ToolError(f"{blank.name!r} is no {blank.form}.")
    if folded and math.isfinite(blank.bits):
        mark = Mark(labels=parent.context.labels, readers=parent.context.readers, origins=mark.origins)
    return Field(value=value, kind=kinds[blank.form], mark=join([mark]))


def _near(text: str, today: date) -> bool:
    try:
        return abs((date.fromisoformat(text) - today).days) <= _DAYS // 2
    except ValueError:
        return False
