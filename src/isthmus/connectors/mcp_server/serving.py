"""Our tools over the Model Context Protocol, on standard input and output.

Of every result its mark goes along in `_meta`: as `ifc`, which other programmes know, and whole under our own key. On
the other side it is a hint; nothing there has to obey it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from anyio.to_thread import run_sync
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from isthmus.agent.marks import Mark
from isthmus.agent.prompt import tool_of
from isthmus.agent.tool import Grant, ToolResult, ToolSpec
from isthmus.connectors.mcp_client.results import IFC, MARK
from isthmus.connectors.mcp_server.door import Door, mark_of, text_of
from isthmus.domain.errors import IsthmusError, ToolError

EFFECT = "dev.isthmus/effect"
"""Key of a tool's effect in its `_meta`."""

Told = Callable[[str, Grant, ToolResult], None]
"""Puts on record what a client was given: its name, the call, the result. Blocks."""


def server_of(door: Door, *, version: str, told: Told) -> Server[Any]:
    """A server of the tools behind a door."""

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_tool(spec) for _, spec in door.tools])

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            grant, result = await door.call(params.name, params.arguments or {})
        except ToolError as error:
            return _failed(error.sentence)
        except IsthmusError as error:
            return _failed(error.sentence)
        except Exception as error:  # the boundary to foreign code, whose message may hold anything
            return _failed(f"It failed ({type(error).__name__}).")
        await run_sync(told, _client(context), grant, result)
        return _result(result)

    return Server("isthmus", version=version, on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio(server: Server[Any]) -> None:
    """Serve the programme that started this one, until it closes its end."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def meta_of(mark: Mark) -> dict[str, Any]:
    """A mark as other programmes know it, and as we do."""
    readers: Any = sorted(mark.readers.parties)
    return {
        IFC: {
            "integrity": "trusted" if mark.trusted else "untrusted",
            "confidentiality": "public" if mark.readers.everyone else readers,
        },
        MARK: {
            "labels": sorted(mark.labels),
            "readers": "everyone" if mark.readers.everyone else readers,
            "origins": sorted(mark.origins),
        },
    }


def _tool(spec: ToolSpec) -> Tool:
    told = tool_of(spec)
    return Tool(
        name=spec.name,
        description=spec.summary,
        input_schema={**(told.parameters or {}), "additionalProperties": False},
        annotations=ToolAnnotations(
            read_only_hint=spec.effect in {"read", "fetch"},
            destructive_hint=spec.effect == "destroy",
            open_world_hint=spec.effect in {"fetch", "send"},
        ),
        _meta={EFFECT: spec.effect},
    )


def _result(result: ToolResult) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(type="text", text=text_of(result))]
    if result.image is not None:
        data = base64.b64encode(result.image.data).decode()
        content.append(ImageContent(type="image", data=data, mime_type=result.image.media_type))
    return CallToolResult(content=content, is_error=result.failed, _meta=meta_of(mark_of(result)))


def _failed(why: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=why)], is_error=True)


def _client(context: ServerRequestContext[Any]) -> str:
    """What the programme calls itself: its word, for the record."""
    params: Any = getattr(context.session, "client_params", None)
    info = getattr(params, "client_info", None)
    return str(getattr(info, "name", "")) or "unknown"
