"""When a connection is used again, when it is not, and how many there are."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import MethodType

import anyio
import pytest
from tests.fakes.gate import cleared
from tests.fakes.hostile_upstream import HostileUpstream, Visit, answer, hostile_upstream
from tests.unit.providers.http11.conftest import OfferAt
from typing_extensions import override

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Deadlines
from isthmus.providers.http11.connection import Connection
from isthmus.providers.http11.exchange import BUFFERED_BYTES, Exchange
from isthmus.providers.http11.pool import Origin, Pool
from isthmus.providers.http11.watch import Watch
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

ASK = WireRequest("/x", b"{}")


async def plain(visit: Visit) -> None:
    await visit.say(answer(b"hello"))


async def silent(visit: Visit) -> None:
    await visit.client_left()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(2):
        while not condition():
            await anyio.sleep(0.005)


@asynccontextmanager
async def gated() -> AsyncIterator[tuple[HostileUpstream, anyio.Event]]:
    """An upstream that answers, in one go, when the gate is opened."""
    gate = anyio.Event()

    async def script(visit: Visit) -> None:
        await gate.wait()
        await visit.say(answer(visit.body))

    async with hostile_upstream(script) as upstream:
        yield upstream, gate


async def test_a_connection_is_used_again(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(plain) as upstream:
        for _ in range(5):
            response = await sender.send(cleared(offer_at(upstream.url), ASK))
            assert await response.read(10) == b"hello"
        assert upstream.connections == 1


async def test_offers_at_one_origin_share_connections_and_those_with_another_way_there_do_not(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async with hostile_upstream(plain) as upstream:
        for offer in (
            offer_at(upstream.url, name="a"),
            offer_at(upstream.url + "/deeper", name="b"),
            offer_at(upstream.url, name="c", proxy=f"http://127.0.0.1:{upstream.port}"),
        ):
            await (await sender.send(cleared(offer, ASK))).read(10)
        assert [visit.connection for visit in upstream.visits] == [0, 0, 1]


@pytest.mark.parametrize("reset", [False, True])
async def test_a_request_whose_idle_connection_was_just_closed_is_sent_once_more(
    sender: HttpSender, offer_at: OfferAt, reset: bool
) -> None:
    async def closes_the_second(visit: Visit) -> None:
        if visit.turn == 1:
            visit.reset() if reset else visit.close()
        else:
            await plain(visit)

    async with hostile_upstream(closes_the_second) as upstream:
        for _ in range(2):
            response = await sender.send(cleared(offer_at(upstream.url), ASK))
            assert await response.read(10) == b"hello"
        assert [(visit.connection, visit.turn) for visit in upstream.visits] == [(0, 0), (0, 1), (1, 0)]


async def test_keep_alive_that_was_promised_and_not_kept_is_no_failure(sender: HttpSender, offer_at: OfferAt) -> None:
    async def stream_and_close(visit: Visit) -> None:  # llama.cpp does this after a stream
        await visit.say(answer(b"data: 1\n\n", "Connection: keep-alive", chunks=[9]))
        visit.close()

    async with hostile_upstream(stream_and_close) as upstream:
        for _ in range(20):
            response = await sender.send(cleared(offer_at(upstream.url), ASK))
            assert await response.read(100) == b"data: 1\n\n"


async def test_a_request_on_a_fresh_connection_is_never_sent_again(sender: HttpSender, offer_at: OfferAt) -> None:
    async def close(visit: Visit) -> None:
        visit.close()

    async with hostile_upstream(close) as upstream:
        with pytest.raises(UpstreamUnreachable, match="before it answered"):
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert len(upstream.visits) == 1


async def test_a_request_is_not_sent_again_once_a_byte_of_an_answer_has_come(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def one_byte(visit: Visit) -> None:
        if visit.turn == 0:
            await plain(visit)
        else:
            await visit.say(b"H")
            visit.reset()

    async with hostile_upstream(one_byte) as upstream:
        await (await sender.send(cleared(offer_at(upstream.url), ASK))).read(10)
        with pytest.raises(UpstreamUnreachable):
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert len(upstream.visits) == 2


async def test_a_request_is_not_sent_again_when_the_upstream_has_had_it_in_hand(
    sender: HttpSender, offer_at: OfferAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.providers.http11.exchange.AT_ONCE_SECONDS", 0.05)

    async def works_then_dies(visit: Visit) -> None:
        if visit.turn == 0:
            await plain(visit)
        else:
            await anyio.sleep(0.15)
            visit.close()

    async with hostile_upstream(works_then_dies) as upstream:
        await (await sender.send(cleared(offer_at(upstream.url), ASK))).read(10)
        with pytest.raises(UpstreamUnreachable):
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert len(upstream.visits) == 2


async def test_cancelling_while_waiting_for_the_head_closes_the_connection_at_once(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async with hostile_upstream(silent) as upstream:
        async with anyio.create_task_group() as group:
            group.start_soon(sender.send, cleared(offer_at(upstream.url), ASK))
            await until(lambda: bool(upstream.visits))
            group.cancel_scope.cancel()
        await until(lambda: upstream.open == 0)
        with anyio.move_on_after(0.1):
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert upstream.connections == 2


async def test_aborting_in_the_body_closes_the_connection_at_once(sender: HttpSender, offer_at: OfferAt) -> None:
    async def half(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await visit.client_left()

    async with hostile_upstream(half) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert await response.chunk() == b"hello"
        response.abort()
        response.abort()
        await until(lambda: upstream.open == 0)
        with pytest.raises(UpstreamUnreachable, match="given up"):
            await response.chunk()
        await sender.send(cleared(offer_at(upstream.url), ASK))
        assert upstream.connections == 2


async def test_aborting_what_was_read_to_its_end_leaves_the_connection_to_others(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async with hostile_upstream(plain) as upstream:
        first = await sender.send(cleared(offer_at(upstream.url), ASK))
        await first.read(10)
        second = await sender.send(cleared(offer_at(upstream.url), ASK))
        first.abort()
        assert await second.read(10) == b"hello"
        assert upstream.connections == 1


async def test_an_abort_wakes_whoever_waits_for_the_body(sender: HttpSender, offer_at: OfferAt) -> None:
    async def head_only(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        await visit.client_left()

    async with hostile_upstream(head_only) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        reading = asyncio.ensure_future(response.chunk())
        await anyio.sleep(0.01)
        response.abort()
        with pytest.raises(UpstreamUnreachable):
            await reading


async def test_an_answer_that_comes_before_the_request_is_sent_costs_the_connection(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def hasty(visit: Visit) -> None:
        await visit.say(answer(b"too large", status="413 Content Too Large"))
        await anyio.sleep(0.3)

    async with hostile_upstream(hasty, reads_bodies=False) as upstream:
        large = WireRequest("/x", b"x" * 50_000_000)
        response = await sender.send(cleared(offer_at(upstream.url), large))
        assert (response.status, await response.read(100)) == (413, b"too large")
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert response.status == 413
        assert upstream.connections == 2


async def test_what_is_buffered_while_nobody_reads_is_bounded(sender: HttpSender, offer_at: OfferAt) -> None:
    sent = 0

    async def flood(visit: Visit) -> None:
        nonlocal sent
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        visit.writer.transport.set_write_buffer_limits(high=0)
        while sent < 100_000_000:
            await visit.say(b"x" * 100_000)
            sent += 100_000
        visit.close()

    async with hostile_upstream(flood) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert isinstance(response, Exchange)
        await anyio.sleep(0.2)
        stuck = sent
        await anyio.sleep(0.2)
        assert sent == stuck < 30_000_000  # the rest is what the sockets hold
        assert response._buffered <= BUFFERED_BYTES + 256 * 1024
        got = 0
        while piece := await response.chunk():
            assert len(piece) <= BUFFERED_BYTES + 256 * 1024
            got += len(piece)
        assert got == 100_000_000


async def test_a_connection_is_free_as_soon_as_all_has_arrived_even_if_nobody_has_read_it(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def large(visit: Visit) -> None:
        await visit.say(answer(visit.body * 100_000))

    async with hostile_upstream(large) as upstream:
        first = await sender.send(cleared(offer_at(upstream.url), WireRequest("/x", b"1")))
        await anyio.sleep(0.1)
        second = await sender.send(cleared(offer_at(upstream.url), WireRequest("/x", b"2")))
        assert await first.read(100_000) == b"1" * 100_000
        assert await second.read(100_000) == b"2" * 100_000


async def test_small_packets_are_not_held_back(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(plain) as upstream:
        await (await sender.send(cleared(offer_at(upstream.url), ASK))).read(10)
        (pool,) = sender._pools.values()
        (connection,) = pool._open
        assert connection._transport is not None
        carrier: socket.socket = connection._transport.get_extra_info("socket")
        assert carrier.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_a_refused_connection_names_offer_and_address(sender: HttpSender, offer_at: OfferAt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(UpstreamUnreachable, match=rf"there cannot be reached at 127.0.0.1:{port}: .*refused"):
        await sender.send(cleared(offer_at(f"http://127.0.0.1:{port}"), ASK))


# ------------------------------------------------------------------------------------------------------- of one pool


def ask(pool: Pool, body: bytes, deadlines: Deadlines = Deadlines()) -> asyncio.Task[Exchange]:  # noqa: B008  # frozen
    loop = asyncio.get_running_loop()
    exchange = Exchange("there", deadlines, loop.time(), loop, Watch(loop))
    head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
    return asyncio.ensure_future(pool.exchange(exchange, head + body))


@asynccontextmanager
async def pooled(upstream: HostileUpstream, *, most: int = 4096, idle_seconds: float = 60) -> AsyncIterator[Pool]:
    pool = Pool(Origin.of(upstream.url), most=most, idle_seconds=idle_seconds)
    yield pool
    pool.close()
    await asyncio.sleep(0.01)
    assert pool.deserted


async def test_an_idle_connection_is_closed_when_its_time_is_up() -> None:
    async with hostile_upstream(plain) as upstream, pooled(upstream, idle_seconds=0.2) as pool:
        for _ in range(2):
            await (await ask(pool, b"")).read(10)
            await anyio.sleep(0.1)
        assert upstream.connections == pool.open == 1
        await until(lambda: upstream.open == 0)
        assert pool.deserted
        await (await ask(pool, b"")).read(10)
        assert upstream.connections == 2


async def test_whoever_waits_for_a_connection_is_served_in_the_order_of_asking() -> None:
    async with gated() as (upstream, gate), pooled(upstream, most=2) as pool:
        asked = []
        for number in range(8):
            asked.append(ask(pool, b"%d" % number))
            await anyio.sleep(0.005)
        assert len(upstream.visits) == pool.open == 2
        gate.set()
        for number, exchange in enumerate(asked):
            assert await (await exchange).read(10) == b"%d" % number
        assert [visit.body for visit in upstream.visits] == [b"%d" % number for number in range(8)]
        assert upstream.connections == 2


async def test_a_latecomer_does_not_overtake_who_waits() -> None:
    async with gated() as (upstream, gate), pooled(upstream, most=1) as pool:
        first, second = ask(pool, b"first"), ask(pool, b"second")
        await until(lambda: len(upstream.visits) == 1)
        gate.set()
        await (await first).read(10)
        third = ask(pool, b"third")
        await (await third).read(10)
        await (await second).read(10)
        assert [visit.body for visit in upstream.visits] == [b"first", b"second", b"third"]


async def test_waiting_for_a_connection_counts_as_connecting() -> None:
    async with gated() as (upstream, gate), pooled(upstream, most=1) as pool:
        first = ask(pool, b"first")
        await until(lambda: len(upstream.visits) == 1)
        with pytest.raises(UpstreamTimeout) as late:
            await ask(pool, b"second", Deadlines(connect=0.1))
        assert late.value.phase == "connect"
        gate.set()
        assert await (await first).read(10) == b"first"
        assert await (await ask(pool, b"third")).read(10) == b"third"


async def test_who_gives_up_waiting_in_the_moment_of_its_turn_hands_the_turn_on() -> None:
    class Timed(Pool):
        @override
        def give_back(self, connection: Connection) -> None:
            super().give_back(connection)
            second.cancel()

    async with gated() as (upstream, gate):
        pool = Timed(Origin.of(upstream.url), most=1)
        first, second, third = ask(pool, b"first"), ask(pool, b"second"), ask(pool, b"third")
        await until(lambda: len(upstream.visits) == 1)
        gate.set()
        await (await first).read(10)
        with pytest.raises(asyncio.CancelledError):
            await second
        with anyio.fail_after(2):
            assert await (await third).read(10) == b"third"
        pool.close()


async def test_a_place_is_free_again_after_a_connection_that_failed() -> None:
    async def first_breaks(visit: Visit) -> None:
        if visit.connection == 0:
            visit.reset()
        else:
            await plain(visit)

    async with hostile_upstream(first_breaks) as upstream, pooled(upstream, most=1) as pool:
        first, second = ask(pool, b""), ask(pool, b"")
        with pytest.raises(UpstreamUnreachable):
            await first
        with anyio.fail_after(2):
            assert await (await second).read(10) == b"hello"


async def test_closing_ends_what_is_under_way_and_turns_away_who_waits() -> None:
    async with hostile_upstream(silent) as upstream, pooled(upstream, most=1) as pool:
        first, second = ask(pool, b""), ask(pool, b"")
        await until(lambda: len(upstream.visits) == 1)
        pool.close()
        for asked in (first, second):
            with pytest.raises(UpstreamUnreachable), anyio.fail_after(2):
                await asked
        await until(lambda: upstream.open == 0)
        with pytest.raises(UpstreamUnreachable):
            await ask(pool, b"")


async def test_a_body_cut_off_by_closing_is_not_taken_for_whole() -> None:
    async def half(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await visit.client_left()

    async with hostile_upstream(half) as upstream, pooled(upstream) as pool:
        exchange = await ask(pool, b"")
        pool.close()
        with pytest.raises(UpstreamUnreachable):
            await exchange.read(100)


async def test_an_exchange_that_has_ended_is_held_by_nobody(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(plain) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert isinstance(response, Exchange)
        assert await response.read(10) == b"hello"
        assert response._connection is None
        assert response._parser is None
        assert sender._watch.in_flight == 0
        assert sender._watch._in_flight == set()
        assert not [found for found in gc.get_referrers(response) if isinstance(found, Connection | MethodType)]
