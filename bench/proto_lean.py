"""The yardstick: what a gateway in plain Python costs when it does the least that one must do.

    UP_PORT=9100 python bench/proto_lean.py PORT MODEL...

Own thin HTTP/1.1 server and upstream pool (asyncio.Protocol and httptools), key found by SHA-256 among 5,000, route
found by name among 200, `model` and `Authorization` rewritten, hop-by-hop headers dropped, usage read and written to
SQLite by a thread, streams spliced by callback.

Not a gateway to use. Missing on purpose: limits on headers and bodies, time-outs, TLS, graceful stop, retries, error
bodies, pipelining (one request at a time per client connection is assumed), a check that an answer is whole.
"""

import asyncio
import collections
import hashlib
import os
import sqlite3
import sys
import tempfile
import threading
import time
from typing import NamedTuple

import httptools
import msgspec
import uvloop

UP_PORT = int(os.environ.get("UP_PORT", "9100"))
Raw = msgspec.Raw
Header = tuple[bytes, bytes]
decode = msgspec.json.Decoder(dict[str, Raw]).decode
encode = msgspec.json.Encoder().encode

HOP_BY_HOP = frozenset(
    b"connection keep-alive transfer-encoding te trailer upgrade proxy-authenticate proxy-authorization"
    b" content-length server date".split()
)


class Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class WithUsage(msgspec.Struct):
    usage: Usage | None = None


decode_usage = msgspec.json.Decoder(WithUsage).decode


class Route(NamedTuple):
    model: bytes
    head: bytes
    """The upstream request up to its length."""


class Record(NamedTuple):
    team: str
    key: int
    model: str
    prompt_tokens: int
    completion_tokens: int
    began: float
    seconds: float


class Denied(Exception):
    """No such key, or no such model."""


def route_to(model: str) -> Route:
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer sk-upstream-secret-key\r\nUser-Agent: isthmus\r\nContent-Length: " % UP_PORT
    )
    return Route(model.encode(), head)


KEYS = {hashlib.sha256(b"sk-bench-%016d" % i).digest(): (f"team{i % 17}", i) for i in range(5000)}
KEYS[hashlib.sha256(b"sk-bench-0123456789abcdef").digest()] = ("team-bench", 1)
ROUTES = {name: route_to(name) for name in (*sys.argv[2:], *(f"model-{i}" for i in range(200)))}
RECORDS: collections.deque[Record] = collections.deque()


def authorize(header: bytes) -> tuple[str, int]:
    who = KEYS.get(hashlib.sha256(header[7:]).digest())
    if who is None:
        raise Denied
    return who


def prepare(body: bytes) -> tuple[bytes, str, bool, Route]:
    fields = decode(body)
    model = bytes(fields["model"])[1:-1].decode()
    route = ROUTES.get(model)
    if route is None:
        raise Denied
    fields["model"] = Raw(b'"' + route.model + b'"')
    return encode(fields), model, bytes(fields.get("stream", b"")) == b"true", route


def usage_of(body: bytes) -> Usage | None:
    try:
        return decode_usage(body).usage
    except msgspec.DecodeError:
        return None


def usage_of_stream(last_pieces: collections.deque[bytes]) -> Usage | None:
    tail = b"".join(last_pieces)
    found = tail.rfind(b'"usage":{')
    if found < 0:
        return None
    return usage_of(tail[tail.rfind(b"data: ", 0, found) + 6 : tail.find(b"\n", found)])


def record(who: tuple[str, int], model: str, usage: Usage | None, began: float) -> None:
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    RECORDS.append(Record(*who, model, *counts, began, time.time() - began))


def write_records() -> None:
    db = sqlite3.connect(os.path.join(tempfile.mkdtemp(prefix="proto-lean-"), "records.db"))
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=normal")
    db.execute("create table records(team, key, model, prompt_tokens, completion_tokens, began, seconds)")
    while True:
        time.sleep(0.5)
        rows = [RECORDS.popleft() for _ in range(len(RECORDS))]
        if rows:
            with db:
                db.executemany("insert into records values(?, ?, ?, ?, ?, ?, ?)", rows)


def head_of(status: int, headers: list[Header], last: bytes) -> bytes:
    parts = [b"HTTP/1.1 200 OK\r\n" if status == 200 else b"HTTP/1.1 %d X\r\n" % status]
    for name, value in headers:
        if name.lower() not in HOP_BY_HOP:
            parts += (name, b": ", value, b"\r\n")
    parts.append(last)
    return b"".join(parts)


class Response:
    """All state of one answer, so that its connection can be used again at once."""

    __slots__ = ("body", "connection", "done", "future", "headers", "sink", "status", "stream")

    def __init__(self, connection: "Upstream", future: "asyncio.Future[Response]", stream: bool) -> None:
        self.connection: Upstream | None = connection
        self.future = future
        self.stream = stream
        self.headers: list[Header] = []
        self.body: list[bytes] = []
        self.sink: Downstream | None = None
        self.done = False
        self.status = 0


class Upstream(asyncio.Protocol):
    def __init__(self, pool: "list[Upstream]") -> None:
        self.pool = pool
        self.transport: asyncio.Transport
        self.parser: httptools.HttpResponseParser | None = None
        self.response: Response | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def request(self, data: bytes, stream: bool, future: "asyncio.Future[Response]") -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.response = Response(self, future, stream)
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.parser is None:
            self.transport.close()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fail(error)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.response.headers.append((name, value))

    def on_headers_complete(self) -> None:
        response = self.response
        response.status = self.parser.get_status_code()
        response.stream = response.stream and response.status == 200
        if response.stream and not response.future.done():
            response.future.set_result(response)

    def on_body(self, data: bytes) -> None:
        response = self.response
        if response.sink is not None:
            response.sink.piece(data)
        else:
            response.body.append(data)

    def on_message_complete(self) -> None:
        keep = self.parser.should_keep_alive()
        response, self.parser, self.response = self.response, None, None
        response.done, response.connection = True, None
        if response.sink is not None:
            response.sink.end()
        elif not response.future.done():
            response.future.set_result(response)
        if keep and not self.transport.is_closing():
            self.pool.append(self)
        else:
            self.transport.close()

    def fail(self, error: Exception) -> None:
        response, self.parser, self.response = self.response, None, None
        self.transport.close()
        if response is None:
            return
        response.done, response.connection = True, None
        if response.sink is not None:
            response.sink.abort()
        elif not response.future.done():
            response.future.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:
        if self.response is not None:
            self.fail(error or ConnectionError("upstream closed"))
        elif self in self.pool:
            self.pool.remove(self)


class Client:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pool: list[Upstream] = []

    async def post(self, head: bytes, body: bytes, stream: bool) -> Response:
        connection = None
        while self.pool and connection is None:
            idle = self.pool.pop()
            connection = None if idle.transport.is_closing() else idle
        if connection is None:
            _, connection = await self.loop.create_connection(lambda: Upstream(self.pool), "127.0.0.1", UP_PORT)
        future: asyncio.Future[Response] = self.loop.create_future()
        connection.request(b"%s%d\r\n\r\n%s" % (head, len(body), body), stream, future)
        return await future


class Downstream(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client) -> None:
        self.loop = loop
        self.client = client
        self.response: Response | None = None
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.task = self.loop.create_task(self.handle(self.headers, body))

    def reply(self, status: int, headers: list[Header], body: bytes) -> None:
        self.transport.write(head_of(status, headers, b"content-length: %d\r\n\r\n" % len(body)) + body)

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> None:
        began = time.time()
        try:
            who = authorize(headers.get(b"authorization", b""))
            out, model, stream, route = prepare(body)
        except (Denied, KeyError, msgspec.DecodeError):
            self.reply(401, [], b"")
            return
        try:
            response = await self.client.post(route.head, out, stream)
        except (OSError, httptools.HttpParserError):
            self.reply(502, [], b"")
            return
        if response.stream:
            record(who, model, await self.splice(response), began)
        else:
            data = response.body[0] if len(response.body) == 1 else b"".join(response.body)
            self.reply(response.status, response.headers, data)
            record(who, model, usage_of(data), began)

    async def splice(self, response: Response) -> Usage | None:
        """Let the upstream write straight to the client; sleep until the end."""
        self.transport.write(head_of(200, response.headers, b"transfer-encoding: chunked\r\n\r\n"))
        self.response, self.tail = response, collections.deque(maxlen=4)
        self.ended: asyncio.Future[None] = self.loop.create_future()
        for data in response.body:
            self.piece(data)
        if response.done:
            self.end()
        else:
            response.sink = self
        await self.ended
        self.response = None
        return usage_of_stream(self.tail)

    def piece(self, data: bytes) -> None:
        self.tail.append(data)
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.transport.write(b"0\r\n\r\n")
        self.settle()

    def abort(self) -> None:
        self.transport.close()
        self.settle()

    def settle(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        if self.response is not None and self.response.connection is not None:
            self.response.connection.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.response is not None and self.response.connection is not None:
            self.response.connection.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        if self.response is not None and self.response.connection is not None:
            self.response.connection.fail(ConnectionError("client gone"))
            self.settle()


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    client = Client(loop)
    await loop.create_server(lambda: Downstream(loop, client), "127.0.0.1", port, backlog=4096)
    threading.Thread(target=write_records, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
