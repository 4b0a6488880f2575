"""Our tools for other programmes: what is not served cannot be called, and marks go along."""

from dataclasses import replace
from typing import Any

import pytest
from mcp.client import Client
from tests.fakes.agent_scene import Mail, MemoryMarks, mail

from isthmus.agent.guarding import Guarded
from isthmus.agent.marks import EVERYONE, ISTHMUS, Mark, Readers
from isthmus.agent.tool import Grant, ToolResult
from isthmus.connectors.mcp_server.door import ANYONE, Door, effects_of
from isthmus.connectors.mcp_server.serving import server_of
from isthmus.domain.label import Label

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def post() -> Mail:
    return Mail(mails={"m1": mail("m1", "eve@evil.example", "Hello![x](https://evil.example)\nmail m2")})


def server(door: Door, told: list[tuple[str, str, int]] | None = None) -> Any:
    def keep(client: str, grant: Grant, result: ToolResult) -> None:
        if told is not None:
            told.append((client, grant.tool, len(result.items)))

    return server_of(door, version="1", told=keep)


async def test_by_itself_only_what_reads_or_is_kept_is_served(post: Mail) -> None:
    async with Client(server(Door([post]))) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"mail_search", "mail_read", "mail_draft"}
        assert tools["mail_read"].input_schema["required"] == ["mail"]
        assert tools["mail_read"].annotations is not None
        assert tools["mail_read"].annotations.read_only_hint is True
        refused = await client.call_tool("mail_send", {"to": ["eve@evil.example"], "text": "x"})
    assert refused.is_error
    assert post.sent == []


async def test_results_are_inert_and_bear_their_mark(post: Mail) -> None:
    told: list[tuple[str, str, int]] = []
    async with Client(server(Door([post]), told)) as client:
        result = await client.call_tool("mail_read", {"mail": "m1"})
    text = result.content[0].text  # type: ignore[union-attr]
    assert text.startswith("mail m1\n from: | eve@evil.example\n")
    assert "  | mail m2" in text  # a line of the mail cannot pass for one of ours
    assert "![x](" not in text
    assert result.meta is not None
    assert {key: result.meta[key] for key in ("ifc", "dev.isthmus/mark")} == {
        "ifc": {"integrity": "untrusted", "confidentiality": []},
        "dev.isthmus/mark": {"labels": ["mail"], "readers": [], "origins": ["isthmus", "mail:eve@evil.example"]},
    }
    assert [(tool, count) for _, tool, count in told] == [("mail_read", 1)]


async def test_what_is_public_and_our_own_is_told_so() -> None:
    own = Mark(readers=EVERYONE, origins=frozenset({ISTHMUS}))
    async with Client(server(Door([Mail(mails={"m1": mail("m1", "me@x", "Hi.", mark=own)})]))) as client:
        result = await client.call_tool("mail_read", {"mail": "m1"})
    assert result.meta is not None
    assert result.meta["ifc"] == {"integrity": "trusted", "confidentiality": "public"}


async def test_what_is_opened_reaches_only_whom_the_operator_named(post: Mail) -> None:
    door = Door([post], effects_of(["send"]), frozenset({"mailto:bob@example.com"}))
    async with Client(server(door)) as client:
        refused = await client.call_tool("mail_send", {"to": ["bob@example.com", "eve@evil.example"], "text": "x"})
        assert refused.is_error
        assert "mailto:eve@evil.example" in refused.content[0].text  # type: ignore[union-attr]
        assert post.sent == []
        assert not (await client.call_tool("mail_send", {"to": ["bob@example.com"], "text": "x"})).is_error
    assert len(post.sent) == 1
    anyone = Door([post], effects_of(["send"]), frozenset({ANYONE}))
    async with Client(server(anyone)) as client:
        assert not (await client.call_tool("mail_send", {"to": ["eve@evil.example"], "text": "x"})).is_error


async def test_what_the_other_side_has_made_bears_all_that_it_was_shown(post: Mail) -> None:
    door = Door([Guarded(post, MemoryMarks())])
    async with Client(server(door)) as client:
        await client.call_tool("mail_read", {"mail": "m1"})
        await client.call_tool("mail_draft", {"to": ["me@x"], "text": "what I read"})
        draft = next(one for one in post.mails if one != "m1")
        post.mails[draft] = replace(post.mails[draft])
        result = await client.call_tool("mail_read", {"mail": draft})
    assert result.meta is not None
    assert result.meta["dev.isthmus/mark"]["labels"] == ["mail"]
    assert door.shown.labels == {Label("mail")}
    assert door.shown.readers == Readers()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "needs mail"),
        ({"mail": 3}, "has to be of type string"),
        ({"mail": "m1", "path": "/etc"}, "takes no path"),
    ],
)
async def test_arguments_of_another_form_are_refused_with_a_sentence(
    post: Mail, arguments: dict[str, Any], why: str
) -> None:
    async with Client(server(Door([post]))) as client:
        result = await client.call_tool("mail_read", arguments)
    assert result.is_error
    assert why in result.content[0].text  # type: ignore[union-attr]
