"""Fetching feeds, from a real TLS server on loopback that plays their hosts."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from typing_extensions import override

from isthmus.catalog.feeds.extract import DEPRECATIONS, GENAI_PRICES, MODELS_DEV
from isthmus.connectors import feeds
from isthmus.connectors.feeds import HOSTS, Address, FetchFailed, Fetching, fetch

DAY = date(2026, 11, 21)

Answer = Callable[[BaseHTTPRequestHandler], None]


class Stage:
    """The server: it answers as it is told, and remembers what it was asked."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.answer: Answer = told(b"[]")
        self.asked: list[tuple[str, str]] = []

    def locate(self, host: str, port: int) -> Address:
        assert (host, port) in {(name, 443) for name in HOSTS}
        return Address(*self.address)


def told(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def stage(authority: trustme.CA) -> Iterator[Stage]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            played.asked.append((self.headers["host"], self.path))
            played.answer(self)

        @override
        def log_message(self, format: str, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        @override
        def handle_error(self, request: object, client_address: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS, "localhost").configure_cert(context)
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    played = Stage(("127.0.0.1", server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield played
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetching(stage: Stage, authority: trustme.CA, tmp_path: Path) -> Fetching:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Fetching(ca_file=str(ca_file), locate=stage.locate, seconds=5)


@pytest.mark.parametrize("feed", [GENAI_PRICES, MODELS_DEV, DEPRECATIONS])
def test_a_feed_comes_from_its_own_host_with_its_hash_and_day(stage: Stage, fetching: Fetching, feed: str) -> None:
    copy = fetch(feed, fetching, DAY)
    assert copy.text == b"[]"
    ((host, path),) = stage.asked
    assert f"https://{host}{path}" == feeds.URLS[feed] == copy.source.url
    assert copy.source.observed_on == DAY
    assert copy.source.content_sha256 == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_a_redirect_within_the_list_is_followed(stage: Stage, fetching: Fetching) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        moved = told(b"", 302, location="https://models.dev/elsewhere.json")
        (moved if request.path == "/api.json" else told(b"{}"))(request)

    stage.answer = answer
    copy = fetch(MODELS_DEV, fetching, DAY)
    assert copy.source.url == "https://models.dev/elsewhere.json"


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example.test/data.json",
        "http://models.dev/api.json",
        "//evil.example.test/x",
        "file:///etc/passwd",
        "https://models.dev.evil.example.test/",
        "https://user@models.dev/",
        "https://127.0.0.1/",
    ],
)
def test_a_redirect_off_the_list_is_refused(stage: Stage, fetching: Fetching, to: str) -> None:
    stage.answer = told(b"", 302, location=to)
    with pytest.raises(FetchFailed, match="not on the list of hosts, or not https"):
        fetch(MODELS_DEV, fetching, DAY)
    assert len(stage.asked) == 1


def test_redirects_in_a_circle_end(stage: Stage, fetching: Fetching) -> None:
    stage.answer = told(b"", 301, location="/api.json")
    with pytest.raises(FetchFailed, match="redirects more than 3 times"):
        fetch(MODELS_DEV, fetching, DAY)


def test_more_than_the_cap_is_refused_when_it_is_said(
    stage: Stage, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BYTES_MAX", dict.fromkeys(feeds.BYTES_MAX, 1000))
    stage.answer = told(b" " * 1001)
    with pytest.raises(FetchFailed, match="has 1,001 bytes, more than the 1,000"):
        fetch(MODELS_DEV, fetching, DAY)
    stage.answer = told(b" " * 1000)
    assert len(fetch(MODELS_DEV, fetching, DAY).text) == 1000


def test_more_than_the_cap_is_refused_when_it_is_not_said(
    stage: Stage, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BYTES_MAX", dict.fromkeys(feeds.BYTES_MAX, 100_000))

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65_536)

    stage.answer = endless
    with pytest.raises(FetchFailed, match="more than the 100,000 bytes"):
        fetch(MODELS_DEV, fetching, DAY)


def test_an_answer_that_drips_ends_at_the_deadline(stage: Stage, fetching: Fetching) -> None:
    stopped = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stopped.wait(0.05):
            request.wfile.write(b" ")

    stage.answer = drip
    impatient = Fetching(ca_file=fetching.ca_file, locate=fetching.locate, seconds=0.6)
    start = time.monotonic()
    with pytest.raises(FetchFailed, match="took too long"):
        fetch(MODELS_DEV, impatient, DAY)
    stopped.set()
    assert time.monotonic() - start < 3


def test_an_answer_that_is_cut_off_is_refused(stage: Stage, fetching: Fetching) -> None:
    stage.answer = told(b"[", 200, content_length="100")
    with pytest.raises(FetchFailed, match="ended after 1 of 100 bytes"):
        fetch(MODELS_DEV, fetching, DAY)


@pytest.mark.parametrize("status", [204, 304, 403, 404, 500])
def test_another_status_than_200_is_refused(stage: Stage, fetching: Fetching, status: int) -> None:
    stage.answer = told(b"", status)
    with pytest.raises(FetchFailed, match=f"answers {status}"):
        fetch(MODELS_DEV, fetching, DAY)


def test_a_certificate_of_nobody_we_trust_is_refused(stage: Stage) -> None:
    with pytest.raises(FetchFailed, match="certificate is not trusted"):
        fetch(MODELS_DEV, Fetching(locate=stage.locate), DAY)
    assert stage.asked == []


def test_a_host_that_is_not_there_is_told(stage: Stage, fetching: Fetching) -> None:
    nowhere = Fetching(ca_file=fetching.ca_file, locate=lambda _host, _port: Address("127.0.0.1", 1))
    with pytest.raises(FetchFailed, match="cannot be fetched"):
        fetch(MODELS_DEV, nowhere, DAY)


def test_a_mirror_takes_the_place_of_the_hosts(stage: Stage, fetching: Fetching) -> None:
    mirror = f"https://localhost:{stage.address[1]}/feeds/"
    copy = fetch(GENAI_PRICES, Fetching(ca_file=fetching.ca_file, mirror=mirror), DAY)
    ((_, path),) = stage.asked
    assert path == "/feeds/raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"
    assert copy.source.url == f"{mirror}{path.removeprefix('/feeds/')}"


def test_a_mirror_may_not_lead_to_the_hosts_nor_be_without_tls(stage: Stage, fetching: Fetching) -> None:
    stage.answer = told(b"", 302, location="https://models.dev/api.json")
    mirror = f"https://localhost:{stage.address[1]}"
    with pytest.raises(FetchFailed, match="not on the list"):
        fetch(MODELS_DEV, Fetching(ca_file=fetching.ca_file, mirror=mirror), DAY)
    with pytest.raises(FetchFailed, match="not https"):
        fetch(MODELS_DEV, Fetching(mirror="http://localhost:1"), DAY)


def test_a_file_of_authorities_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="no file of certificate authorities"):
        fetch(MODELS_DEV, Fetching(ca_file=str(tmp_path / "nothing.pem")), DAY)
