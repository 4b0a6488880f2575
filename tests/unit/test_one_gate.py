"""There is one way out to a model. What the types cannot forbid is looked for in the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "isthmus"

OPENERS = {
    "HTTPConnection",
    "HTTPSConnection",
    "ProxyHandler",
    "build_opener",
    "create_connection",
    "create_datagram_endpoint",
    "open_connection",
    "open_unix_connection",
    "sock_connect",
    "urlopen",
    "urlretrieve",
}
"""What opens a connection, in the standard library and under asyncio."""

CLIENTS = {"aiohttp", "anthropic", "google.genai", "httpx", "httpx2", "openai", "pyreqwest", "requests", "urllib3"}
"""Libraries that would be a second door."""

MAY_OPEN = {
    "providers/http11/pool.py": "the one way out to a model",
    "providers/http11/proxy.py": "the same, through a proxy",
    "providers/discovery.py": "asks engines on this machine for their models, sends no content",
    "providers/embedded/hub.py": "fetches weights",
    "providers/embedded/endpoint.py": "asks the engine on this machine whether it is ready",
    "cli/question.py": "the command line's way to the isthmus that runs here",
    "providers/accounts/asking.py": "reads the settings of one's own account at a provider, sends no content",
    "doctor/asking.py": "asks this machine and hosts that the operator lists, by reading alone",
    "doctor/advisories/online.py": "asks a database of advisories, where that is asked for; sends names and versions",
    "connectors/feeds.py": "fetches public feeds for the catalog, where that is asked for",
    "connectors/webdav/client.py": "the user's calendars and address books",
    "connectors/web/fetching.py": "pages that the agent was granted to fetch",
    "connectors/browser/proxy.py": "what the agent's browser may reach, and nothing else",
    "connectors/finding.py": "looks for the servers of an account that is being set up",
}


MAY_USE = {
    "connectors/matrix/rooms.py": {"aiohttp"},
    "connectors/slack/workspace.py": {"aiohttp"},
    "connectors/mcp_client/session.py": {"httpx2"},
}
"""Doors to the user's own services: the client that the service's library takes its settings by."""


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            yield (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_other_module_opens_a_connection(module: Path) -> None:
    tree = ast.parse(module.read_text())
    where = str(module.relative_to(SOURCE))
    if where not in MAY_OPEN and not where.startswith("proof/"):
        assert not OPENERS & set(calls(tree))
    used = {client for name in imports(tree) for client in CLIENTS if name == client or name.startswith(f"{client}.")}
    assert used == MAY_USE.get(where, set())


@pytest.mark.parametrize("where", MAY_OPEN)
def test_what_may_open_one_does(where: str) -> None:
    assert OPENERS & set(calls(ast.parse((SOURCE / where).read_text())))


def test_only_the_gate_makes_a_crossing() -> None:
    makers = {
        str(module.relative_to(SOURCE))
        for module in modules()
        if "Crossing" in set(calls(ast.parse(module.read_text())))
    }
    assert makers == {"perimeter/gate.py"}


def test_only_the_sender_hands_requests_to_the_client() -> None:
    users = {
        str(module.relative_to(SOURCE))
        for module in modules()
        if any(name.startswith("isthmus.providers.http11") for name in imports(ast.parse(module.read_text())))
    }
    assert {where for where in users if not where.startswith("providers/http11/")} == {"providers/sender.py"}
