"""Finding a user's servers: by a greeting, and by what a domain says of itself."""

import asyncio

import pytest

from isthmus.connectors.finding import Found, at_domain, from_xml, local

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _server(tag: str, kind: str, host: str, port: int, socket: str) -> str:
    inside = f"<hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>"
    return f'<{tag} type="{kind}">{inside}</{tag}>'


XML = "\n".join(
    (
        '<clientConfig version="1.1"><emailProvider id="x"><!-- a comment -->',
        _server("incomingServer", "imap", "imap.example.org", 993, "SSL"),
        _server("incomingServer", "pop3", "pop.example.org", 995, "SSL"),
        _server("outgoingServer", "smtp", "smtp.example.org", 587, "STARTTLS"),
        _server("outgoingServer", "smtp", "old.example.org", 25, "plain"),
        "</emailProvider></clientConfig>",
    )
)


def test_of_what_a_domain_says_servers_without_tls_are_left_out() -> None:
    assert from_xml(XML) == [
        Found("imap", "imap.example.org", 993, "tls"),
        Found("smtp", "smtp.example.org", 587, "starttls"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>' + XML,
        XML.replace("imap.example.org", "imap.example.org/x").replace("smtp.example.org", "127.0.0.1"),
        "no xml",
    ],
)
def test_what_is_no_honest_file_names_nothing(text: str) -> None:
    assert from_xml(text) == []


async def test_a_server_is_one_that_greets_as_one() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await local([("imap", port), ("smtp", port)]) == [Found("imap", "127.0.0.1", port, "none")]


async def test_what_is_no_domain_is_not_asked() -> None:
    with pytest.raises(ValueError, match="no domain"):
        await at_domain("localhost:25/x")
