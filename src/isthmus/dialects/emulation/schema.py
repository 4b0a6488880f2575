"""Schemas put into other schemas. See https://json-schema.org/draft/2020-12/json-schema-core, section 8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.domain.message import Json, Tool

WRAPPED = "answer"
"""The one property of an object that holds a wrapped value."""

_MAPS_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_DATA = ("const", "enum", "default", "examples")
"""Keywords whose values are no schemas: a `$ref` in them is just a name."""


@dataclass(slots=True)
class Root:
    """The schema that others are put into."""

    defs: dict[str, Json] = field(default_factory=dict)

    def nest(self, schema: Mapping[str, Json], name: str) -> dict[str, Json]:
        """The schema as it may stand anywhere below this root.

        A reference into itself (`#/$defs/City`, or `#` for a recursive one) would point elsewhere from there. So a
        schema with such references becomes a definition of the root, whole, and its references begin there.
        """
        plain = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
        if not _has_references(plain):
            return plain
        self.defs[name] = _moved(plain, f"#/$defs/{name}")
        return {"$ref": f"#/$defs/{name}"}

    def finish(self, schema: dict[str, Json]) -> dict[str, Json]:
        """The whole schema, definitions included."""
        return schema | {"$defs": self.defs} if self.defs else schema


def is_object(schema: Mapping[str, Json]) -> bool:
    """Whether it says itself that it describes objects."""
    return bool(schema.get("type") == "object")


def wrap(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A schema of objects with one property, which is of the given schema."""
    root = Root()
    return root.finish(_closed_object({WRAPPED: root.nest(schema, WRAPPED)}))


def union(tools: tuple[Tool, ...], *, no_tool: str | None, reply: Mapping[str, Json]) -> dict[str, Json]:
    """A schema of one call of one of the tools, or of a reply.

    Args:
        tools: that may be called.
        no_tool: what stands in place of a tool's name in a reply; None: a call is required.
        reply: schema of a reply.
    """
    root = Root()
    branches = [
        _closed_object(
            {"tool": {"const": tool.name}, "arguments": root.nest(tool.parameters or {"type": "object"}, f"tool_{at}")}
        )
        for at, tool in enumerate(tools)
    ]
    if no_tool is not None:
        branches.append(_closed_object({"tool": {"const": no_tool}, "reply": root.nest(reply, "reply")}))
    return root.finish(branches[0] if len(branches) == 1 else {"anyOf": branches})


def _closed_object(properties: dict[str, Json]) -> dict[str, Json]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _has_references(schema: Json) -> bool:
    return bool(_moved(schema, "#/moved") != schema)


def _moved(schema: Json, to: str) -> Json:
    """The schema with its references into itself beginning at `to`."""
    if isinstance(schema, list):
        return [_moved(item, to) for item in schema]
    if not isinstance(schema, dict):
        return schema
    moved: dict[str, Json] = {}
    for key, value in schema.items():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str) and (value == "#" or value.startswith("#/")):
            moved[key] = to + value[1:]
        elif key in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            moved[key] = {name: _moved(item, to) for name, item in value.items()}
        else:
            moved[key] = value if key in _DATA else _moved(value, to)
    return moved
