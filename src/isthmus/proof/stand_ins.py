"""Recording stand-ins on loopback, one in the place of each offer: they keep every byte and answer in its dialect."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from isthmus.dialects.dialect import Dialect, WholeForm
from isthmus.dialects.registry import dialect_of, offered
from isthmus.domain.embedding import Embeddings
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Finished,
    Started,
    Text,
    TextDelta,
    Used,
)
from isthmus.domain.offer import Offer
from isthmus.domain.request import Operation
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage
from isthmus.proof.marks import MARK
from isthmus.proof.plan import Failure

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GONE_SECONDS = 0.15
"""How long an answer is held back whose client is to leave meanwhile."""
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """What the stand-ins are to do about the requests that bear one mark."""

    answer: str = "Yes."
    failure: Failure = "none"
    failing: str | None = None


@dataclass(slots=True)
class Recording:
    """What all stand-ins together received."""

    parts: dict[str, Part] = field(default_factory=dict)
    """By mark."""
    received: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)
    """By mark and name of the offer: requests as they came, head and body."""
    strays: list[tuple[str, bytes]] = field(default_factory=list)
    """Requests without a mark, which nobody sent."""
    arrivals: dict[str, asyncio.Event] = field(default_factory=dict)

    def keep(self, offer: str, request: bytes) -> Part:
        """Keep a request; returns what is to be done about it."""
        marks = set(MARK.findall(request.decode("utf-8", "replace")))
        known = marks & self.parts.keys()
        if not known:
            self.strays.append((offer, request))
            return Part()
        for mark in known:
            self.received.setdefault(mark, {}).setdefault(offer, []).append(request)
            if mark in self.arrivals:
                self.arrivals[mark].set()
        return self.parts[min(known)]

    def of(self, mark: str) -> Mapping[str, list[bytes]]:
        return self.received.get(mark, {})


class StandIn:
    """In the place of one offer."""

    def __init__(self, offer: Offer, recording: Recording) -> None:
        self.port = 0
        self._offer = offer
        self._dialects = [dialect_of(name) for name in (offer.dialect, *offer.also)]
        self._forms = [
            form
            for operation in _WHOLE
            for name in (offer.dialect, *offer.also)
            if (form := offered(operation, name)) is not None
        ]
        self._recording = recording
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; at the port it had before, where it had one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=_MOST_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from now on, and break those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                part = self._recording.keep(self._offer.name, head + body)
                failure = part.failure if part.failing == self._offer.name else "none"
                if not await self._answer(head, body, part.answer, failure, reader, writer):
                    return
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(
        self,
        head: bytes,
        body: bytes,
        text: str,
        failure: Failure,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request. False: the connection is to be broken."""
        if failure == "hang":
            await reader.read(1)
            return False
        if failure == "gone":
            await asyncio.sleep(_GONE_SECONDS)
        if failure in {"429", "500"}:
            content = b'{"error":{"message":"no","type":"server_error","code":"no"}}'
            again = b"retry-after-ms: 200\r\n" if failure == "429" else b""
            writer.write(b"HTTP/1.1 %s X\r\n%s%s" % (failure.encode(), again, _framed(content)))
        elif self._streams(head, body):
            events = self._events(text, self._dialect(head))
            if failure == "dies":
                events = events[: len(events) // 2]
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                + b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
                + (b"" if failure == "dies" else b"0\r\n\r\n")
            )
        else:
            content = self._whole(text, head, body)
            if failure == "dies":
                writer.write(b"HTTP/1.1 200 OK\r\n" + _framed(content)[: -len(content) // 2])
            else:
                writer.write(b"HTTP/1.1 200 OK\r\n" + _framed(content))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return failure != "dies"

    @staticmethod
    def _streams(head: bytes, body: bytes) -> bool:
        """Whether a stream is asked for: in the body, or in the address as Gemini has it."""
        first = head.partition(b"\r\n")[0]
        asked = msgspec.json.decode(body) if body else {}
        return b":streamGenerateContent" in first or (isinstance(asked, dict) and asked.get("stream") is True)

    def _request(self, *, stream: bool) -> CompletionRequest:
        return CompletionRequest(model=self._offer.model, messages=(), stream=stream, stream_usage=stream)

    def _dialect(self, head: bytes) -> Dialect:
        """The dialect whose path is asked; the offer's own, where it is none of them."""
        for dialect in self._dialects:
            if dialect.request_path(self._offer.model, stream=False).encode() in _path(head):
                return dialect
        return self._dialects[0]

    def _whole(self, text: str, head: bytes, body: bytes) -> bytes:
        for form in self._forms:
            if form.request_path(self._offer.model).encode() == _path(head):
                return self._answered(form, body)
        completion = Completion(
            id="proof",
            model=self._offer.model,
            choices=(Choice(parts=(Text(text=text),), finish="stop"),),
            created=1,
            usage=_USAGE,
        )
        return self._dialect(head).encode_completion(completion, self._request(stream=False))

    def _answered(self, form: WholeForm[Any, Any], body: bytes) -> bytes:
        """An answer to what always answers whole."""
        request = form.decode_request(body)
        match form.operation:
            case "embed":
                vectors = ((0.5, 0.25),) * len(request.inputs)
                return form.encode_answer(Embeddings(model=self._offer.model, vectors=vectors, usage=_USAGE), request)
            case "count_tokens":
                return form.encode_answer(TokenCount(tokens=_USAGE.input), request)
            case _:
                results = [{"flagged": False, "categories": {}, "category_scores": {}}]
                return form.encode_answer({"id": "proof", "model": self._offer.model, "results": results}, request)

    def _events(self, text: str, dialect: Dialect) -> list[bytes]:
        encoder = dialect.stream_encoder(self._request(stream=True))
        middle = len(text) // 2
        said: tuple[Event, ...] = (
            Started(id="proof", model=self._offer.model, created=1),
            TextDelta(text=text[:middle]),
            TextDelta(text=text[middle:]),
            Finished(reason="stop"),
            Used(usage=_USAGE),
        )
        return [piece for piece in (*map(encoder.encode, said), encoder.close()) if piece]


_USAGE = Usage(input=10, output=2)
_WHOLE: tuple[Operation, ...] = ("embed", "moderate", "count_tokens")


def _path(head: bytes) -> bytes:
    """The path that a request asks for, without its query."""
    return head.split(b" ", 2)[1].partition(b"?")[0]


def _framed(content: bytes) -> bytes:
    return b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content)
