"""What a programme on the other side of MCP may do with our tools.

There is a model on the other side that we do not see, and no monitor. So what protects here is what is not served: by
itself only what reads, and what makes things that nobody but the user sees and that can be undone. More is opened by
the operator, effect by effect, and what reaches others only towards parties that are named.

Whatever the other side was given may be in what it asks for next. So everything it has made bears the join of all that.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.agent.inert import inert, one_line
from isthmus.agent.marks import OWN_WORDS, THE_USER, UNKNOWN, USERS_WORDS, Mark, Party, join
from isthmus.agent.monitor.digests import digest
from isthmus.agent.rendering import OUTSIDE, spelled
from isthmus.agent.tool import Argument, Effect, Field, Grant, Item, Parameter, ToolResult, Toolset, ToolSpec
from isthmus.domain.errors import ToolError

HARMLESS: frozenset[Effect] = frozenset({"read", "keep"})
"""What is served without being opened: it reaches nobody else."""

_OUTWARD: frozenset[Effect] = frozenset({"send", "fetch", "change"})

ANYONE = "anyone"
"""In the place of a party: whoever it may be."""

_ASKED = Mark(readers=USERS_WORDS.readers, origins=frozenset({UNKNOWN}))
"""Of what a foreign programme asks for, before it was shown anything."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


@dataclass(slots=True)
class Door:
    """One programme at our tools, for as long as it is there."""

    toolsets: Sequence[Toolset]
    effects: frozenset[Effect] = HARMLESS
    towards: frozenset[str] = frozenset()
    """Parties that may be reached, or `ANYONE`."""
    shown: Mark = field(default=_ASKED)
    """The join of all that was given out."""

    @property
    def tools(self) -> list[tuple[Toolset, ToolSpec]]:
        """What is served."""
        return [(one, spec) for one in self.toolsets for spec in one.specs if spec.effect in self.effects]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> tuple[Grant, ToolResult]:
        """Run a tool.

        Raises:
            ToolError: there is none, it may not be run so, or it cannot.
        """
        toolset, spec = self._found(tool)
        _check(spec, arguments)
        self._check_parties(toolset, spec, arguments)
        grant = Grant(
            call=f"mcp-{secrets.token_hex(8)}",
            tool=tool,
            digest=digest(tool, arguments),
            mark=self.shown,
            arguments={name: Argument(value=value, mark=self.shown) for name, value in arguments.items()},
        )
        result = await toolset.run(grant)
        self.shown = join([self.shown, mark_of(result)])
        return grant, result

    def _found(self, tool: str) -> tuple[Toolset, ToolSpec]:
        for toolset, spec in self.tools:
            if spec.name == tool:
                return toolset, spec
        raise ToolError(f"There is no tool {one_line(tool, 60)} here.")

    def _check_parties(self, toolset: Toolset, spec: ToolSpec, arguments: Mapping[str, Any]) -> None:
        if spec.effect not in _OUTWARD or ANYONE in self.towards:
            return
        reached: set[Party] = set()
        for parameter in spec.parameters:
            if parameter.role == "destination" and parameter.name in arguments:
                value = arguments[parameter.name]
                for one in value if parameter.many else [value]:
                    reached |= set(toolset.parties(spec.name, parameter.name, one))
        foreign = sorted(reached - {THE_USER} - {Party(one) for one in self.towards})
        if foreign or not reached:
            named = one_line(", ".join(foreign), 200) or "somebody that is not named"
            raise ToolError(f"It would reach {named}.", hint="Whoever runs this server says by --to whom it may reach.")


def effects_of(allowed: Collection[Effect]) -> frozenset[Effect]:
    """The effects that are served."""
    return HARMLESS | frozenset(allowed)


def mark_of(result: ToolResult) -> Mark:
    """The join of all that a result shows."""
    marks = [one.mark for item in result.items for one in _fields(item)]
    if result.image is not None:
        marks.append(result.image.mark)
    return join([OWN_WORDS, *marks])


def text_of(result: ToolResult) -> str:
    """A result as text. What others could have written is inert, and stands in lines of its own."""
    lines = [result.note] if result.note else []
    for item in result.items:
        lines += _item(item, "")
    return "\n".join(lines) or "Nothing was found."


def _item(item: Item, indent: str) -> Iterator[str]:
    yield f"{indent}{item.kind} {one_line(item.id, 200)}"
    for name, one in item.fields.items():
        if one.value in (None, ""):
            continue
        bar = "" if one.mark.trusted else OUTSIDE
        first, *more = inert(spelled(one.value)).split("\n")
        yield f"{indent} {name}: {bar}{first}"
        for line in more:
            yield f"{indent}  {bar}{line}"
    for inner in item.items:
        yield from _item(inner, f"{indent} ")


def _fields(item: Item) -> Iterator[Field]:
    yield from item.fields.values()
    for inner in item.items:
        yield from _fields(inner)


def _check(spec: ToolSpec, arguments: Mapping[str, Any]) -> None:
    """Hold arguments against what the tool takes.

    Raises:
        ToolError: they are not of that form.
    """
    for name in arguments:
        if spec.parameter(name) is None:
            raise ToolError(f"{spec.name} takes no {one_line(name, 60)}.")
    for parameter in spec.parameters:
        if parameter.name not in arguments:
            if parameter.required:
                raise ToolError(f"{spec.name} needs {parameter.name}: {parameter.summary}")
            continue
        value = arguments[parameter.name]
        if parameter.many and not isinstance(value, list):
            raise ToolError(f"{parameter.name} is a list.")
        for one in value if parameter.many else [value]:
            _check_value(parameter, one)


def _check_value(parameter: Parameter, value: Any) -> None:
    wanted = _TYPES.get(str(parameter.schema.get("type")))
    if wanted is None:
        return
    fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
    choices = parameter.schema.get("enum")
    if not fits or (choices is not None and value not in choices):
        told = f"one of {', '.join(map(str, choices))}" if choices else f"of type {parameter.schema['type']}"
        raise ToolError(f"{parameter.name} has to be {told}.")
