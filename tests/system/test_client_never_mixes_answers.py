"""An answer never reaches another request, whatever clients and upstreams do.

Every request carries a number of its own, and its answer consists of nothing but that number. Clients leave at random
moments; the upstream breaks, dawdles, cuts its bytes anywhere, closes what it promised to keep. What arrives must be
the request's own; what arrives whole must be all that was sent.

`ISTHMUS_STRESS_REQUESTS` sets how many requests are made.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from tests.fakes.gate import OPEN, cleared
from tests.fakes.hostile_upstream import Visit, answer, hostile_upstream

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import ProviderError
from isthmus.domain.offer import Deadlines, Offer
from isthmus.domain.ports import WireResponse
from isthmus.providers.http11.exchange import Exchange
from isthmus.providers.http11.pool import MOST_CONNECTIONS
from isthmus.providers.sender import HttpSender

REQUESTS = int(os.environ.get("ISTHMUS_STRESS_REQUESTS", "5000"))
AT_ONCE = 64
STRAY = b"stray---" * 40
"""What an upstream sends that nobody asked for."""

UPSTREAM = {
    "whole": 20,
    "chunked": 20,
    "split": 15,
    "late": 10,
    "trickle": 2,
    "informational first": 4,
    "until close": 4,
    "close announced": 4,
    "close unannounced": 4,
    "close later": 4,
    "stray answer": 3,
    "stray bytes": 3,
    "reset untouched": 2,
    "close untouched": 2,
    "reset in head": 2,
    "reset in body": 3,
    "close in body": 3,
    "not HTTP": 2,
    "two lengths": 1,
    "never": 2,
}
"""What the upstream does with a request, and how often."""

CLIENT = {"patient": 30, "forwards": 30, "slow": 8, "cancelled": 20, "leaves in the body": 12}
"""What the one who asks does, and how often."""

FAILS = {"reset untouched", "close untouched", "reset in head", "reset in body", "close in body", "not HTTP", "never"}
FAILS |= {"two lengths"}


class Mixed(AssertionError):
    """An answer held what was not its own."""


def body_of(number: int, size: int) -> bytes:
    return (b"%08d" % number * (size // 8 + 1))[:size]


async def misbehave(visit: Visit) -> None:
    """The upstream's side: the request says what is to be done with it."""
    number, size, seed = (int(part) for part in visit.body.split(b" ")[:3])
    does = visit.body.split(b" ", 3)[3].decode()
    dice = random.Random(seed)
    body = body_of(number, size)
    mine = f"X-Number: {number:08d}"
    whole = answer(body, mine)
    cuts = sorted(dice.randrange(len(whole)) for _ in range(dice.randrange(1, 9)))
    match does:
        case "whole":
            await visit.say(whole)
        case "chunked":
            await visit.say(answer(body, mine, chunks=[dice.randrange(1, 900) for _ in range(9)]), at=cuts)
        case "split":
            await visit.say(whole, at=cuts)
        case "late":
            await asyncio.sleep(dice.random() * 0.02)
            await visit.say(whole, at=cuts[:1])
        case "trickle":
            await visit.trickle(answer(body[:40], mine), pause=0)
        case "informational first":
            await visit.say(b"HTTP/1.1 103 Early Hints\r\nX-Number: none\r\n\r\n" + whole, at=cuts)
        case "until close":
            await visit.say(f"HTTP/1.1 200 OK\r\n{mine}\r\n\r\n".encode() + body, at=cuts)
            visit.close()
        case "close announced":
            await visit.say(answer(body, mine, "Connection: close"))
            visit.close()
        case "close unannounced":
            await visit.say(whole)
            visit.close()
        case "close later":
            await visit.say(whole)
            await asyncio.sleep(dice.random() * 0.005)
            visit.close()
        case "stray answer":
            await visit.say(whole + answer(STRAY, "X-Number: stray"))
        case "stray bytes":
            await visit.say(whole + STRAY)
        case "reset untouched":
            visit.reset()
        case "close untouched":
            visit.close()
        case "reset in head":
            await visit.say(whole[:9])
            visit.reset()
        case "reset in body":
            await visit.say(whole[:-1], at=cuts)
            visit.reset()
        case "close in body":
            await visit.say(whole[:-1])
            visit.close()
        case "not HTTP":
            await visit.say(STRAY)
        case "two lengths":
            await visit.say(answer(body, mine, "Content-Length: 3"))
        case "never":
            await visit.client_left()


def check_own(number: int, response: WireResponse, so_far: int, piece: bytes) -> None:
    """Every part of an answer is the request's own."""
    if dict(response.headers).get(b"x-number") != b"%08d" % number:
        raise Mixed(f"{number} was given the head of another: {response.headers}")
    begin = so_far % 8
    if (b"%08d" % number * (len(piece) // 8 + 2))[begin : begin + len(piece)] != piece:
        raise Mixed(f"{number} was given bytes that are not its own: {piece[:80]!r}")


async def forwarded(number: int, response: Exchange, dice: random.Random) -> int:
    """Have the body handed on as it arrives; tells its size."""
    got = 0

    def take(piece: bytes) -> Awaitable[None] | None:
        nonlocal got
        check_own(number, response, got, piece)
        got += len(piece)
        return asyncio.sleep(dice.random() * 0.003) if dice.random() < 0.2 else None

    await response.forward(take)
    return got


async def ask(sender: HttpSender, offer: Offer, number: int, does: str, client: str, dice: random.Random) -> str:
    """One request; tells how it ended."""
    size = dice.choice([0, 8, 100, 600, 5000, 5000, 40_000])
    request = WireRequest("/x", b"%d %d %d %s" % (number, size, dice.getrandbits(30), does.encode()))
    response = await sender.send(cleared(offer, request))
    try:
        got = 0
        leaves_at = dice.randrange(size + 1) if client == "leaves in the body" else None
        if client == "forwards":
            assert isinstance(response, Exchange)
            got = await forwarded(number, response, dice)
        while piece := await response.chunk():
            check_own(number, response, got, piece)
            got += len(piece)
            if leaves_at is not None and got >= leaves_at:
                return "left in the body"
            if client == "slow":
                await asyncio.sleep(dice.random() * 0.003)
        if not got:
            check_own(number, response, 0, b"")
    finally:
        response.abort()
    if got != (min(size, 40) if does == "trickle" else size):
        raise Mixed(f"{number} ({does}) was given {got} bytes as all of {size}")
    return "whole"


async def one(sender: HttpSender, offer: Offer, number: int) -> str:
    dice = random.Random(number)
    (does,) = dice.choices(list(UPSTREAM), list(UPSTREAM.values()))
    (client,) = dice.choices(list(CLIENT), list(CLIENT.values()))
    try:
        if client != "cancelled":
            fate = await ask(sender, offer, number, does, client, dice)
        else:
            task = asyncio.ensure_future(ask(sender, offer, number, does, "patient", dice))
            await asyncio.wait([task], timeout=dice.choice([0, 0.0005, 0.002, 0.01]))
            if not task.done():
                task.cancel()
            try:
                fate = await task
            except asyncio.CancelledError:
                return "cancelled"
    except ProviderError as exc:
        if does in FAILS:
            return type(exc).__name__
        raise Mixed(f"{number} ({does}, {client}) failed: {exc}") from exc
    if does in FAILS and fate == "whole":
        raise Mixed(f"{number} ({does}) was given an answer that never was whole")
    return fate


async def stress(requests: int, most_connections: int = MOST_CONNECTIONS) -> Counter[str]:
    """Make the requests, `AT_ONCE` at a time; tells how many met which fate."""
    fates: Counter[str] = Counter()
    deadlines = Deadlines(connect=10, first_byte=1.0, between_bytes=10, total=30)
    async with hostile_upstream(misbehave, keeps_visits=False) as upstream:
        offer = Offer(
            name="x", model="x", provider="x", dialect="x", base_url=upstream.url, side="own", deadlines=deadlines
        )
        sender = HttpSender(OPEN, most_connections=most_connections)
        numbers = iter(range(requests))

        async def keep_asking() -> None:
            for number in numbers:
                fates[await one(sender, offer, number)] += 1

        async with asyncio.TaskGroup() as askers:
            for _ in range(AT_ONCE):
                askers.create_task(keep_asking())
        await sender.aclose()
        async with asyncio.timeout(5):
            while upstream.open:
                await asyncio.sleep(0.01)
        fates["connections"] = upstream.connections
    return fates


@pytest.mark.timeout(60 + REQUESTS / 100)
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_every_answer_is_the_requests_own(run: Callable[[Coroutine[Any, Any, Counter[str]]], Counter[str]]) -> None:
    fates = run(stress(REQUESTS))
    print(dict(fates))
    connections = fates.pop("connections")
    assert sum(fates.values()) == REQUESTS
    assert connections < REQUESTS  # connections were used again: else nothing could have been mixed
    if REQUESTS >= 2000:
        assert {"whole", "cancelled", "left in the body", "UpstreamUnreachable", "UpstreamMalformed"} <= set(fates)
        assert "UpstreamTimeout" in fates


def test_waiting_for_a_connection_changes_nothing() -> None:
    fates = uvloop.run(stress(1500, most_connections=8))
    fates.pop("connections")
    assert sum(fates.values()) == 1500
    assert fates["whole"] > 500
