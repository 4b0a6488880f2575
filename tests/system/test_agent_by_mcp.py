"""Our mail served to another programme, and another's tools approved: with the command line and real servers."""

import json
import os
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.system.agent_process import LAUNCH, Scene, scene

SERVER = Path(__file__).parents[1] / "servers" / "mcp_stdio.py"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _served(desk: Scene, *arguments: str) -> StdioServerParameters:
    command = [*LAUNCH, "mcp", "serve", *arguments, "--config", str(desk.isthmus.file)]
    return StdioServerParameters(command=sys.executable, args=command, env=desk.isthmus.env)


@pytest.mark.anyio
async def test_another_programme_reads_mail_sends_to_nobody_and_is_on_record(tmp_path: Path) -> None:
    with scene(tmp_path) as desk, open(os.devnull, "w") as nowhere:  # noqa: ASYNC230
        desk.receive("Invoice 4711", "1,250 EUR are due.")
        async with Client(stdio_client(_served(desk, "mail"), errlog=nowhere)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert "mail_read" in tools
            assert "mail_send" not in tools
            found = await client.call_tool("mail_search", {"text": "invoice"})
        assert "Invoice 4711" in found.content[0].text  # type: ignore[union-attr]
        assert found.meta is not None
        assert found.meta["ifc"] == {"integrity": "untrusted", "confidentiality": found.meta["ifc"]["confidentiality"]}
        assert found.meta["dev.isthmus/mark"]["labels"] == ["private"]
        (seen,) = json.loads(desk.run("agent", "log", "--json").stdout)
        assert seen["by"].startswith("mcp client ")
        assert seen["how"] == "mail_search"
        assert "--to" in desk.run("mcp", "serve", "mail", "--allow", "send", code=1).stderr


def test_an_operator_looks_at_tools_before_the_agent_has_them(tmp_path: Path) -> None:
    command = json.dumps([sys.executable, str(SERVER)])
    with scene(tmp_path, settings=f'[accounts.issues]\nkind = "mcp"\ncommand = {command}\n') as desk:
        desk.says("Hello.")
        assert "not approved yet" in desk.run("agent", "run", "Hello").stderr
        done = desk.run("mcp", "approve", "issues", stdin="y\n")
        assert "open-issue · send" in done.stdout
        assert "+pin = " in done.stdout
        assert "approved already" in desk.run("mcp", "approve", "issues").stdout
        desk.says("Hello again.")
        assert "approved" not in desk.run("agent", "run", "Hello").stderr
