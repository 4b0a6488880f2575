"""The proxy lets nobody through but whom the border lets, whoever asks and however."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers import pages
from tests.servers.pages import Page, Sites

from isthmus.connectors.browser import proxy as proxying
from isthmus.connectors.browser.border import CLOSED, Border, around
from isthmus.connectors.browser.proxy import Proxy
from isthmus.connectors.web.addresses import address
from isthmus.connectors.web.reach import Reach

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sites() -> Iterator[Sites]:
    with pages.running() as sites:
        yield sites


@contextlib.asynccontextmanager
async def _proxy(sites: Sites, border: Border) -> AsyncIterator[Proxy]:
    proxy = Proxy(Reach(allow=frozenset({"shop.test", "news.test"}), look_up=sites.look_up))
    await proxy.start()
    proxy.begin(border)
    try:
        yield proxy
    finally:
        await proxy.aclose()


async def _say(proxy: Proxy, first: str, *headers: str, known: bool = True, then: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    lines = [first, *headers]
    if known:
        password = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {password}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + then)
    try:
        async with asyncio.timeout(3):
            return await reader.read()
    except TimeoutError:
        return b"open"
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def _open(*urls: str) -> Border:
    return around(map(address, urls), knowing=frozenset(), companions={})


async def test_who_does_not_know_the_password_gets_nothing(sites: Sites) -> None:
    url = sites.put("shop.test", "/", "hello")
    async with _proxy(sites, _open(url)) as proxy:
        assert b" 407 " in await _say(proxy, f"GET {url} HTTP/1.1", known=False)
        assert b"hello" in await _say(proxy, f"GET {url} HTTP/1.1", f"Host: shop.test:{sites.port}")
    assert len(sites.asked) == 1


async def test_a_tunnel_leads_where_the_border_lets(sites: Sites) -> None:
    url = sites.put("shop.test", "/", "hello")
    request = f"GET / HTTP/1.1\r\nHost: shop.test:{sites.port}\r\nConnection: close\r\n\r\n".encode()
    async with _proxy(sites, _open(url)) as proxy:
        answer = await _say(proxy, f"CONNECT shop.test:{sites.port} HTTP/1.1", then=request)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"hello" in answer
        for elsewhere in (f"news.test:{sites.port}", "shop.test:25", "127.0.0.1:22", "[::1]:80", "x", "shop.test:0"):
            assert b" 403 " in await _say(proxy, f"CONNECT {elsewhere} HTTP/1.1"), elsewhere
    assert sites.hosts() == {"shop.test"}


async def test_nobody_but_a_page_has_business_anywhere(sites: Sites) -> None:
    """Chromium itself asks its vendor now and then; no request of the page tells of that."""
    url = sites.put("shop.test", "/", "hello")
    sites.put("news.test", "/", "news")
    async with _proxy(sites, _open(url)) as proxy:
        assert b" 403 " in await _say(proxy, f"GET {sites.at('news.test')} HTTP/1.1")
        proxy.expect("news.test")
        assert b"news" in await _say(proxy, f"GET {sites.at('news.test')} HTTP/1.1", f"Host: news.test:{sites.port}")
        assert proxy.seen.met == {"news.test"}
        assert proxy.seen.refused == {}
        proxy.hold(CLOSED)
        assert b" 403 " in await _say(proxy, f"GET {sites.at('news.test')} HTTP/1.1")
        assert proxy.seen.refused == {"news.test": 1}


async def test_a_connection_serves_one_request(sites: Sites) -> None:
    url = sites.put("shop.test", "/", "hello")
    sites.put("news.test", "/", "news")
    second = f"GET {sites.at('news.test')} HTTP/1.1\r\nHost: news.test:{sites.port}\r\n\r\n".encode()
    async with _proxy(sites, _open(url)) as proxy:
        answer = await _say(proxy, f"GET {url} HTTP/1.1", f"Host: shop.test:{sites.port}", then=second)
        assert b"Connection: close" in answer
        assert b"news" not in answer
    assert len(sites.asked) == 1


async def test_what_is_no_longer_let_through_is_cut(sites: Sites) -> None:
    url = sites.put("news.test", "/", Page(endless=b"x" * 100, pause=0.02))
    async with _proxy(sites, _open(url)) as proxy:
        asking = asyncio.create_task(_say(proxy, f"GET {url} HTTP/1.1", f"Host: news.test:{sites.port}"))
        await asyncio.sleep(0.3)
        assert not asking.done()
        proxy.hold(_open(sites.at("shop.test")))
        assert proxy.border.lets("shop.test", sites.port)
        proxy.hold(CLOSED)
        assert await asking != b"open"


async def test_an_answer_without_end_ends(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "MOST_BYTES", 1_000_000)
    url = sites.put("shop.test", "/", Page(endless=b"x" * 100_000))
    async with _proxy(sites, _open(url)) as proxy:
        answer = await _say(proxy, f"GET {url} HTTP/1.1", f"Host: shop.test:{sites.port}")
        assert 900_000 < len(answer) < 1_200_000
        assert b" 403 " in await _say(proxy, f"GET {url} HTTP/1.1")


@pytest.mark.parametrize(
    "first", ["GET", "GET / HTTP/1.1", "CONNECT  HTTP/1.1", "GET file:///etc/passwd HTTP/1.1", "\x00"]
)
async def test_what_is_no_request_gets_nothing(sites: Sites, first: str) -> None:
    async with _proxy(sites, _open(sites.at("shop.test"))) as proxy:
        assert b" 200 " not in await _say(proxy, first)
    assert sites.asked == []


_hosts = st.sampled_from(["a.test", "b.test", "c.test", "d.test"])
_places = st.tuples(_hosts, st.sampled_from([80, 443, 8080]))


@given(_hosts, st.sets(_hosts), _places)
def test_a_page_that_knows_something_reaches_its_own_host_alone(
    host: str, more: set[str], place: tuple[str, int]
) -> None:
    page = address(f"https://{host}/")
    border = around([page], knowing=frozenset({host, *more}), companions={})
    assert border.lets(*place) == (place == (host, 443))


@given(_hosts, st.sets(_hosts), st.sets(_hosts), _places)
def test_the_more_is_known_the_fewer_are_reached(
    host: str, some: set[str], more: set[str], place: tuple[str, int]
) -> None:
    page = address(f"https://{host}/")
    fewer = around([page], knowing=frozenset(some | more), companions={})
    if fewer.lets(*place):
        assert around([page], knowing=frozenset(some), companions={}).lets(*place)


@given(_places)
def test_where_no_page_is_open_nobody_is_reached(place: tuple[str, int]) -> None:
    assert not CLOSED.lets(*place)
