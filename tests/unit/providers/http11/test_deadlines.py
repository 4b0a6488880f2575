import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import anyio
import pytest
from tests.fakes.gate import cleared
from tests.fakes.hostile_upstream import Visit, answer, hostile_upstream
from tests.unit.providers.http11.conftest import OfferAt

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import UpstreamTimeout
from isthmus.providers.http11.watch import TICK_SECONDS, Watch
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

ASK = WireRequest("/x", b"{}")
LIMIT = 0.2
SLACK = 0.25
"""Of a busy machine."""


@contextmanager
def times_out(phase: str, after: float = LIMIT) -> Iterator[None]:
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout) as late:
        yield
    took = time.monotonic() - began
    assert late.value.phase == phase
    assert late.value.offer == "there"
    assert f"{after:g} s" in late.value.message
    assert after - 0.001 <= took <= after + 2 * TICK_SECONDS + SLACK


async def silent(visit: Visit) -> None:
    await visit.client_left()


async def test_an_answer_must_begin_in_time(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(silent) as upstream:
        with times_out("first_byte"):
            await sender.send(cleared(offer_at(upstream.url, first_byte=LIMIT), ASK))
        with anyio.fail_after(2):  # and the upstream sees us leave
            while upstream.open:
                await anyio.sleep(0.01)
        assert len(upstream.visits) == 1  # never asked again after a deadline


async def test_a_request_that_timed_out_on_a_used_connection_is_not_sent_again(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def once(visit: Visit) -> None:
        if visit.turn == 0:
            await visit.say(answer())
        else:
            await visit.client_left()

    async with hostile_upstream(once) as upstream:
        offer = offer_at(upstream.url, first_byte=LIMIT)
        await (await sender.send(cleared(offer, ASK))).read(10)
        with times_out("first_byte"):
            await sender.send(cleared(offer, ASK))
        assert len(upstream.visits) == 2


async def test_a_head_that_trickles_in_does_not_stretch_the_deadline(sender: HttpSender, offer_at: OfferAt) -> None:
    async def trickling(visit: Visit) -> None:
        await visit.trickle(answer(b"", "X: " + "x" * 200), pause=0.02)

    async with hostile_upstream(trickling) as upstream:
        with times_out("first_byte"):
            await sender.send(cleared(offer_at(upstream.url, first_byte=LIMIT), ASK))


async def test_bytes_must_follow_one_another_in_time(sender: HttpSender, offer_at: OfferAt) -> None:
    async def stalling(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(4):
            await anyio.sleep(LIMIT / 2)
            await visit.say(b"x")
        await visit.client_left()

    async with hostile_upstream(stalling) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url, between_bytes=LIMIT), ASK))
        for _ in range(4):
            assert await response.chunk() == b"x"
        with times_out("between_bytes"):
            await response.chunk()


async def test_an_offer_that_nobody_reads_from_is_not_late(sender: HttpSender, offer_at: OfferAt) -> None:
    async def stalling(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\nx")
        await anyio.sleep(4 * LIMIT)
        await visit.say(b"y")
        visit.close()

    async with hostile_upstream(stalling) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url, between_bytes=LIMIT), ASK))
        await anyio.sleep(3.5 * LIMIT)
        assert await response.read(10) == b"xy"


async def test_a_wait_for_the_head_does_not_count_between_bytes(sender: HttpSender, offer_at: OfferAt) -> None:
    async def late(visit: Visit) -> None:
        await anyio.sleep(2 * LIMIT)
        await visit.say(answer(b"hello"))

    async with hostile_upstream(late) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url, between_bytes=LIMIT, first_byte=5.0), ASK))
        assert await response.read(10) == b"hello"


async def endless(visit: Visit) -> None:
    await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.say(b"x")
        await anyio.sleep(0.01)


async def test_the_whole_answer_must_be_there_in_time(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(endless) as upstream:
        with times_out("total"):
            response = await sender.send(cleared(offer_at(upstream.url, total=LIMIT), ASK))
            await response.read(1 << 20)


async def test_the_deadline_for_the_whole_also_holds_while_nobody_reads(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(endless) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url, total=LIMIT), ASK))
        with anyio.fail_after(2):
            while upstream.open:
                await anyio.sleep(0.01)
        assert set(await response.chunk()) == {ord("x")}  # what had come in time
        with pytest.raises(UpstreamTimeout):
            await response.chunk()


async def test_the_deadline_for_the_whole_counts_from_the_start_of_the_request(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async with hostile_upstream(silent) as upstream:
        with times_out("total"):
            await sender.send(cleared(offer_at(upstream.url, total=LIMIT), ASK))


async def test_without_deadlines_there_is_no_hurry(sender: HttpSender, offer_at: OfferAt) -> None:
    async def late(visit: Visit) -> None:
        await anyio.sleep(3 * TICK_SECONDS)
        await visit.say(answer(b"hello"))

    async with hostile_upstream(late) as upstream:
        offer = offer_at(upstream.url, connect=None, first_byte=None, between_bytes=None, total=None)
        assert await (await sender.send(cleared(offer, ASK))).read(10) == b"hello"


async def test_connecting_includes_the_handshake_and_has_its_own_deadline(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with times_out("connect"):
            await sender.send(cleared(offer_at(f"https://127.0.0.1:{port}", connect=LIMIT), ASK))
        with times_out("total"):
            await sender.send(cleared(offer_at(f"https://127.0.0.1:{port}", connect=5.0, total=LIMIT), ASK))


async def test_the_clock_stands_still_while_nothing_is_in_flight() -> None:
    class Waits:
        check_at = float("inf")

        def check(self, now: float) -> None:
            raise AssertionError

    loop = asyncio.get_running_loop()
    scheduled: list[float] = []

    class Loop:
        def call_later(self, delay: float, callback: Any) -> asyncio.TimerHandle:
            scheduled.append(delay)
            return loop.call_later(delay, callback)

        def time(self) -> float:
            return loop.time()

    watch, waits = Watch(cast("asyncio.AbstractEventLoop", Loop())), Waits()
    await anyio.sleep(2 * TICK_SECONDS)
    assert scheduled == []
    watch.begin(waits)
    assert watch.in_flight == 1
    await anyio.sleep(2.5 * TICK_SECONDS)
    watch.end(waits)
    await anyio.sleep(3 * TICK_SECONDS)
    ticks = len(scheduled)
    assert ticks >= 2
    await anyio.sleep(3 * TICK_SECONDS)
    assert len(scheduled) == ticks
