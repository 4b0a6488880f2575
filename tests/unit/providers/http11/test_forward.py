"""Pieces handed on in the moment they arrive."""

import asyncio
from collections.abc import Awaitable

import pytest
from tests.fakes.gate import cleared
from tests.fakes.hostile_upstream import Visit, answer, hostile_upstream
from tests.unit.providers.http11.conftest import OfferAt

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Offer
from isthmus.providers.http11.exchange import BUFFERED_BYTES, Exchange
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = HEAD + b"5\r\nhello\r\n"


async def asked(sender: HttpSender, offer: Offer) -> Exchange:
    response = await sender.send(cleared(offer, WireRequest("/x", b"{}")))
    assert isinstance(response, Exchange)
    return response


async def test_each_piece_is_handed_on_before_the_next_is_there(sender: HttpSender, offer_at: OfferAt) -> None:
    seen: list[bytes] = []
    handed_on = asyncio.Event()

    async def word_by_word(visit: Visit) -> None:
        await visit.say(HEAD)
        for count in range(1, 6):
            await visit.say(b"3\r\n%03d\r\n" % count)
            async with asyncio.timeout(2):
                await handed_on.wait()
            handed_on.clear()
        await visit.say(b"0\r\n\r\n")

    def take(piece: bytes) -> None:
        seen.append(piece)
        handed_on.set()

    async with hostile_upstream(word_by_word) as upstream:
        for _ in range(2):
            await (await asked(sender, offer_at(upstream.url))).forward(take)
        assert upstream.connections == 1
        assert upstream.failures == []
    assert seen == [b"001", b"002", b"003", b"004", b"005"] * 2


async def test_what_arrives_at_once_is_handed_on_as_one_piece(sender: HttpSender, offer_at: OfferAt) -> None:
    seen: list[bytes] = []

    async def all_at_once(visit: Visit) -> None:
        await visit.say(HEAD + b"1\r\na\r\n")
        await asyncio.sleep(0.02)
        await visit.say(b"1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")

    async with hostile_upstream(all_at_once) as upstream:
        await (await asked(sender, offer_at(upstream.url))).forward(seen.append)
    assert seen == [b"a", b"bc"]


async def test_an_upstream_waits_while_what_it_said_cannot_be_taken(sender: HttpSender, offer_at: OfferAt) -> None:
    size = 8_000_000
    taken = most = 0
    release = asyncio.Event()

    async def says_much(visit: Visit) -> None:
        await visit.say(answer(b"x" * size))

    async def wait() -> None:
        await release.wait()

    def take(piece: bytes) -> Awaitable[None] | None:
        nonlocal taken
        taken += len(piece)
        return None if release.is_set() else wait()

    async with hostile_upstream(says_much) as upstream:
        response = await asked(sender, offer_at(upstream.url))
        forwarding = asyncio.create_task(response.forward(take))
        for _ in range(20):
            await asyncio.sleep(0.005)
            most = max(most, response._buffered)
        assert taken < 1_000_000
        assert most <= BUFFERED_BYTES + 256 * 1024
        release.set()
        await forwarding
    assert taken == size


async def test_a_break_in_the_middle_is_told_after_all_that_came(sender: HttpSender, offer_at: OfferAt) -> None:
    seen: list[bytes] = []

    async def breaks(visit: Visit) -> None:
        await visit.say(ENDLESS)
        await asyncio.sleep(0.02)
        await visit.say(b"5\r\nworld\r\n")
        visit.close()

    async with hostile_upstream(breaks) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await (await asked(sender, offer_at(upstream.url))).forward(seen.append)
    assert seen == [b"hello", b"world"]


async def test_a_fault_of_the_taker_is_its_own(sender: HttpSender, offer_at: OfferAt) -> None:
    async def goes_on(visit: Visit) -> None:
        await visit.say(ENDLESS)
        await asyncio.sleep(0.02)
        await visit.say(b"5\r\nworld\r\n")
        await visit.client_left()

    def take(piece: bytes) -> None:
        if piece == b"world":
            raise ZeroDivisionError

    async with hostile_upstream(goes_on) as upstream:
        response = await asked(sender, offer_at(upstream.url))
        with pytest.raises(ZeroDivisionError):
            await response.forward(take)
        response.abort()


async def test_silence_between_two_pieces_is_bounded(sender: HttpSender, offer_at: OfferAt) -> None:
    async def falls_silent(visit: Visit) -> None:
        await visit.say(ENDLESS)
        for _ in range(6):  # longer in all than is allowed between two
            await asyncio.sleep(0.05)
            await visit.say(b"1\r\n.\r\n")
        await visit.client_left()

    seen: list[bytes] = []
    async with hostile_upstream(falls_silent) as upstream:
        response = await asked(sender, offer_at(upstream.url, between_bytes=0.2))
        with pytest.raises(UpstreamTimeout):
            await response.forward(seen.append)
    assert b"".join(seen) == b"hello......"


async def test_whoever_stops_waiting_ends_it(sender: HttpSender, offer_at: OfferAt) -> None:
    left = asyncio.Event()

    async def never_ends(visit: Visit) -> None:
        await visit.say(ENDLESS)
        if await visit.client_left():
            left.set()

    async with hostile_upstream(never_ends) as upstream:
        response = await asked(sender, offer_at(upstream.url))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.forward(lambda _: None)
        response.abort()
        async with asyncio.timeout(2):
            await left.wait()
