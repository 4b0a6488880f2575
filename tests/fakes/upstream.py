"""An offer on a real socket that behaves, or misbehaves, as a test says. Speaks OpenAI's dialect.

It runs on a thread of its own, so that tests may block.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Behaviour = Literal["ok", "500", "429", "429-soon", "hang", "die", "slow", "endless"]
"""ok        answers at once
500       an error of its own
429       asks to be left alone for an hour
429-soon  asks to be left alone for a second
hang      takes the request and never answers
die       sends half an answer and closes the connection
slow      answers word by word, 10 ms apart
endless   streams words without end
"""

WORDS = ["The ", "strip ", "of ", "land ", "between ", "two ", "seas."]


@dataclass
class Upstream:
    """The running server. Attributes may be read and set at any time."""

    port: int = 0
    behaviour: Behaviour = "ok"
    requests: list[dict[str, Any]] = field(default_factory=list)
    gone: int = 0
    """Requests whose client left before the answer was complete."""
    noticed: threading.Event = field(default_factory=threading.Event)
    """Set when the first of them was noticed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                body = msgspec.json.decode(await reader.readexactly(length), type=dict[str, Any])
                self.requests.append(body)
                await self.answer(body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def answer(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviour = self.behaviour
        match behaviour:
            case "500":
                await _whole(writer, 500, {"error": {"message": "out of order", "code": "boom"}})
            case "429" | "429-soon":
                wait = 3600 if behaviour == "429" else 1
                await _whole(writer, 429, {"error": {"message": "slow down"}}, f"retry-after: {wait}\r\n")
            case "hang":
                if not await reader.read(1):
                    self.leave()
                raise ConnectionResetError
            case _ if body.get("stream"):
                await self.stream(writer, behaviour)
            case "die":
                await _send(
                    writer, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
                )
                raise ConnectionResetError
            case _:
                await asyncio.sleep(0.1 if behaviour == "slow" else 0)
                message = {"role": "assistant", "content": "".join(WORDS)}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                await _whole(writer, 200, {**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE})

    def leave(self) -> None:
        self.gone += 1
        self.noticed.set()

    async def stream(self, writer: asyncio.StreamWriter, behaviour: Behaviour) -> None:
        await _send(writer, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            count = 0
            while behaviour == "endless" or count < len(WORDS):
                await _event(writer, choices=[_delta(WORDS[count % len(WORDS)])])
                count += 1
                if behaviour == "die" and count == 3:
                    raise ConnectionResetError
                if behaviour in {"slow", "endless"}:
                    await asyncio.sleep(0.01)
        except ConnectionError:
            if behaviour != "die":
                self.leave()
            raise
        await _event(writer, choices=[_delta("", "stop")])
        await _event(writer, choices=[], usage=_USAGE)
        await _chunk(writer, b"data: [DONE]\n\n")
        await _send(writer, b"0\r\n\r\n")


_BASE = {"id": "chatcmpl-test", "created": 1, "model": "test-model"}
_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def _delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    await _send(writer, b"%x\r\n%s\r\n" % (len(data), data))


async def _event(writer: asyncio.StreamWriter, **fields: Any) -> None:
    body = msgspec.json.encode({**_BASE, "object": "chat.completion.chunk", **fields})
    await _chunk(writer, b"data: " + body + b"\n\n")


async def _whole(writer: asyncio.StreamWriter, status: int, body: object, headers: str = "") -> None:
    content = msgspec.json.encode(body)
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {len(content)}\r\n\r\n"
    await _send(writer, head.encode() + content)


@contextmanager
def upstream(behaviour: Behaviour = "ok") -> Iterator[Upstream]:
    """Serve on a free port of the loopback interface."""
    state = Upstream(behaviour=behaviour)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
        state.port = server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="upstream")
    thread.start()
    ready.wait(5)
    try:
        yield state
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(5)
        loop.close()
