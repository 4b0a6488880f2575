"""Batches as a process has them: over a store in a file, before offers that behave as a test says, behind a gateway."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import msgspec
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from tests.fakes.http_server import listening
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.sender import FakeResponse, FakeSender, completion

from isthmus.batches.batches import Batches
from isthmus.batches.limits import BatchLimits
from isthmus.domain.crossing import WireRequest
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.principal import Key, Principal
from isthmus.domain.usage import Price
from isthmus.gateway.gateway import Gateway
from isthmus.gateway.keyring import KeyRing
from isthmus.ledger.batches import SqlBatchStore
from isthmus.ledger.store import open_store
from isthmus.perimeter.gate import Gate
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

Answers = Callable[[Offer, WireRequest], FakeResponse]


def key(name: str, tenant: str = "default", **changes: object) -> Key:
    """A key whose secret is its name."""
    fields: dict[str, object] = {
        "name": name,
        "hash": hashlib.sha256(name.encode()).digest(),
        "principal": Principal(tenant=tenant, key=name),
    }
    return Key(**(fields | changes))  # type: ignore[arg-type]  # the tests name fields of Key


def offer(name: str = "a", **changes: object) -> Offer:
    fields: dict[str, object] = {
        "name": name,
        "model": f"{name}-model",
        "provider": "test",
        "dialect": "openai-chat",
        "base_url": "http://x/v1",
        "side": "closed",
        "price": Price(input=Decimal(1), output=Decimal(2), source="test"),
    }
    return Offer(**(fields | changes))  # type: ignore[arg-type]  # the tests name fields of Offer


def said(request: WireRequest) -> str:
    """The last thing a request says."""
    text: str = msgspec.json.decode(request.body)["messages"][-1]["content"]
    return text


def echo(_: Offer, request: WireRequest) -> FakeResponse:
    return completion(f"re: {said(request)}")


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, by: timedelta) -> None:
        self.now += by


@dataclass
class BatchScene:
    """What a process has. A second one on the same folder is the process after a restart."""

    folder: Path
    answers: Answers = echo
    keys: Mapping[str, Key] = field(default_factory=lambda: {"red": key("red"), "blue": key("blue", "blue")})
    limits: BatchLimits = field(default_factory=BatchLimits)
    offers: Iterable[Offer] = field(default_factory=lambda: (offer(),))
    idle: Callable[[str], bool] = lambda _: True
    clock: Clock = field(default_factory=Clock)
    gate: Gate = field(default_factory=Gate)
    holder: str | None = None

    def __post_init__(self) -> None:
        known = {one.name: one for one in self.offers}
        workload = Workload(name="w", offers=tuple(known), attempts=1)
        roster = Roster(offers=known, workloads={"w": workload}, default_workload="w", version="v1")
        self.sender = FakeSender({name: [self._answer] for name in known})
        self.ledger = MemoryRecorder()
        self.road = Road(roster, self.sender, self.ledger, self.gate)
        self.database = open_store(f"sqlite:///{self.folder}/isthmus.db")
        self.store = SqlBatchStore(self.database, bytes(32), clock=self.clock)
        if self.holder is not None:
            self.store._holder = self.holder
        self.in_force = {one.hash: one for one in self.keys.values()}
        self.batches = Batches(
            self.store, self.road, self.in_force.get, limits=self.limits, idle=self.idle, clock=self.clock
        )
        self.gateway = Gateway(self.road, KeyRing(self.in_force, open_without_keys=False))
        self.gateway.batches = self.batches

    def _answer(self, offer: Offer, request: WireRequest) -> FakeResponse:
        return self.answers(offer, request)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The batches are being worked on."""
        task = asyncio.create_task(self.batches.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """The batches are being worked on, and the gateway listens on a port."""
        async with self.working(), listening(self.gateway) as port:
            yield port

    @asynccontextmanager
    async def openai(self, key: str = "red") -> AsyncIterator[AsyncOpenAI]:
        async with (
            self.serving() as port,
            AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as client,
        ):
            yield client

    @asynccontextmanager
    async def anthropic(self, key: str = "red") -> AsyncIterator[AsyncAnthropic]:
        async with (
            self.serving() as port,
            AsyncAnthropic(base_url=f"http://127.0.0.1:{port}", api_key=key, max_retries=0) as client,
        ):
            yield client


def chat_lines(texts: Iterable[str], **fields: object) -> bytes:
    """An input file of chat completions, each with its text as custom id."""
    return b"".join(
        msgspec.json.encode(
            {
                "custom_id": text,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "w", "messages": [{"role": "user", "content": text}], **fields},
            }
        )
        + b"\n"
        for text in texts
    )


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait for something that must come."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.01)
