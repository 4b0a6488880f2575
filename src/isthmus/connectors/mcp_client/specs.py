"""An MCP server's tools as the monitor knows them: its own words for names and texts, the operator's for what they do.

What the operator does not say is taken as the worst: a tool sends, and every text it takes is content that anybody may
come to see. Such a call is asked about each time, with everything that is in it. Annotations decide nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mcp_types import Tool as Offered

from isthmus.agent.inert import one_line
from isthmus.agent.tool import Kind, Parameter, Role, ToolSpec
from isthmus.connectors.mcp_client.account import Account, Part, Tool

_SUMMARY = 200
_NAME = 60
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")

ITEM: Kind = "text"
"""The kind of all that such a server gives. What is written to it is remembered by this kind, so that all that is read
from it afterwards bears the marks of what was written."""


def specs(name: str, account: Account, tools: Iterable[Offered]) -> dict[str, ToolSpec]:
    """The tools of a server, by the server's own names for them. Of two that would be called the same, the first."""
    found: dict[str, ToolSpec] = {}
    known: set[str] = set()
    for tool in tools:
        if account.only is not None and tool.name not in account.only:
            continue
        spec = _spec(name, account.tools.get(tool.name, Tool()), tool)
        if spec.name not in known:
            known.add(spec.name)
            found[tool.name] = spec
    return found


def _spec(name: str, said: Tool, tool: Offered) -> ToolSpec:
    required = tool.input_schema.get("required") or ()
    properties = tool.input_schema.get("properties") or {}
    writes = said.effect not in {"read", "fetch"}
    return ToolSpec(
        name=_NOT_IN_NAMES.sub("_", f"{name}_{tool.name}")[:_NAME],
        summary=one_line(tool.description or tool.title or tool.name, _SUMMARY),
        parameters=tuple(
            _parameter(key, schema if isinstance(schema, dict) else {}, said.parameters.get(key), key in required)
            for key, schema in properties.items()
        ),
        effect=said.effect,
        makes=ITEM if writes else None,
    )


def _parameter(name: str, schema: Mapping[str, Any], said: Part | None, required: bool) -> Parameter:
    many = schema.get("type") == "array" and _plain_items(schema)
    one = schema["items"] if many else schema
    role, kind = (said.role, said.kind) if said is not None else _strictest(one)
    return Parameter(
        name=name,
        summary=one_line(str(schema.get("description") or name), _SUMMARY),
        kind=kind,
        role=role,
        schema={key: value for key, value in one.items() if key != "description"},
        required=required,
        many=many,
    )


def _plain_items(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items")
    return isinstance(items, dict) and items.get("type") in {"string", "number", "integer", "boolean"}


def _strictest(schema: Mapping[str, Any]) -> tuple[Role, Kind]:
    match schema.get("type"):
        case "boolean":
            return "option", "flag"
        case "integer" | "number":
            return "option", "number"
        case "string" if isinstance(schema.get("enum"), list):
            return "option", "choice"
        case _:
            return "content", "text"
