"""The arguments of a call: what a model writes, made into values with marks.

A model names a thing by reference, `{"ref": "mail_3.from"}` or, as small models find easier, `"@mail_3.from"`. A
reference stands for that field and bears its mark alone. Everything else that a model writes is its own words, and
bears the mark of all that it has seen, with two exceptions that code can tell for sure:

- it equals what the user dictated: then it is the user's words;
- it is an id or an address, and equals fields on the shelf that are of the same kind: then it stands for those, with
  the join of their marks. What it carries beyond them is which of them was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isthmus.agent.marks import USERS_WORDS, Mark, Party, join
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall, Worth
from isthmus.agent.monitor.digests import digest
from isthmus.agent.monitor.intents import Intent, Slot
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.shelf import Referred, Shelf, Shown, is_reference
from isthmus.agent.tool import Kind, Parameter, ToolSpec, Value
from isthmus.domain.errors import ToolError

Parties = Callable[[str, str, Value], tuple[Party, ...]]
"""`Toolset.parties`."""

THINGS: frozenset[Kind] = frozenset(
    {"mail", "event", "calendar", "file", "note", "job", "contact", "attachment", "element", "mailbox"}
)
"""Kinds whose values are ids of things."""

_ADDRESSES: frozenset[Kind] = frozenset({"email", "person", "url", "host", "channel", "account"})

_OWN_KINDS_ONLY = THINGS | _ADDRESSES
"""Into a parameter of these kinds goes a field of the same kind only."""

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
_STOPS = " .!?"
_SMALL_NUMBER = re.compile(r"\d{1,3}\Z")


def propose(
    call_id: str,
    toolset: str,
    spec: ToolSpec,
    arguments: Mapping[str, Any],
    branch: Branch,
    intents: Sequence[Intent],
    *,
    parties: Parties,
) -> ProposedCall:
    """Resolve the arguments of a call.

    Args:
        call_id: unique in its conversation.
        toolset: name of the tool set.
        spec: of the tool.
        arguments: as the model wrote them, parsed.
        branch: on whose shelf references lie, and all that the model has seen.
        intents: of the user's words; what they dictate is the user's.
        parties: who comes to see something sent to a destination of this tool set.

    Raises:
        ToolError: an argument cannot be what it should be; told to the model.
    """
    if unknown := sorted(set(arguments) - {parameter.name for parameter in spec.parameters}):
        raise ToolError(f"{spec.name} has no parameter {unknown[0]!r}.", hint=f"It has: {_names(spec)}.")
    values: dict[str, tuple[Worth, ...]] = {}
    for parameter in spec.parameters:
        given = arguments.get(parameter.name)
        if given is None or (parameter.many and given == []):
            if parameter.required:
                raise ToolError(f"{spec.name} needs {parameter.name!r}: {parameter.summary}")
            continue
        several = given if isinstance(given, list) and parameter.many else [given]
        worths = [worth for one in several for worth in _worths(one, parameter, branch, intents)]
        values[parameter.name] = tuple(_addressed(worth, parameter, spec, parties) for worth in worths)
    plain = {
        name: [worth.value for worth in worths] if _many(spec, name) else worths[0].value
        for name, worths in values.items()
    }
    try:
        bound = digest(spec.name, plain)
    except ValueError as error:
        raise ToolError(f"The arguments of {spec.name} cannot be used: {error}.") from error
    return ProposedCall(
        id=call_id, conversation=branch.conversation, toolset=toolset, spec=spec, values=values, digest=bound
    )


def _worths(given: object, parameter: Parameter, branch: Branch, intents: Sequence[Intent]) -> list[Worth]:
    """One value as the model wrote it; a reference to a list of values is several."""
    if (found := _referred(given, parameter, branch.shelf)) is not None:
        return [found]
    _check(given, parameter)
    return [_literal(given, parameter, branch, intents)]


def _referred(given: object, parameter: Parameter, shelf: Shelf) -> Worth | None:
    match given:
        case {"ref": str(reference), **rest} if not rest:
            found = shelf.refer(reference)
        case str() if given.startswith("@") and is_reference(given):
            reference, found = given, shelf.refer(given)
        case str() if parameter.kind in THINGS and isinstance(found := shelf.refer(given), Shown):
            reference = given
        case _:
            return None
    if found is None:
        raise ToolError(f"There is no {reference}.", hint=_hint(shelf))
    if isinstance(found, Shown):
        if parameter.kind not in THINGS:
            names = ", ".join(f"{found.handle}.{name}" for name in found.item.fields)
            raise ToolError(f"{parameter.name} takes one field of {found.handle}.", hint=f"It has: {names}.")
        found = _the_thing(found)
    kind = found.field.kind
    if kind != parameter.kind and (parameter.kind in _OWN_KINDS_ONLY or kind in THINGS):
        raise ToolError(f"{found.reference} is of kind {kind}, and {parameter.name} takes {parameter.kind}.")
    return Worth(value=_json(found.field.value), mark=found.mark, references=(found.reference,))


def _literal(given: Any, parameter: Parameter, branch: Branch, intents: Sequence[Intent]) -> Worth:
    if parameter.role == "content" and (said := dictated(given, parameter.kind, intents)) is not None:
        return Worth(value=given, mark=USERS_WORDS, said=said.said)
    if parameter.kind in _OWN_KINDS_ONLY and (found := branch.shelf.holding(parameter.kind, given)):
        return Worth(
            value=given,
            mark=join(one.mark for one in found),
            references=tuple(one.reference for one in found),
        )
    if parameter.kind in THINGS:  # an id out of nowhere: of a thing that may bear any mark
        return Worth(value=given, mark=branch.context.joined(Mark()), unseen=True)
    return Worth(value=given, mark=branch.context)


def dictated(value: object, kind: Kind, intents: Sequence[Intent]) -> Slot | None:
    """The words of the user that a piece of content equals, in whole.

    Where the user left holes ('Dinner at {restaurant}', 'the k-th'), only numbers of up to three digits are too little
    to carry anything; what else stands in a hole is the model's own.
    """
    if not isinstance(value, str | int | float):
        return None
    wanted = normal(kind if kind != "choice" else "text", value)
    for intent in intents:
        for slot in intent.slots:
            plain = not (slot.pattern or slot.selector or slot.prefix or slot.inside or slot.each) and slot.value
            if plain and slot.kind in {kind, "person"} and _same_text(slot.value, wanted):
                return slot  # a whole token of the user's words carries nothing but itself
        for slot in intent.of("content", "object"):
            holes = filled(slot, wanted) if slot.pattern and kind == "text" else None
            if holes is not None and all(_SMALL_NUMBER.match(hole) for hole in holes):
                return slot
    return None


def _same_text(said: str, written: str) -> bool:
    """Whether two texts differ in nothing but the stop at their end."""
    return said.rstrip(_STOPS) == written.rstrip(_STOPS)


def filled(slot: Slot, text: str) -> tuple[str, ...] | None:
    """What stands in the holes of a pattern where a text in normal form fits it."""
    pattern = "(.*?)".join(re.escape(piece) for piece in slot.pattern)
    match = re.fullmatch(pattern, text, re.DOTALL)
    return None if match is None else match.groups()


def _addressed(worth: Worth, parameter: Parameter, spec: ToolSpec, parties: Parties) -> Worth:
    if parameter.role == "destination":
        seen_by = parties(spec.name, parameter.name, worth.value)
    elif parameter.role == "query" and spec.effect == "fetch":
        try:
            seen_by = parties(spec.name, parameter.name, worth.value)
        except ToolError:  # the tool set does not say who sees it: then it has to be what everyone may see
            seen_by = ()
    else:
        return worth
    return replace(worth, parties=seen_by)


def _check(given: object, parameter: Parameter) -> None:
    """Whether a literal is of the type that the tool declares, and among the choices it gives."""
    schema = parameter.schema
    wanted = schema.get("type")
    if isinstance(wanted, str) and (expected := _TYPES.get(wanted)) is not None:
        right = isinstance(given, expected) and (wanted == "boolean" or not isinstance(given, bool))
        if not right:
            raise ToolError(f"{parameter.name} has to be of type {wanted}.", hint=parameter.summary)
    choices = schema.get("enum")
    if choices is not None and given not in choices:
        raise ToolError(f"{parameter.name} has to be one of {', '.join(map(str, choices))}.")


def _the_thing(shown: Shown) -> Referred:
    found = Shelf((shown,)).refer(f"{shown.handle}.id")
    assert isinstance(found, Referred)
    return found


def _json(value: Value) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


def _hint(shelf: Shelf) -> str:
    if not shelf.shown:
        return "Nothing was found yet."
    return f"There is {', '.join(shown.handle for shown in shelf.shown[-8:])}."


def _names(spec: ToolSpec) -> str:
    return ", ".join(parameter.name for parameter in spec.parameters) or "none"


def _many(spec: ToolSpec, name: str) -> bool:
    parameter = spec.parameter(name)
    return parameter is not None and parameter.many
