"""The schemas of an emulated answer: tool calls or a reply, or a wrapped value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from isthmus.dialects.emulation.constrain import Definitions, Note, Schema, any_of
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Json, Tool

TOOL: Final = "tool"
ARGUMENTS: Final = "arguments"
CALLS: Final = "calls"
REPLY: Final = "reply"
WRAPPED: Final = "answer"
"""The one property of an object that holds a wrapped value."""

MOST_CALLS: Final = 8
"""In one answer: a small model that has begun to list calls seldom finds an end."""

TEXT: Final[Mapping[str, Json]] = {"type": "string"}


def is_object(schema: Mapping[str, Json]) -> bool:
    """Whether it says itself that it describes objects."""
    return bool(schema.get("type") == "object")


def held(schema: Mapping[str, Json], note: Note) -> Schema:
    """A schema of an answer, in the words that engines hold a model to. What describes no objects is wrapped in one.

    Raises:
        InvalidRequest: it is no schema, or nothing satisfies it.
    """
    definitions = Definitions()
    answer = definitions.constrained(schema, "a", note)
    whole = definitions.finish(answer if is_object(schema) else _closed_object({WRAPPED: answer}))
    if whole is None:
        raise InvalidRequest("Nothing satisfies the schema of the answer.", param="response_format")
    return whole


def union(tools: Sequence[Tool], *, listed: bool, reply: Mapping[str, Json] | None, note: Note) -> Schema:
    """A schema of calls of tools, or of a reply.

    Args:
        tools: that may be called.
        listed: whether there may be several calls, in a list; else it is one.
        reply: schema of a reply; None: a call is required.
        note: is told what the result does not hold the model to.

    Raises:
        InvalidRequest: a schema is none, or nothing satisfies it.
    """
    definitions = Definitions()
    calls = [_call(definitions, tool, f"t{at}", note) for at, tool in enumerate(tools)]
    branches = [_listed(calls)] if listed else calls
    if reply is not None:
        branches.append(_closed_object({REPLY: definitions.constrained(reply, "r", note)}))
    whole = definitions.finish(any_of(branches))
    if whole is None:
        raise InvalidRequest("Nothing satisfies the schemas of the tools.", param="tools")
    return whole


def _call(definitions: Definitions, tool: Tool, name: str, note: Note) -> Schema:
    # No schema and an empty one both mean in practice that the tool takes nothing.
    parameters = {"type": "object", **(tool.parameters or {"properties": {}})}
    if parameters["type"] != "object":
        raise InvalidRequest(
            f"The arguments of tool {tool.name!r} are an object; its schema says otherwise.", param="tools"
        )
    try:
        arguments = definitions.constrained(parameters, name, note)
    except InvalidRequest as error:
        raise InvalidRequest(f"Tool {tool.name!r}: {error.sentence}", param="tools") from error
    if not definitions.satisfiable(arguments):
        raise InvalidRequest(f"Tool {tool.name!r}: nothing satisfies the schema of its arguments.", param="tools")
    return _closed_object({TOOL: {"enum": [tool.name]}, ARGUMENTS: arguments})


def _listed(calls: Sequence[Schema]) -> Schema:
    some: Schema = {"type": "array", "items": any_of(calls), "minItems": 1, "maxItems": MOST_CALLS}
    return _closed_object({CALLS: some})


def _closed_object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
