"""What is read of an answer, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.gate import OPEN, cleared
from tests.fakes.hostile_upstream import Visit, answer, hostile_upstream
from tests.unit.providers.http11.conftest import OfferAt

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import UpstreamMalformed, UpstreamUnreachable
from isthmus.domain.offer import Offer
from isthmus.providers.http11.framing import HEAD_BYTES, HEADERS
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

ASK = WireRequest("/chat/completions", b'{"model": "m"}')
OK = b"HTTP/1.1 200 OK\r\n"


def saying(*answers: bytes) -> Callable[[Visit], Awaitable[None]]:
    """Answers in this order, the last over and over; closes a connection whose answer has no end of its own."""
    left = list(answers)

    async def script(visit: Visit) -> None:
        data = left.pop(0) if len(left) > 1 else left[0]
        await visit.say(data)
        head = data.lower().split(b"\r\n\r\n")[0]
        if b"content-length" not in head and b"transfer-encoding" not in head:
            visit.close()

    return script


async def asked(sender: HttpSender, offer: Offer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    response = await sender.send(cleared(offer, ASK))
    return response.status, list(response.headers), await response.read(1 << 20)


WELL_FORMED = {
    "a length": answer(b"hello"),
    "a length of nothing": answer(b""),
    "chunks": answer(b"hello", chunks=[2]),
    "chunks with extensions": OK + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    "chunks with trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n",
    "until the connection closes": OK + b"X: y\r\n\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "HTTP/1.0 with a length": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "identity": answer(b"hello", "Content-Encoding: identity"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no content, its length told": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "an error": answer(b"hello", status="503 Service Unavailable"),
    "informational answers first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + answer(b"hello"),
}


@pytest.mark.parametrize("said", WELL_FORMED.values(), ids=WELL_FORMED.keys())
async def test_an_answer_is_read_whole_wherever_its_bytes_are_cut(
    sender: HttpSender, offer_at: OfferAt, said: bytes
) -> None:
    places = list(range(len(said) - 1, 0, -1))

    async def cut(visit: Visit) -> None:
        await visit.say(said, at=[places.pop()], pause=0.001)
        visit.close()

    async with hostile_upstream(cut) as upstream:
        for place in range(1, len(said)):
            status, headers, body = await asked(sender, offer_at(upstream.url))
            assert body == (b"" if b" 204 " in said or b"Length: 0" in said else b"hello"), place
            assert status == int(said.split(b"\r\n\r\n")[-2 if b"100 Cont" in said else 0].split(b" ")[1])
            assert not {b"x-late", b"link"} & dict(headers).keys()


async def test_names_of_headers_are_in_lower_case_in_the_order_of_the_wire(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async with hostile_upstream(saying(answer(b"", "X-B: 1", "x-a: 2", "X-B: 3"))) as upstream:
        _, headers, _ = await asked(sender, offer_at(upstream.url))
    assert headers == [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"), (b"content-length", b"0")]


REFUSED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "one length twice": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "a length below nothing": OK + b"Content-Length: -5\r\n\r\nhello",
    "a length beyond all": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "length, then chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks, then length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "compressed": OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    "a space before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "a folded field": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "lines without return": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a return in a value": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a zero byte in a value": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
    "status 0, with a body": b"HTTP/1.1 000 OK\r\nContent-Length: 3\r\n\r\nabc" + answer(b"hello"),
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "too many fields": OK + b"A: b\r\n" * (HEADERS + 1) + b"Content-Length: 0\r\n\r\n",
    "a head without end": OK + b"X: " + b"a" * (HEAD_BYTES + 1),
    "a whole head that is too large": OK + b"X: " + b"a" * (HEAD_BYTES + 5000) + b"\r\nContent-Length: 0\r\n\r\n",
    "informational answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * (HEAD_BYTES // 20),
}


@pytest.mark.parametrize("said", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_not_one_plain_answer_is_refused_and_the_connection_closed(
    sender: HttpSender, offer_at: OfferAt, said: bytes
) -> None:
    left = anyio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(said)
        await visit.client_left()
        left.set()

    async with hostile_upstream(script) as upstream:
        with pytest.raises(UpstreamMalformed) as refused:
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert refused.value.offer == "there"
        with anyio.fail_after(2):
            await left.wait()


BROKEN_CHUNKS = {
    "no number": b"zz\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "a space": b"5 \r\nhello\r\n",
    "a line without return": b"5\nhello\n0\n\n",
    "longer than told": b"5\r\nhelloX0\r\n\r\n",
    "a size beyond all": b"fffffffffffffffffffff\r\nhello",
}


@pytest.mark.parametrize("chunks", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
async def test_a_broken_chunk_ends_the_answer_with_an_error(
    sender: HttpSender, offer_at: OfferAt, chunks: bytes
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        await anyio.sleep(0.01)
        await visit.say(chunks)
        await visit.client_left()

    async with hostile_upstream(script) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        with pytest.raises(UpstreamMalformed, match="not HTTP"):
            await response.read(1000)


@pytest.mark.parametrize("said", [OK + b"Content-Length: 9\r\n\r\nhello", answer(b"hello", chunks=[5])[:-1]])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_body_that_ends_before_its_end_is_never_taken_for_whole(
    sender: HttpSender, offer_at: OfferAt, said: bytes, reset: bool
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(said)
        await anyio.sleep(0.01)
        visit.reset() if reset else visit.close()

    async with hostile_upstream(script) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert await response.chunk() == b"hello"
        with pytest.raises(UpstreamUnreachable, match="in the middle of its answer"):
            await response.chunk()


async def test_a_body_until_the_connection_closes_is_not_whole_when_the_connection_is_reset(
    sender: HttpSender, offer_at: OfferAt
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK + b"\r\nhello")
        await anyio.sleep(0.01)
        visit.reset()

    async with hostile_upstream(script) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        with pytest.raises(UpstreamUnreachable):
            await response.read(1000)


@pytest.mark.parametrize("after", [b"garbage", answer(b"another"), answer(b"another")[:20], b"\0"])
@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
async def test_what_follows_an_answer_costs_the_connection_and_not_the_answer(
    sender: HttpSender, offer_at: OfferAt, after: bytes, ends: bytes
) -> None:
    said = OK + ends + b"Content-Length: 5\r\n\r\nhello"
    async with hostile_upstream(saying(said + after, answer(b"second"))) as upstream:
        offer = offer_at(upstream.url)
        assert (await asked(sender, offer))[2] == b"hello"
        assert (await asked(sender, offer))[2] == b"second"
        assert upstream.connections == 2


async def test_what_is_said_on_an_idle_connection_reaches_nobody(sender: HttpSender, offer_at: OfferAt) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(answer(b"hello"))
        if visit.connection == 0:
            await anyio.sleep(0.01)
            await visit.say(answer(b"out of turn"))

    async with hostile_upstream(script) as upstream:
        offer = offer_at(upstream.url)
        await asked(sender, offer)
        await anyio.sleep(0.05)
        assert (await asked(sender, offer))[2] == b"hello"
        assert upstream.connections == 2


async def test_a_body_larger_than_the_reader_wants_is_given_up(sender: HttpSender, offer_at: OfferAt) -> None:
    left = anyio.Event()

    async def endless(visit: Visit) -> None:
        await visit.say(OK + b"\r\n")
        try:
            while True:
                await visit.say(b"x" * 10_000)
        finally:
            left.set()

    async with hostile_upstream(endless) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        with pytest.raises(UpstreamMalformed, match="more than 50000 bytes"):
            await response.read(50_000)
        with anyio.fail_after(2):
            await left.wait()


async def test_a_body_of_just_the_size_the_reader_wants_is_read(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(saying(answer(b"x" * 300_000))) as upstream:
        response = await sender.send(cleared(offer_at(upstream.url), ASK))
        assert await response.read(300_000) == b"x" * 300_000
        assert await response.chunk() == b""


bodies = st.binary(max_size=400)


@given(
    data=st.data(),
    body=bodies,
    chunks=st.none() | st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=60)
def test_any_body_in_any_framing_cut_anywhere_arrives_as_it_was_sent(
    data: st.DataObject, body: bytes, chunks: list[int] | None
) -> None:
    said = answer(body, "X: y", chunks=chunks)
    cuts = data.draw(st.lists(st.integers(1, len(said) - 1), max_size=6, unique=True))

    async def script(visit: Visit) -> None:
        await visit.say(said, at=cuts)

    async def run() -> None:
        sender = HttpSender(OPEN)
        async with hostile_upstream(script) as upstream:
            offer = Offer(name="o", model="m", provider="p", dialect="d", base_url=upstream.url, side="own")
            for _ in range(2):
                response = await sender.send(cleared(offer, ASK))
                assert await response.read(1000) == body
            assert upstream.connections == 1
            await sender.aclose()

    asyncio.run(run())
