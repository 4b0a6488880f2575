"""An offer on a real socket whose answers are slow, break off, or go on from a beginning. Speaks OpenAI's dialect.

It runs on a thread of its own, so that tests may block.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

SENTENCE = "The strip of land between two seas is called an isthmus."


@dataclass
class Wayward:
    """The running server. Attributes may be read and set at any time."""

    port: int = 0
    waits: float = 0.0
    """Seconds before the first token, or before a whole answer."""
    words: int | None = None
    """After so many words of a stream the connection breaks; None: it does not."""
    overloaded: bool = False
    """Says 503 to every request."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client left before its answer was complete."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
                body = msgspec.json.decode(await reader.readexactly(length), type=dict[str, Any])
                self.requests.append(body)
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                try:
                    await self._answer(body, reader, writer)
                finally:
                    self.under_way -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.overloaded:
            await _whole(writer, 503, {"error": {"message": "too many", "code": "overloaded"}})
            return
        last = body["messages"][-1]
        said = last["content"] if last["role"] == "assistant" else ""
        rest = SENTENCE.removeprefix(said)
        if body.get("stream"):
            await self._stream(reader, writer, rest)
            return
        await self._wait(reader, writer)
        message = {"role": "assistant", "content": rest}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        await _whole(writer, 200, {**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE})

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await _event(writer, choices=[_delta({"role": "assistant", "content": ""})])
        await self._wait(reader, writer)
        for count, word in enumerate(_words(rest)):
            if count == self.words:
                raise ConnectionResetError
            await _event(writer, choices=[_delta({"content": word})])
            await asyncio.sleep(0.002)
        await _event(writer, choices=[_delta({}, "stop")])
        await _event(writer, choices=[], usage=_USAGE)
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    async def _wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the client wait; notice if it leaves meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.waits
        while (left := end - loop.time()) > 0:
            if reader.at_eof() or writer.transport.is_closing():
                self.gone.set()
                raise ConnectionResetError
            await asyncio.sleep(min(left, 0.01))


_BASE = {"id": "chatcmpl-wayward", "created": 1, "model": "test-model"}
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def _words(text: str) -> list[str]:
    return [word if number == 0 else f" {word}" for number, word in enumerate(text.split(" "))]


def _delta(content: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": content, "finish_reason": finish}


async def _event(writer: asyncio.StreamWriter, **fields: Any) -> None:
    data = b"data: " + msgspec.json.encode({**_BASE, "object": "chat.completion.chunk", **fields}) + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


async def _whole(writer: asyncio.StreamWriter, status: int, body: object) -> None:
    content = msgspec.json.encode(body)
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    writer.write(head % (status, len(content)) + content)
    await writer.drain()


@contextmanager
def wayward(**behaviour: Any) -> Iterator[Wayward]:
    """Serve on a free port of the loopback interface."""
    state = Wayward(**behaviour)
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

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="wayward")
    thread.start()
    ready.wait(5)
    try:
        yield state
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(5)
        loop.close()
