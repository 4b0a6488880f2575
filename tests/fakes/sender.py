"""Offers that answer as a test says, without a network."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio
import msgspec

from isthmus.domain.crossing import Crossing, WireRequest
from isthmus.domain.errors import ProviderError
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Guard


@dataclass
class FakeResponse:
    """Fulfils `domain.ports.WireResponse`. A piece that is an error is raised in its turn; None hangs for ever."""

    status: int = 200
    pieces: Sequence[bytes | ProviderError | None] = ()
    headers: Sequence[tuple[bytes, bytes]] = ()
    aborted: bool = False
    read_to_end: bool = False
    _next: int = 0

    async def chunk(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        if self._next >= len(self.pieces):
            self.read_to_end = True
            return b""
        piece = self.pieces[self._next]
        self._next += 1
        if piece is None:
            await anyio.sleep_forever()
        if isinstance(piece, ProviderError):
            raise piece
        assert piece is not None
        return piece

    async def forward(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        while piece := await self.chunk():
            if (waits_for := take(piece)) is not None:
                await waits_for

    async def read(self, limit: int) -> bytes:
        body = b""
        while piece := await self.chunk():
            body += piece
        assert len(body) <= limit
        return body

    def abort(self) -> None:
        self.aborted = True


Behaviour = FakeResponse | ProviderError | Callable[[Offer, WireRequest], FakeResponse]


@dataclass
class FakeSender:
    """Fulfils `domain.ports.Sender`: each offer answers as listed, the last behaviour over and over."""

    behaviours: dict[str, list[Behaviour]]
    sent: list[tuple[str, WireRequest]] = field(default_factory=list)
    responses: list[FakeResponse] = field(default_factory=list)
    guard: Guard | None = None

    async def send(self, crossing: Crossing) -> FakeResponse:
        await anyio.lowlevel.checkpoint()
        if self.guard is not None:
            await self.guard.check(crossing)
        offer, request = crossing.offer, crossing.request
        self.sent.append((offer.name, request))
        listed = self.behaviours[offer.name]
        behaviour = listed.pop(0) if len(listed) > 1 else listed[0]
        if isinstance(behaviour, ProviderError):
            raise behaviour
        if not isinstance(behaviour, FakeResponse):
            behaviour = behaviour(offer, request)
        self.responses.append(behaviour)
        return behaviour

    @property
    def asked(self) -> list[str]:
        """Names of the offers, in the order they were asked."""
        return [name for name, _ in self.sent]


def completion(text: str = "hello", **usage: int) -> FakeResponse:
    """A whole answer in OpenAI's dialect."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **usage},
    }
    return FakeResponse(pieces=[msgspec.json.encode(body)])


def chunk(**fields: object) -> bytes:
    """One event of a stream in OpenAI's dialect."""
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    """One piece of text of a stream."""
    return chunk(choices=[{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}])


USAGE = chunk(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
DONE = b"data: [DONE]\n\n"


def refusal(status: int, message: str = "no", **headers: str) -> FakeResponse:
    """An error answer in OpenAI's dialect."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return FakeResponse(
        status=status, pieces=[msgspec.json.encode({"error": {"message": message, "code": None}})], headers=named
    )
