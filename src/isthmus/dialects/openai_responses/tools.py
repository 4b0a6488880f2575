"""Tools, what a caller asks of them, and how calls of them look. Both ways.

The domain has one kind of tool: a function with a JSON Schema. Two kinds of this dialect are said as such: a `custom`
tool, whose input is free text, is a function with one string; a `namespace` is its tools, with its name before theirs.
How a tool was said stays in its `extra`, so that calls come back in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_responses.content import note_cache
from isthmus.dialects.openai_responses.name import NAME
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import CompletionRequest, Extra, Json, Tool, ToolChoice

SEARCHES: Mapping[str, str] = {"web_search": "tools.web_search", "tool_search": "tools.tool_search"}
"""Extra fields of a request: tools that find things beside what is asked, by how their types begin. Coding agents offer
them unasked, so they are left out where another dialect is spoken, and that is noted; all other tools that the provider
runs are refused there."""

INPUT = "input"
"""The one argument of a function that stands for a custom tool."""

CUSTOM = "custom"
"""Extra field of a tool: its description and format. Of a call and a result: that they are of a custom tool."""

NAMESPACE = "namespace"
"""Extra field of a tool: name and description of its namespace. Of a call: the name."""


class Shape(NamedTuple):
    """How calls of one tool look to a client of this dialect."""

    name: str
    namespace: str | None = None
    custom: bool = False


# --------------------------------------------------------------------------------------------------- decoding


def decode_tools(fields: Fields) -> tuple[Tool, ...]:
    """The tools of a request, those of a namespace among them. Searches stay in `fields`, under their own names.

    Raises:
        Unsupported: one that the provider itself would run.
    """
    tools: list[Tool] = []
    for at, item in enumerate(fields.items("tools") or ()):
        inner = Fields(item, f"{fields.at('tools')}[{at}]")
        if (search := _search(inner)) is not None:
            fields.rest[search] = [*fields.rest.get(search, ()), inner.rest]
        else:
            tools += _decode_tool(inner)
    return tuple(tools)


def _search(fields: Fields) -> str | None:
    kind = fields.rest.get("type")
    if not isinstance(kind, str):
        return None
    return next((name for begins, name in SEARCHES.items() if kind.startswith(begins)), None)


def _decode_tool(fields: Fields) -> list[Tool]:
    kind = fields.required_text("type")
    match kind:
        case "function":
            return [_decode_function(fields, None)]
        case "custom":
            return [_decode_custom(fields, None)]
        case "namespace":
            return _decode_namespace(fields)
        case _:
            raise Unsupported(
                f"{fields.at('type')}: a tool of type {kind[:40]} can only be passed through to an offer that speaks "
                f"{NAME} itself.",
                hint="Leave it out, or use function tools.",
                param=fields.at("type"),
            )


def _decode_namespace(fields: Fields) -> list[Tool]:
    namespace = {"name": fields.required_text("name"), "description": fields.text("description") or ""}
    tools: list[Tool] = []
    for at, item in enumerate(fields.items("tools") or ()):
        inner = Fields(item, f"{fields.at('tools')}[{at}]")
        kind = inner.required_text("type")
        if kind not in ("function", "custom"):
            raise inner.wrong("type", "must be function or custom")
        tools.append((_decode_function if kind == "function" else _decode_custom)(inner, namespace))
    return tools


def _decode_function(fields: Fields, namespace: Mapping[str, str] | None) -> Tool:
    parameters = fields.inner("parameters")
    name, description = fields.required_text("name"), fields.text("description")
    strict = fields.boolean("strict")
    if strict is None:  # where it is not said, the API is strict where it can: that is no other dialect's default
        fields.rest["strict"] = None
    return Tool(
        name=_joined(namespace, name),
        description=description,
        parameters=None if parameters is None else parameters.rest,
        strict=strict,
        extra=_extra(fields, namespace),
    )


def _decode_custom(fields: Fields, namespace: Mapping[str, str] | None) -> Tool:
    name, description = fields.required_text("name"), fields.text("description")
    wanted = fields.inner("format")
    said: dict[str, Json] = {} if wanted is None else {"format": wanted.rest}
    if description is not None:
        said["description"] = description
    argument: dict[str, Json] = {"type": "string"}
    if wanted is not None and wanted.rest.get("type") == "grammar":
        syntax, grammar = wanted.rest.get("syntax"), wanted.rest.get("definition")
        if not isinstance(grammar, str) or not isinstance(syntax, str):
            raise wanted.wrong("definition", "and syntax must be strings")
        argument["description"] = f"Text that this grammar ({syntax}) accepts, and nothing else:\n{grammar}"
    fields.rest[CUSTOM] = said
    return Tool(
        name=_joined(namespace, name),
        description=description,
        parameters={
            "type": "object",
            "properties": {INPUT: argument},
            "required": [INPUT],
            "additionalProperties": False,
        },
        extra=_extra(fields, namespace),
    )


def _extra(fields: Fields, namespace: Mapping[str, str] | None) -> Extra | None:
    if namespace is not None:
        fields.rest[NAMESPACE] = namespace
    return fields.unknown(NAME)


def _joined(namespace: Mapping[str, str] | None, name: str) -> str:
    return name if namespace is None else in_namespace(namespace["name"], name)


def in_namespace(namespace: str, name: str) -> str:
    """The name of a tool where there are no namespaces."""
    return f"{namespace}__{name}"


def decode_choice(fields: Fields, tools: Sequence[Tool]) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """What is asked of the tools, and those that may be called: a choice among some is one among no others.

    Raises:
        Unsupported: it names a tool that the provider itself would run.
    """
    match fields.rest.pop("tool_choice", None):
        case None:
            return None, tuple(tools)
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode=cast("Literal['auto', 'none', 'required']", mode)), tuple(tools)
        case {"type": "function" | "custom", "name": str(name), **rest} if not rest.keys() - {"namespace"}:
            return ToolChoice(mode="named", name=_chosen(rest, name)), tuple(tools)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list(allowed)}:
            names = {_allowed(Fields(item, f"tool_choice.tools[{at}]")) for at, item in enumerate(allowed)}
            kept = tuple(tool for tool in tools if tool.name in names)
            return ToolChoice(mode=cast("Literal['auto', 'required']", mode)), kept
        case {"type": str()}:
            raise Unsupported(
                f"This tool_choice can only be sent to an offer that speaks {NAME} itself.", param="tool_choice"
            )
        case _:
            raise fields.wrong("tool_choice", "must be auto, none, required, allowed_tools, or name a tool")


def _chosen(rest: Mapping[Json, Json], name: str) -> str:
    return in_namespace(namespace, name) if isinstance(namespace := rest.get("namespace"), str) else name


def _allowed(fields: Fields) -> str:
    if fields.required_text("type") not in ("function", "custom"):
        raise Unsupported(
            f"{fields.at('type')} can only be sent to an offer that speaks {NAME} itself.", param=fields.at("type")
        )
    return _chosen(fields.rest, fields.required_text("name"))


# --------------------------------------------------------------------------------------------------- encoding


def encode_tools(tools: Sequence[Tool], adapted: Adapted) -> list[Json]:
    """The tools for an offer, or for a client that is told what it asked for.

    Raises:
        Unsupported: a tool has fields of another dialect.
    """
    said: list[Json] = []
    inside: dict[str, list[Json]] = {}
    for at, tool in enumerate(tools):
        own = dict(own_fields(tool.extra, dialect=NAME, where=f"tools[{at}]", adapted=adapted))
        if tool.cache is not None:
            note_cache(adapted)
        namespace, custom = own.pop(NAMESPACE, None), own.pop(CUSTOM, None)
        wire = _encode_function(tool) if custom is None else {"type": "custom", "name": tool.name} | custom
        if namespace is None:
            said.append(merged(wire, own) | _unsaid_strict(own))
            continue
        wire["name"] = tool.name.removeprefix(in_namespace(namespace["name"], ""))
        if namespace["name"] not in inside:
            inside[namespace["name"]] = []
            said.append({"type": "namespace"} | namespace | {"tools": inside[namespace["name"]]})
        inside[namespace["name"]].append(merged(wire, own) | _unsaid_strict(own))
    return said


def _unsaid_strict(own: Mapping[str, Json]) -> dict[str, Json]:
    return {"strict": own["strict"]} if "strict" in own else {}


def _encode_function(tool: Tool) -> dict[str, Json]:
    """A function. Not saying `strict` would mean: where that can be, which no other dialect means by it."""
    said: dict[str, Json] = {
        "type": "function",
        "name": tool.name,
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
    }
    if tool.description is not None:
        said["description"] = tool.description
    return said


def encode_choice(choice: ToolChoice, tools: Sequence[Tool]) -> Json:
    if choice.mode != "named":
        return choice.mode
    shape = shapes_of(tools).get(choice.name or "", Shape(choice.name or ""))
    said = {"type": "custom" if shape.custom else "function", "name": shape.name}
    return said if shape.namespace is None else said | {"namespace": shape.namespace}


# ------------------------------------------------------------------------------------------------------ calls


def shapes_of(tools: Sequence[Tool]) -> dict[str, Shape]:
    """How calls look, by the names that offers know the tools by; plain functions are left out."""
    shapes: dict[str, Shape] = {}
    for tool in tools:
        if tool.extra is None or tool.extra.dialect != NAME:
            continue
        namespace, custom = tool.extra.fields.get(NAMESPACE), CUSTOM in tool.extra.fields
        if namespace is not None:
            short = tool.name.removeprefix(in_namespace(namespace["name"], ""))
            shapes[tool.name] = Shape(short, namespace["name"], custom)
        elif custom:
            shapes[tool.name] = Shape(tool.name, None, custom)
    return shapes


def shapes_for(request: CompletionRequest) -> dict[str, Shape]:
    return shapes_of(request.tools)


def as_arguments(text: str) -> str:
    """The input of a custom tool as the arguments of the function that stands for it."""
    return msgspec.json.encode({INPUT: text}).decode()


def as_input(arguments: str) -> str:
    """The input of a custom tool, of the arguments that a model wrote.

    Models that take no notice of the schema write the input alone, or give it another name: what can only be the input
    is taken for it.
    """
    try:
        content: Json = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    match content:
        case {"input": str(text)}:
            return text
        case str(text):
            return text
        case dict() if len(content) == 1 and isinstance(text := next(iter(content.values())), str):
            return text
        case _:
            return arguments
