import asyncio
import base64
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from tests.fakes.gate import cleared
from tests.fakes.hostile_upstream import Visit, answer, hostile_upstream
from tests.unit.providers.http11.conftest import OfferAt

from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.http11.proxy import Proxy
from isthmus.providers.sender import HttpSender

pytestmark = pytest.mark.anyio

ASK = WireRequest("/x", b'{"secret": "prompt"}')


@dataclass
class Authority:
    ca: trustme.CA
    file: str

    def serves(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    ca = trustme.CA()
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, str(file))


async def plain(visit: Visit) -> None:
    await visit.say(answer(b"hello"))


# ---------------------------------------------------------------------------------------------------------------- TLS


async def test_an_authority_of_ones_own_is_trusted_when_named(
    sender: HttpSender, offer_at: OfferAt, authority: Authority
) -> None:
    async with hostile_upstream(plain, tls=authority.serves("127.0.0.1")) as upstream:
        for _ in range(2):
            response = await sender.send(cleared(offer_at(upstream.url, ca_file=authority.file), ASK))
            assert await response.read(10) == b"hello"
        assert upstream.connections == 1


async def test_an_authority_nobody_named_is_not_trusted_and_sees_no_request(
    sender: HttpSender, offer_at: OfferAt, authority: Authority
) -> None:
    async with hostile_upstream(plain, tls=authority.serves("127.0.0.1")) as upstream:
        with pytest.raises(UpstreamUnreachable, match="not to be trusted") as refused:
            await sender.send(cleared(offer_at(upstream.url), ASK))
        assert "ca_file" in (refused.value.hint or "")
        assert upstream.visits == []


async def test_a_certificate_for_another_host_is_not_trusted(
    sender: HttpSender, offer_at: OfferAt, authority: Authority
) -> None:
    async with hostile_upstream(plain, tls=authority.serves("elsewhere.test")) as upstream:
        with pytest.raises(UpstreamUnreachable, match="not to be trusted"):
            await sender.send(cleared(offer_at(upstream.url, ca_file=authority.file), ASK))
        assert upstream.visits == []


async def test_old_versions_of_tls_are_refused(sender: HttpSender, offer_at: OfferAt, authority: Authority) -> None:
    context = authority.serves("127.0.0.1")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with hostile_upstream(plain, tls=context) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await sender.send(cleared(offer_at(upstream.url, ca_file=authority.file), ASK))


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_a_file_of_authorities_that_is_none_is_a_fault_of_the_settings(
    sender: HttpSender, offer_at: OfferAt, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match="ca_file"):
        await sender.send(cleared(offer_at("https://127.0.0.1:1", ca_file=str(file)), ASK))


async def test_https_to_a_plain_port_is_an_unreachable_offer(sender: HttpSender, offer_at: OfferAt) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(rude, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamUnreachable):
            await sender.send(cleared(offer_at(f"https://127.0.0.1:{port}"), ASK))


# ------------------------------------------------------------------------------------------------------------- proxies


@dataclass
class Tunnels:
    """A proxy that makes tunnels, or says what it is told to say."""

    port: int = 0
    says: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
    heads: list[bytes] = field(default_factory=list)
    seen: bytes = b""
    """What passed through the tunnels towards the origin."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            writer.write(self.says)
            if self.says.endswith(b"established\r\n\r\n"):
                port = int(head.split(b" ")[1].rpartition(b":")[2])
                upstream, origin = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self._pump(reader, origin, note=True), self._pump(upstream, writer))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, note: bool = False) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                self.seen += data if note else b""
                target.write(data)
        target.close()


@asynccontextmanager
async def tunnels() -> AsyncIterator[Tunnels]:
    proxy = Tunnels()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


async def test_https_goes_through_a_tunnel_that_sees_neither_request_nor_answer(
    sender: HttpSender, offer_at: OfferAt, authority: Authority
) -> None:
    async with tunnels() as proxy, hostile_upstream(plain, tls=authority.serves("127.0.0.1")) as upstream:
        offer = offer_at(
            upstream.url, ca_file=authority.file, proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}", name="far"
        )
        for _ in range(2):
            assert await (await sender.send(cleared(offer, ASK))).read(10) == b"hello"
        await sender.aclose()
    (head,) = proxy.heads
    target = f"127.0.0.1:{upstream.port}"
    credentials = base64.b64encode(b"me:p@ss").decode()
    assert head.decode() == (
        f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Basic {credentials}\r\n\r\n"
    )
    assert len(proxy.seen) > 200
    assert b"prompt" not in proxy.seen
    assert "proxy-authorization" not in upstream.visits[0].headers


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nnope", "answered 407"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "answered 500"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"", "as a proxy does"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "as a proxy does"),
        (b"HTTP/1.1 200 OK\r\n\r\nsmuggled", "bytes of its own"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_an_unreachable_offer(
    sender: HttpSender, offer_at: OfferAt, authority: Authority, says: bytes, message: str
) -> None:
    async with tunnels() as proxy, hostile_upstream(plain, tls=authority.serves("127.0.0.1")) as upstream:
        proxy.says = says
        offer = offer_at(upstream.url, ca_file=authority.file, proxy=f"http://me:hush@127.0.0.1:{proxy.port}")
        with pytest.raises(UpstreamUnreachable, match=message) as refused:
            await sender.send(cleared(offer, ASK))
        assert refused.value.offer == "there"
        assert "hush" not in str(refused.value) + repr(refused.value.__cause__)
        assert upstream.visits == []


async def test_a_proxy_that_is_not_there_is_named_without_its_password(sender: HttpSender, offer_at: OfferAt) -> None:
    offer = offer_at("https://127.0.0.1:2", proxy="http://me:hush@127.0.0.1:1")
    with pytest.raises(UpstreamUnreachable, match=r"127.0.0.1:2 through the proxy 127.0.0.1:1: .*refused") as refused:
        await sender.send(cleared(offer, ASK))
    assert "hush" not in str(refused.value)


async def test_plain_http_is_asked_of_the_proxy_with_the_whole_address(sender: HttpSender, offer_at: OfferAt) -> None:
    async with hostile_upstream(plain) as proxy:
        offer = offer_at("http://models.test:8000/v1", proxy=f"http://me:hush@127.0.0.1:{proxy.port}")
        assert await (await sender.send(cleared(offer, ASK))).read(10) == b"hello"
    (visit,) = proxy.visits
    assert visit.line == "POST http://models.test:8000/v1/x HTTP/1.1"
    assert visit.headers["host"] == "models.test:8000"
    assert visit.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:hush").decode()


async def test_a_proxy_may_be_named_by_a_host_name(sender: HttpSender, offer_at: OfferAt, authority: Authority) -> None:
    async with tunnels() as proxy, hostile_upstream(plain, tls=authority.serves("127.0.0.1")) as upstream:
        offer = offer_at(upstream.url, ca_file=authority.file, proxy=f"http://localhost:{proxy.port}")
        assert await (await sender.send(cleared(offer, ASK))).read(10) == b"hello"
        await sender.aclose()


@pytest.mark.parametrize("url", ["socks5://h:1", "https://h:1", "h:1", "http://", "http://h:port", "http://[::1"])
def test_an_address_that_is_no_proxy_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Proxy.parse(url.replace("//", "//me:hush@"))
    assert "hush" not in refused.value.sentence


def test_a_proxy_without_credentials_is_sent_none() -> None:
    assert Proxy.parse("http://proxy:3128") == Proxy("proxy", 3128, None)
