"""What the strict stand-ins for vendors share: a server on loopback, faults on demand, and something to say.

Each runs on a thread of its own, so that tests may block. A request that breaks the vendor's published schema or rules
is answered as the vendor would, and noted in `rejected`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

import msgspec
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema
from typing_extensions import override

Fault = Literal["429", "500", "529", "hang", "die", "error-event", "malformed"]
"""429          asks to be left alone for two seconds
500          an error of its own
529          overloaded
hang         takes the request and never answers
die          sends half an answer and closes the connection
error-event  tells of being overloaded in the middle of a stream
malformed    answers what is not of the dialect
"""

_MARK = re.compile(r"\[\[fault:([a-z0-9-]+)\]\]")


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Rejected(Exception):
    """The vendor would refuse this request."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass
class Asked:
    """What the stand-in understands of a request, whatever its dialect."""

    text: str = ""
    """Of the last message."""
    images: list[int] = field(default_factory=list)
    """Bytes of each image of the last message; 0 for one by address."""
    results: list[str] = field(default_factory=list)
    tools: dict[str, Any] = field(default_factory=dict)
    """Schemas of the tools that may be called, by name."""
    must_call: bool = False
    parallel: bool = True
    schema: Any = None
    json: bool = False
    thinks: bool = False


@dataclass
class Said:
    """What it answers."""

    thought: str = ""
    text: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Id, name and arguments of each."""

    @property
    def pieces(self) -> list[str]:
        return re.findall(r"\S*\s*", self.text)[:-1]


def say(asked: Asked) -> Said:
    """Echo the text, call the tools it names or must call, tell of images and results, fill in a schema."""
    said = Said(thought="They ask; I answer." if asked.thinks else "")
    if asked.results:
        said.text = "The tools said: " + "; ".join(asked.results)
    elif asked.tools and (asked.must_call or "call" in asked.text.lower()):
        names = [name for name in asked.tools if name in asked.text] or list(asked.tools)[:1]
        said.calls = [
            (f"toolu_{number:04}", name, sample(asked.tools[name]))
            for number, name in enumerate(names if asked.parallel else names[:1])
        ]
    elif asked.schema is not None or asked.json:
        said.text = msgspec.json.encode(sample(asked.schema or {"type": "object"})).decode()
    elif asked.images:
        said.text = f"I see {len(asked.images)} image(s) of {', '.join(map(str, asked.images))} bytes."
    else:
        said.text = f"You said: {asked.text}"
    return said


def sample(schema: Any) -> Any:
    """A value that a schema allows."""
    if not isinstance(schema, dict):
        return {}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return sample(schema[name][0])
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "string":
            return "isthmus"
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "array":
            return [sample(schema.get("items", {"type": "string"}))]
        case "null":
            return None
        case _:
            return {name: sample(inner) for name, inner in schema.get("properties", {}).items()}


def image_size(data: str) -> int:
    """Bytes of an image given in base64; the vendor refuses what is none."""
    try:
        return len(base64.b64decode(data, validate=True))
    except binascii.Error:
        raise Rejected("image data is not base64") from None


# ------------------------------------------------------------------------------------------ published schemas


class _Published(GenerateJsonSchema):
    """Schemas of what can be said in JSON: the clients' types also take open files and models of their own."""

    @override
    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> dict[str, Any]:
        return {"not": {}}


def published(kind: Any) -> Draft202012Validator:
    """A validator for the JSON of one of the official clients' types, in which unknown fields are errors."""
    schema = TypeAdapter[Any](kind).json_schema(schema_generator=_Published)
    _close(schema)
    return Draft202012Validator(schema)


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for item in schema:
            _close(item)
    elif isinstance(schema, dict):
        # The types of answers, which may be returned in requests, allow more fields; the vendors do not.
        if "properties" in schema and schema.get("type") == "object" and schema.get("title") != "InputSchemaTyped":
            schema["additionalProperties"] = False
        for inner in schema.values():
            _close(inner)


def complain(validator: Draft202012Validator, body: Any) -> None:
    """Refuse a body that breaks the schema."""
    error = next(iter(sorted(validator.iter_errors(body), key=lambda found: -len(found.absolute_path))), None)
    if error is not None:
        deepest = error
        while deepest.context:
            deepest = max(deepest.context, key=lambda found: len(found.absolute_path))
        place = ".".join(map(str, error.absolute_path))
        raise Rejected(f"{place or 'body'}: {deepest.message[:300]}")


# ------------------------------------------------------------------------------------------------- the server


class StandIn:
    """A running server. `fault`, `requests` and `rejected` may be read and set at any time."""

    def __init__(self) -> None:
        self.port = 0
        self.fault: Fault | None = None
        self.requests: list[Received] = []
        self.rejected: list[str] = []
        self.gone = 0
        """Requests whose client left before the answer was complete."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ---- what a vendor's stand-in fills in

    def say(self, asked: Asked) -> Said:
        """What it answers."""
        return say(asked)

    def check(self, received: Received) -> None:
        """Refuse what the vendor would refuse, with `Rejected`."""
        raise NotImplementedError

    def whole(self, received: Received) -> dict[str, Any]:
        raise NotImplementedError

    def streams(self, received: Received) -> bool:
        return bool(received.body.get("stream"))

    def stream(self, received: Received) -> list[bytes]:
        """The events, framed."""
        raise NotImplementedError

    def error(self, status: int, message: str) -> dict[str, Any]:
        raise NotImplementedError

    def error_event(self) -> bytes:
        raise NotImplementedError

    # ---- HTTP

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._exchange(await _read(reader), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(received)
        try:
            if received.body is None:
                raise Rejected("the body is not valid JSON")
            self.check(received)
            streams = self.streams(received)
            events = self.stream(received) if streams else []
            answer = None if streams else self.whole(received)
        except Rejected as exc:
            self.rejected.append(exc.message)
            await _answer(writer, exc.status, self.error(exc.status, exc.message))
            return
        fault = self.fault or _marked(received.body)
        match fault:
            case "429":
                await _answer(writer, 429, self.error(429, "slow down"), "retry-after: 2\r\n")
            case "500":
                await _answer(writer, 500, self.error(500, "out of order"))
            case "529":
                await _answer(writer, 529, self.error(529, "overloaded"))
            case "hang":
                self.gone += not await reader.read(1)
                raise ConnectionResetError
            case _ if streams:
                await self._stream(writer, events, fault)
            case "die":
                await _send(
                    writer, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
                )
                raise ConnectionResetError
            case "malformed":
                await _answer(writer, 200, ["not", "an", "answer"])
            case _:
                await _answer(writer, 200, answer)

    async def _stream(self, writer: asyncio.StreamWriter, events: list[bytes], fault: Fault | None) -> None:
        await _send(writer, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        if fault is not None:
            events = events[: len(events) // 2 + 1]
        if fault == "error-event":
            events.append(self.error_event())
        elif fault == "malformed":
            events.append(b"data: {not json\n\n")
        try:
            for event in events:
                await _send(writer, b"%x\r\n%s\r\n" % (len(event), event))
                await asyncio.sleep(0.001)
        except ConnectionError:
            self.gone += 1
            raise
        if fault == "die":
            raise ConnectionResetError
        await _send(writer, b"0\r\n\r\n")


def _marked(body: Any) -> Fault | None:
    """A fault asked for by a mark in the prompt, such as `[[fault:429]]`."""
    found = _MARK.search(msgspec.json.encode(body).decode())
    return found[1] if found is not None and found[1] in get_args(Fault) else None  # type: ignore[return-value]


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    try:
        body = msgspec.json.decode(data)
    except msgspec.DecodeError:
        body = None
    return Received(method, path, headers, body if isinstance(body, dict) else None)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _answer(writer: asyncio.StreamWriter, status: int, body: object, headers: str = "") -> None:
    content = msgspec.json.encode(body)
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nrequest-id: req_test\r\n{headers}"
        f"content-length: {len(content)}\r\n\r\n"
    )
    await _send(writer, head.encode() + content)


Kind = TypeVar("Kind", bound=StandIn)


@contextmanager
def serving(stand_in: Kind) -> Iterator[Kind]:
    """Serve on a free port of the loopback interface."""
    loop = asyncio.new_event_loop()
    ready, done = threading.Event(), asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(stand_in.serve, "127.0.0.1", 0, limit=2**24)
        stand_in.port = server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="stand-in")
    thread.start()
    ready.wait(5)
    try:
        yield stand_in
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(5)
        loop.close()


def event(content: object, name: str = "") -> bytes:
    data = msgspec.json.encode(content)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"
