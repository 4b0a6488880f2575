"""The server protocol on real sockets, before an application that does as a test says."""

import asyncio
import itertools
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.fakes.client import RawClient, connected, request_bytes
from tests.fakes.http_server import listening

from isthmus.domain.errors import IsthmusError
from isthmus.gateway.connection import Connection, Connections, Work
from isthmus.gateway.headers import RequestHead

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


Handler = Callable[[Connection, bytes], Coroutine[Any, Any, None] | None]


class Doing:
    """Work that calls a function."""

    def __init__(self, handler: Handler, most_bytes: int | None = 1_000_000) -> None:
        self.most_bytes = most_bytes
        self.begin = handler

    def refused(self, error: IsthmusError) -> Work:
        return refusal(error)


def refusal(error: IsthmusError) -> Doing:
    def say(connection: Connection, body: bytes) -> None:
        connection.answer(error.status, b"", msgspec.json.encode({"error": {"message": error.message}}))

    return Doing(say, None)


async def echo(connection: Connection, body: bytes) -> None:
    await asyncio.sleep(0)
    connection.answer(200, b"", body)


async def write(connection: Connection, piece: bytes) -> None:
    if (unread := connection.write_piece(piece)) is not None:
        await unread


def at_once(connection: Connection, body: bytes) -> None:
    connection.answer(200, b"", body)


class App:
    """Fulfils `gateway.connection.Application`."""

    def __init__(self, handler: Handler = echo, most_bytes: int | None = 1_000_000) -> None:
        self.work = Doing(handler, most_bytes)
        self.heads: list[RequestHead] = []

    def admit(self, head: RequestHead) -> Work:
        self.heads.append(head)
        return self.work

    def refuse(self, error: IsthmusError) -> Work:
        return refusal(error)


class Held:
    """A handler that waits until it is let go, and knows whether it was cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = 0
        self.cancelled = 0

    async def __call__(self, connection: Connection, body: bytes) -> None:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            if not connection.gone:
                raise
        else:
            connection.answer(200, b"", body)


@asynccontextmanager
async def client_of(app: App, connections: Connections | None = None) -> AsyncIterator[RawClient]:
    async with listening(app, connections) as port, connected(port) as client:
        yield client


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


UPGRADE = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAEAAEAAAAIAAAAB"}
"""What the JDK's HttpClient sends with its first request to a server."""


@pytest.mark.parametrize("pieces", [1, 20])
async def test_a_wish_for_another_protocol_is_passed_over_and_the_body_read(pieces: int) -> None:
    request = request_bytes("POST", "/a?b=c", b"x" * 500, UPGRADE)
    app = App()
    async with client_of(app) as client:
        for _ in range(2):
            size = len(request) // pieces + 1
            for at in range(0, len(request), size):
                await client.send(request[at : at + size])
                await asyncio.sleep(0.001 if pieces > 1 else 0)
            assert (await client.reply()).body == b"x" * 500
    assert [(head.method, head.target) for head in app.heads] == [(b"POST", b"/a?b=c")] * 2


async def test_wishes_for_another_protocol_may_be_sent_ahead_in_any_number() -> None:
    async with client_of(App()) as client:
        await client.send(b"".join(request_bytes("POST", "/", b"%d" % n, UPGRADE) for n in range(300)))
        for n in range(300):
            assert (await client.reply()).body == b"%d" % n


async def test_a_wish_to_close_is_heard_beside_one_for_another_protocol() -> None:
    async with client_of(App()) as client:
        reply = await client.request("POST", "/", b"x", UPGRADE | {"connection": "upgrade, close"})
        assert reply.headers["connection"] == "close"
        assert await client.reader.read() == b""


async def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    async def stream(connection: Connection, body: bytes) -> None:
        connection.begin_stream(b"", b"data: 1\n\n")
        await write(connection, b"data: 2\n\n")
        connection.end_stream()

    async with client_of(App(stream)) as client:
        await client.send(request_bytes("POST", "/", b"x").replace(b"HTTP/1.1", b"HTTP/1.0"))
        _, headers = await client.head()
        assert "transfer-encoding" not in headers
        assert await client.reader.read() == b"data: 1\n\ndata: 2\n\n"


async def test_a_client_that_leaves_takes_what_it_sent_ahead_along(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    with caplog.at_level(logging.WARNING):
        async with client_of(App(held)) as client:
            await client.send(request_bytes("POST", "/", b"x") * 5)
            await until(lambda: held.begun)
            client.leave()
            await until(lambda: held.cancelled)
            await asyncio.sleep(0.05)
    assert (held.begun, caplog.text, problems) == (1, "", [])


MALFORMED = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
    b"POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("sent", MALFORMED)
async def test_what_is_not_http_is_told_so_like_any_other_refusal(sent: bytes) -> None:
    async with client_of(App()) as client:
        await client.send(sent)
        async with asyncio.timeout(2):
            reply = await client.reply()
            assert await client.reader.read() == b""
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert reply.error["message"]


async def test_what_is_not_http_is_told_so_after_what_was() -> None:
    async with client_of(App()) as client:
        await client.send(request_bytes("POST", "/", b"first") + b"nonsense\r\n\r\n" + request_bytes("POST", "/", b"x"))
        assert (await client.reply()).body == b"first"
        assert (await client.reply()).status == 400
        assert await client.reader.read() == b""


@pytest.mark.parametrize("how", ["said", "chunked"])
async def test_a_client_that_sends_too_much_reads_why_when_it_has_sent_it_all(how: str) -> None:
    """A client that writes all before it reads must not find the connection reset."""
    body = b"x" * 8_000_000
    if how == "said":
        request = request_bytes("POST", "/", body)
    else:
        head = request_bytes("POST", "/", b"", {"transfer-encoding": "chunked"}).replace(b"content-length: 0\r\n", b"")
        request = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    def talk(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(request)
            received = b""
            while data := peer.recv(65536):
                received += data
            return received

    async with listening(App(most_bytes=1000)) as port:
        received = await asyncio.to_thread(talk, port)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"1000" in received


async def test_a_client_that_goes_on_sending_after_a_refusal_is_not_listened_to_for_ever() -> None:
    connections = Connections()
    async with client_of(App(most_bytes=10), connections) as client:
        await client.send(request_bytes("POST", "/", None, {"content-length": "100"}))
        assert (await client.reply()).status == 413
        assert connections.sweep() == 0
        (connection,) = connections.open
        assert connection.is_late(connection._loop.time() + 31)


async def test_a_small_body_that_nobody_wants_costs_no_connection() -> None:
    async with client_of(App(at_once, most_bytes=None)) as client:
        for _ in range(2):
            assert (await client.request("POST", "/", b"x" * 100_000)).status == 200


async def test_whoever_asks_for_leave_to_send_a_body_that_nobody_wants_gets_none() -> None:
    async with client_of(App(at_once, most_bytes=None)) as client:
        await client.send(request_bytes("POST", "/", None, {"content-length": "9", "expect": "100-continue"}))
        assert (await client.reply()).status == 200
        assert await client.reader.read() == b""


async def test_leave_to_send_is_given_when_the_turn_has_come() -> None:
    held = Held()
    async with client_of(App(held)) as client:
        ask = request_bytes("POST", "/", None, {"content-length": "6", "expect": "100-continue"})
        await client.send(request_bytes("POST", "/", b"first") + ask)
        await until(lambda: held.begun)
        held.go.set()
        assert (await client.reply()).body == b"first"
        assert (await client.head())[0] == 100
        await client.send(b"second")
        assert (await client.reply()).body == b"second"


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_client_that_closed_its_side_gets_its_answer(version: bytes) -> None:
    async def late(connection: Connection, body: bytes) -> None:
        await asyncio.sleep(0.1)
        connection.answer(200, b"", body)

    def talk(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(request_bytes("POST", "/", b"asked").replace(b"HTTP/1.1", version))
            peer.shutdown(socket.SHUT_WR)
            received = b""
            while data := peer.recv(65536):
                received += data
            return received

    async with listening(App(late)) as port:
        received = await asyncio.to_thread(talk, port)
    if version == b"HTTP/1.1":
        received = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"asked")


async def test_a_client_that_closed_its_side_gets_a_stream_and_all_that_it_sent_ahead() -> None:
    async def late(connection: Connection, body: bytes) -> None:
        await asyncio.sleep(0.05)
        connection.begin_stream(b"", body)
        for _ in range(3):
            await asyncio.sleep(0.02)
            await write(connection, body)
        connection.end_stream()

    async with client_of(App(late)) as client:
        await client.send(request_bytes("POST", "/", b"one") + request_bytes("POST", "/", b"two"))
        client.writer.write_eof()
        assert (await client.head())[0] == 100
        assert (await client.reply()).body == b"one" * 4
        assert (await client.reply()).body == b"two" * 4
        assert await client.reader.read() == b""


async def test_a_client_that_closes_its_side_in_mid_stream_gets_the_rest() -> None:
    go = asyncio.Event()

    async def stream(connection: Connection, body: bytes) -> None:
        connection.begin_stream(b"", b"one ")
        await go.wait()
        await write(connection, b"two")
        connection.end_stream()

    async with client_of(App(stream)) as client:
        await client.send(request_bytes("POST", "/", b"x"))
        _, headers = await client.head()
        client.writer.write_eof()
        await asyncio.sleep(0.05)
        go.set()
        assert [piece async for piece in client.pieces(headers)] == [b"one ", b"two"]
        assert await client.reader.read() == b""


@pytest.mark.parametrize("after", [0.0, 0.05])
async def test_a_client_that_left_is_told_from_one_that_closed_its_side(after: float) -> None:
    held = Held()
    async with client_of(App(held)) as client:
        await client.send(request_bytes("POST", "/", b"x"))
        await until(lambda: held.begun)
        client.writer.write_eof()
        await asyncio.sleep(after)
        client.leave()
        await until(lambda: held.cancelled)


async def test_an_answer_written_before_a_client_closes_its_side_is_not_lost() -> None:
    big = b"x" * 3_000_000

    def large(connection: Connection, body: bytes) -> None:
        connection.answer(200, b"", big)

    async with client_of(App(large)) as client:
        await client.send(request_bytes("POST", "/", b"x"))
        client.writer.write_eof()
        assert (await client.reply()).body == big


async def test_any_number_of_requests_may_be_sent_ahead() -> None:
    async with client_of(App(at_once)) as client:
        sending = asyncio.create_task(client.send(b"".join(request_bytes("POST", "/", b"%d" % n) for n in range(3000))))
        for n in range(3000):
            assert (await client.reply()).body == b"%d" % n
        await sending


async def test_what_was_sent_ahead_of_a_slow_answer_is_answered_in_order_and_bounded() -> None:
    held = Held()
    app = App(held)
    async with client_of(app) as client:
        sending = asyncio.create_task(
            client.send(b"".join(request_bytes("POST", "/", b"%d" % n + b"." * 300_000) for n in range(30)))
        )
        await until(lambda: len(app.heads) > 3)
        await asyncio.sleep(0.1)
        assert len(app.heads) < 10  # about a megabyte
        held.go.set()
        for n in range(30):
            assert (await client.reply()).body.startswith(b"%d." % n)
        await sending


async def test_the_answer_to_head_has_no_body() -> None:
    async with client_of(App(at_once)) as client:
        await client.send(request_bytes("HEAD", "/", b"12345"))
        _, headers = await client.head()
        assert headers["content-length"] == "5"
        assert (await client.request("POST", "/", b"next")).body == b"next"


async def test_clients_beyond_the_bound_are_told_to_come_again() -> None:
    connections = Connections(most=2)
    async with listening(App(), connections) as port:
        async with connected(port) as first, connected(port) as second, connected(port) as third:
            assert (await first.request("POST", "/", b"1")).status == 200
            assert (await second.request("POST", "/", b"2")).status == 200
            reply = await third.request("POST", "/", b"3" * 100_000)
            assert (reply.status, reply.headers["connection"]) == (503, "close")
            assert await third.reader.read() == b""
            assert (await first.request("POST", "/", b"1")).status == 200
        await until(lambda: not connections.open)
        async with connected(port) as again:
            assert (await again.request("POST", "/", b"4")).status == 200


async def test_clients_beyond_the_bound_that_say_nothing_are_closed_soon() -> None:
    connections = Connections(most=0)
    async with client_of(App(), connections):
        await until(lambda: connections.open)
        (connection,) = connections.open
        assert not connection.is_late(connection._loop.time())
        assert connection.is_late(connection._loop.time() + 3)


async def test_far_more_clients_than_the_bound_are_closed_without_a_word() -> None:
    connections = Connections(most=0)
    async with listening(App(), connections) as port:
        peers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        await until(lambda: len(connections.open) <= 256)
        await asyncio.sleep(0.05)
        assert len(connections.open) == 256
        for _, writer in peers:
            writer.transport.abort()


async def test_a_client_that_reads_nothing_of_its_answer_is_dropped_in_the_end() -> None:
    connections = Connections(request_seconds=0.05)

    async def endless(connection: Connection, body: bytes) -> None:
        connection.begin_stream(b"", b"x")
        try:
            while True:
                await write(connection, b"x" * 100_000)
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            assert connection.gone

    async with client_of(App(endless), connections) as client:
        await client.send(request_bytes("POST", "/", b"x"))
        await asyncio.sleep(0.02)
        await until(connections.sweep)
        await until(lambda: not connections.open)


async def test_trickling_does_not_stretch_the_time_for_a_head() -> None:
    connections = Connections(request_seconds=0.1)
    async with client_of(App(), connections) as client:
        for byte in b"POST / HTTP/1.1":
            await client.send(bytes([byte]))
            await asyncio.sleep(0.01)
        assert connections.sweep() == 1


async def test_no_answer_reaches_another_request_whatever_clients_do() -> None:
    dice = random.Random(7)

    async def after_a_while(connection: Connection, body: bytes) -> None:
        await asyncio.sleep(dice.choice([0, 0, 0.001, 0.004]))
        if connection.gone:
            return
        if dice.random() < 0.5:
            connection.answer(200, b"", body)
            return
        connection.begin_stream(b"", body[:3])
        await asyncio.sleep(dice.choice([0, 0.001]))
        await write(connection, body[3:])
        connection.end_stream()

    async def talk(port: int, number: int) -> int:
        bodies = [b"%06d" % (number * 10 + turn) * dice.randrange(1, 300) for turn in range(dice.randrange(1, 6))]
        sent = b"".join(request_bytes("POST", "/", body) for body in bodies)
        stays = len(bodies) if dice.random() < 0.7 else dice.randrange(len(bodies))
        async with connected(port) as client:
            edges = [0, *sorted(dice.randrange(len(sent)) for _ in range(dice.randrange(4))), len(sent)]
            for begin, end in itertools.pairwise(edges):
                await client.send(sent[begin:end])
                await asyncio.sleep(0)
            if stays == len(bodies) and dice.random() < 0.3:
                client.writer.write_eof()
            for body in bodies[:stays]:
                status, headers = await client.head()
                while status == 100:
                    status, headers = await client.head()
                assert b"".join([piece async for piece in client.pieces(headers)]) == body
        return stays

    connections = Connections()
    async with listening(App(after_a_while), connections) as port:
        for begin in range(0, 300, 20):
            answered = await asyncio.gather(*[talk(port, number) for number in range(begin, begin + 20)])
            assert sum(answered) > 0
        await until(lambda: not connections.open)
