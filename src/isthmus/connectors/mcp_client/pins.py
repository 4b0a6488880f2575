"""The digest of an MCP server's tools: what was approved, and whether it is still that.

A server can change what its tools are called, what they say of themselves and what they take, from one day to the next.
All of that decides how they are used, so all of it is in the digest, beside the way the server is started or reached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mcp_types import Tool

from isthmus.agent.monitor.digests import canonical
from isthmus.connectors.mcp_client.account import Account


def digest(account: Account, tools: Iterable[Tool]) -> str:
    """The digest of a server and its tools, as settings pin it."""
    listed = [
        {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "input": tool.input_schema,
            "output": tool.output_schema,
            "annotations": None if tool.annotations is None else tool.annotations.model_dump(mode="json"),
        }
        for tool in sorted(tools, key=lambda tool: tool.name)
    ]
    whole = {"command": list(account.command), "url": account.url, "tools": listed}
    return f"sha256:{hashlib.sha256(canonical(whole)).hexdigest()}"
