"""What a server can do wrong, and that nothing worse comes of it than a sentence."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
import trustme
from tests.servers.radicale import Radicale, radicale

from isthmus.connectors.webdav import client
from isthmus.connectors.webdav.client import Dav, Server
from isthmus.connectors.webdav.multistatus import DAV, Malformed, resources
from isthmus.connectors.webdav.service import Service
from isthmus.domain.errors import ToolError, ToolUncertain

pytestmark = pytest.mark.anyio

_ASK = '<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
_GOOD = (
    b'<multistatus xmlns="DAV:"><response><href>/a</href><propstat><prop><getetag>1</getetag></prop>'
    b"<status>HTTP/1.1 200 OK</status></propstat><propstat><prop><x/></prop><status>HTTP/1.1 404 no</status></propstat>"
    b"</response></multistatus>"
)


def dav(url: str, password: str = "correct horse", *, context: ssl.SSLContext | None = None, seconds: float = 5) -> Dav:
    return Dav(Server(url=url, context=context, seconds=seconds), "home", ("me", password))


@contextlib.contextmanager
def answering(*answers: bytes | Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each connection with bytes, whatever it is asked; and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    asked.append(connection.recv(65536))
                    if callable(answer):
                        answer(connection)
                    else:
                        with contextlib.suppress(OSError):
                            connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/", asked
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def test_who_the_user_is_is_asked_of_a_real_server_on_one_connection(server: Radicale) -> None:
    asking = dav(server.url)
    for _ in range(2):
        (found,) = asking.find("PROPFIND", "/", _ASK, depth=0)
        assert found.hrefs(f"{DAV}current-user-principal") == ["/me/"]
    assert asking.find("PROPFIND", "/me/nothing/", _ASK, depth=0) == []
    asking.cut()


def test_a_wrong_password_is_told_without_saying_it(server: Radicale) -> None:
    with pytest.raises(ToolError, match="does not take user and password of account home") as told:
        dav(server.url, "wrong horse").find("PROPFIND", "/me/", _ASK, depth=0)
    assert "wrong horse" not in told.value.sentence


def test_tls_is_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    pem = tmp_path / "server.pem"
    with radicale(tmp_path / "radicale", {"me": "correct horse"}, certificate=pem, key=pem) as server:
        assert server.url.startswith("https://")
        assert dav(server.url, context=trusting).find("PROPFIND", "/", _ASK, depth=0)
        with pytest.raises(ToolError, match="no certificate that can be trusted"):
            dav(server.url, context=ssl.create_default_context()).find("PROPFIND", "/", _ASK, depth=0)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ToolError, match="cannot be reached"):
        dav(f"http://127.0.0.1:{port}/").ask("GET", "/")


@pytest.mark.parametrize(
    "url", ["ftp://localhost/", "http://cal.example.org/", "https://me:secret@localhost/", "localhost"]
)
def test_what_is_no_safe_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|password"):
        Server(url=url)


def test_a_silent_server_is_waited_for_so_long_and_no_longer() -> None:
    with answering(lambda connection: time.sleep(0.8)) as (url, _):
        began = time.monotonic()
        with pytest.raises(ToolError, match="does not answer in time"):
            dav(url, seconds=0.3).ask("GET", "/")
        assert time.monotonic() - began < 0.7


def test_an_answer_that_trickles_is_not_waited_for_either() -> None:
    def trickle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(20):
                connection.sendall(b"x")
                time.sleep(0.1)

    with answering(trickle) as (url, _), pytest.raises(ToolError, match="does not answer in time"):
        dav(url, seconds=0.4).ask("GET", "/")


def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BYTES", 100_000)
    with answering(http("200 OK", b"x" * 200_000)) as (url, _), pytest.raises(ToolError, match="far too much"):
        dav(url).ask("GET", "/")


def test_half_an_answer_is_none() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
    with answering(half) as (url, _), pytest.raises(ToolError, match="not understood"):
        dav(url).ask("GET", "/")


def test_the_password_does_not_follow_to_another_host() -> None:
    with answering(http("302 Found", b"", "location: http://127.0.0.1:1/")) as (url, asked):
        with pytest.raises(ToolError, match="another host"):
            dav(url).ask("GET", "/")
        assert len(asked) == 1
    elsewhere = _GOOD.replace(b"/a", b"https://evil.example/a")
    with answering(http("207 Multi-Status", elsewhere)) as (url, _), pytest.raises(ToolError, match="another host"):
        dav(url).find("PROPFIND", "/", _ASK)


def test_another_host_that_the_user_named_is_the_services_own() -> None:
    named = Dav(Server(url="https://a.example/", also=frozenset({"b.example"})), "home", ("me", "x"))
    assert named.resolved("https://b.example/x") == "https://b.example/x"
    for address in ("http://b.example/x", "https://b.example:444/x", "https://c.example/", "https://a.example:x/"):
        with pytest.raises(ToolError):
            named.resolved(address)


def test_a_change_whose_answer_is_lost_is_uncertain_and_asked_for_once() -> None:
    with answering(b"", http("201 Created")) as (url, asked):
        with pytest.raises(ToolUncertain):
            dav(url).ask("PUT", "/x", "text")
        assert len(asked) == 1
    with answering(http("504 late")) as (url, _), pytest.raises(ToolUncertain):
        dav(url).ask("PUT", "/x", "text")


@pytest.mark.parametrize(
    ("status", "says"),
    [(403, "does not allow"), (404, "not there"), (412, "changed meanwhile"), (507, "no room"), (500, "refuses")],
)
def test_each_refusal_has_its_sentence(status: int, says: str) -> None:
    with answering(http(f"{status} no", b"secret content")) as (url, _), pytest.raises(ToolError, match=says) as told:
        dav(url).ask("PUT", "/x", "text")
    assert not isinstance(told.value, ToolUncertain)
    assert "secret" not in told.value.sentence


async def test_work_that_is_given_up_ends_at_once() -> None:
    async def password() -> str:
        return "x"

    with answering(lambda connection: time.sleep(1)) as (url, _):
        service = Service("home", Server(url=url), "me", password)
        began = time.monotonic()
        with anyio.move_on_after(0.2) as given_up:
            await service.ask(lambda dav: dav.ask("GET", "/"))
        assert given_up.cancelled_caught
        assert time.monotonic() - began < 0.8


def test_what_is_told_of_resources_is_read() -> None:
    (found,) = resources(_GOOD)
    assert (found.href, found.text(f"{DAV}getetag"), set(found.properties)) == ("/a", "1", {f"{DAV}getetag"})


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<x/>", b"<multistatus/>", _GOOD[:-5], b"\xff", _GOOD.decode().encode("utf-16"),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + _GOOD, b'<?xml version="1.0"?><!-- - --> <!DOCTYPE x>' + _GOOD,
        b"\xef\xbb\xbf<!DOCTYPE x>" + _GOOD, b"<a>" * 5_000,
    ],
)  # fmt: skip
def test_what_is_no_such_answer_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        resources(body)
