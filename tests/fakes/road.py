"""A road between offers that answer as a test says and a ledger in memory, for a workload with any options."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import anyio
import msgspec
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, FakeSender, chunk, delta
from typing_extensions import override

from isthmus.dialects.registry import dialect_of
from isthmus.domain.crossing import Crossing
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.principal import Principal
from isthmus.domain.usage import Price
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Answer, Call
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

PRICE = Price(input=Decimal(1), output=Decimal(2), source="test")

ROLE = chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
"""What most streams begin with: it says nothing yet."""


def offer(name: str, **changes: object) -> Offer:
    base = Offer(
        name=name,
        model=f"{name}-model",
        provider="test",
        dialect="openai-chat",
        base_url="http://x/v1",
        side="closed",
        price=PRICE,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name fields of Offer


def streaming(*texts: str) -> FakeResponse:
    """A good stream that says the texts, a piece each."""
    return FakeResponse(pieces=[ROLE, *map(delta, texts), delta("", "stop"), USAGE, DONE])


@dataclass
class Late(FakeResponse):
    """Answers after a time."""

    after: float = 0.0

    @override
    async def chunk(self) -> bytes:
        if not self._next:
            await anyio.sleep(self.after)
        return await super().chunk()


class CountingSender(FakeSender):
    """Also counts how many requests each offer has in hand, from being sent to being read or given up."""

    most: dict[str, int]

    def __init__(self, behaviours: dict[str, list[Behaviour]]) -> None:
        super().__init__(behaviours)
        self.most = {}
        self.open: dict[str, list[FakeResponse]] = {}

    @override
    async def send(self, crossing: Crossing) -> FakeResponse:
        response = await super().send(crossing)
        name = crossing.offer.name
        held = [one for one in self.open.get(name, []) if not one.aborted and not one.read_to_end]
        self.open[name] = [*held, response]
        self.most[name] = max(self.most.get(name, 0), len(self.open[name]))
        return response


@dataclass
class RoadScene:
    """Everything that is needed to ask."""

    behaviours: dict[str, list[Behaviour]]
    offers: Sequence[Offer] = ()
    workload: Workload = field(default_factory=lambda: Workload(name="w", offers=()))
    gate: Gate = field(default_factory=Gate)

    def __post_init__(self) -> None:
        known = {one.name: one for one in self.offers} or {name: offer(name) for name in self.behaviours}
        self.workload = replace(self.workload, offers=tuple(known))
        self.sender = CountingSender(self.behaviours)
        self.ledger = MemoryRecorder()
        roster = Roster(offers=known, workloads={"w": self.workload}, default_workload="w", version="v1")
        self.road = Road(roster, self.sender, self.ledger, self.gate, draw=lambda: 0.0)

    async def ask(self, asked: Call, each: Callable[[Answer], Awaitable[None]] | None = None) -> bytes:
        """All that the client is sent."""
        async with await self.road.serve(asked) as answer:
            if each is not None:
                await each(answer)
            if not answer.streamed:
                return answer.body
            sent = [answer.body]

            def write(piece: bytes) -> None:
                sent.append(piece)

            await answer.pass_on(write)
            return b"".join(sent)


def call(
    text: str = "hi", *, stream: bool = False, tenant: str = "default", labels: Sequence[str] = (), **fields: object
) -> Call:
    body: dict[str, object] = {"model": "w", "messages": [{"role": "user", "content": text}], **fields}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Call(
        form=dialect_of("openai-chat"),
        body=msgspec.json.encode(body),
        principal=Principal(tenant=tenant),
        labels=tuple(Labelled(Label(name), "header") for name in labels),
        arrived=0.0,
    )


def texts(sent: bytes) -> str:
    """The text of a stream in OpenAI's dialect."""
    events = [msgspec.json.decode(line[6:]) for line in sent.split(b"\n") if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event.get("choices"))
