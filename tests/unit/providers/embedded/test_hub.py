import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.embedded.hub import Source, download

CONTENT = bytes(range(256)) * 4096 * 3
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Hub:
    """A server of one file, on loopback, whose manners a test can spoil."""

    content: bytes = CONTENT
    tag: str | None = '"v1"'
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """Break the connection after that many bytes of the body, once for each."""
    statuses: list[int] = field(default_factory=list)
    """Answer with these first."""
    redirect: str | None = None
    seen: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/owner/name/resolve/main/file.gguf"

    @property
    def source(self) -> Source:
        return Source(self.url, "http://hub.test/owner/name", "hf_token")


@pytest.fixture
def hub() -> Iterator[Hub]:
    yield from serving()


@pytest.fixture
def elsewhere() -> Iterator[Hub]:
    yield from serving()


def serving() -> Iterator[Hub]:
    hub = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        @override
        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.seen.append(headers)
            self.close_connection = True
            if hub.statuses:
                self.send_response(hub.statuses.pop(0))
                self.send_header("content-length", "0")
                self.end_headers()
                return
            if hub.redirect:
                self.send_response(302)
                self.send_header("location", hub.redirect)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
            start = int(asked[1]) if asked and hub.ranges else 0
            if headers.get("if-range", hub.tag) != hub.tag:
                start = 0
            if start >= len(hub.content):
                self.send_response(416)
                self.send_header("content-range", f"bytes */{len(hub.content)}")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if hub.tag:
                self.send_header("etag", hub.tag)
            body = hub.content[start:]
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if hub.cut_after:
                self.wfile.write(body[: hub.cut_after.pop(0)])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.wfile.write(body)

    class Server(http.server.ThreadingHTTPServer):
        @override
        def handle_error(self, request: object, client_address: object) -> None:
            """Connections are broken on purpose here."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Told:
    def __init__(self) -> None:
        self.progress: list[tuple[int, int | None]] = []
        self.slept: list[float] = []

    def fetch(self, hub: Hub, part: Path, *, checked: bool = True) -> str:
        return download(
            hub.source,
            part,
            lambda done, total: self.progress.append((done, total)),
            checked=checked,
            sleep=self.slept.append,
        )


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_file_arrives_whole_and_its_progress_is_told(hub: Hub, told: Told, tmp_path: Path) -> None:
    part = tmp_path / "f.gguf.part"
    assert told.fetch(hub, part) == SHA256
    assert part.read_bytes() == CONTENT
    done = [step[0] for step in told.progress]
    assert done == sorted(done)
    assert told.progress[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["f.gguf.part"]


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.cut_after = [1_000_000, 1_100_000]
    part = tmp_path / "f.gguf.part"
    assert told.fetch(hub, part) == SHA256
    assert part.read_bytes() == CONTENT
    starts = [int(request["range"][6:-1]) for request in hub.seen[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_a_later_process_goes_on_where_the_first_was_killed(hub: Hub, told: Told, tmp_path: Path) -> None:
    part = tmp_path / "f.gguf.part"
    part.write_bytes(CONTENT[:700_000])
    assert told.fetch(hub, part) == SHA256
    assert hub.seen[0]["range"] == "bytes=700000-"


def test_without_a_hash_a_rest_is_continued_only_if_the_file_is_the_same(hub: Hub, told: Told, tmp_path: Path) -> None:
    part = tmp_path / "f.gguf.part"
    part.write_bytes(CONTENT[:700_000])
    part.with_suffix(".tag").write_text('"v1"')
    assert told.fetch(hub, part, checked=False) == SHA256
    assert hub.seen[0]["range"] == "bytes=700000-"

    part.write_bytes(b"of another version")
    part.with_suffix(".tag").write_text('"v0"')
    assert told.fetch(hub, part, checked=False) == SHA256

    part.write_bytes(b"of who knows what")
    assert told.fetch(hub, part, checked=False) == SHA256
    assert "range" not in hub.seen[-1]


def test_a_file_that_changes_on_the_way_is_fetched_from_its_beginning(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.cut_after = [1_000_000]

    def change(_seconds: float) -> None:
        hub.content, hub.tag = CONTENT[::-1], '"v2"'

    part = tmp_path / "f.gguf.part"
    digest = download(hub.source, part, lambda _done, _total: None, checked=False, sleep=change)
    assert digest == hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert part.read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_is_read_from_the_beginning(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.ranges, hub.cut_after = False, [1_000_000]
    assert told.fetch(hub, tmp_path / "f.gguf.part") == SHA256


def test_a_part_that_is_already_whole_is_not_fetched_again(hub: Hub, told: Told, tmp_path: Path) -> None:
    part = tmp_path / "f.gguf.part"
    part.write_bytes(CONTENT)
    assert told.fetch(hub, part) == SHA256
    assert told.progress == []


def test_a_part_longer_than_the_file_is_thrown_away(hub: Hub, told: Told, tmp_path: Path) -> None:
    part = tmp_path / "f.gguf.part"
    part.write_bytes(CONTENT + b"more")
    assert told.fetch(hub, part) == SHA256


def test_an_overloaded_server_is_asked_again_with_growing_pauses(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.statuses = [503, 429, 500]
    assert told.fetch(hub, tmp_path / "f.gguf.part") == SHA256
    assert told.slept == [0.5, 1.0, 2.0]


def test_a_host_that_stays_away_is_told_as_unreachable(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.statuses = [503] * 20
    with pytest.raises(UpstreamUnreachable, match="503"):
        told.fetch(hub, tmp_path / "f.gguf.part")
    assert len(hub.seen) == 6


def test_nobody_listening_is_told_as_unreachable(told: Told, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(UpstreamUnreachable, match="refused"):
            told.fetch(Hub(port=reserved.getsockname()[1]), tmp_path / "f.gguf.part")


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_is_told_with_the_way_to_it(hub: Hub, told: Told, tmp_path: Path, status: int) -> None:
    hub.statuses = [status]
    with pytest.raises(ConfigError) as caught:
        told.fetch(hub, tmp_path / "f.gguf.part")
    assert caught.value.hint is not None
    assert "http://hub.test/owner/name" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint


def test_a_missing_file_is_told_at_once(hub: Hub, told: Told, tmp_path: Path) -> None:
    hub.statuses = [404]
    with pytest.raises(ConfigError, match="404"):
        told.fetch(hub, tmp_path / "f.gguf.part")
    assert len(hub.seen) == 1


def test_the_token_stays_with_the_host_it_is_for(hub: Hub, elsewhere: Hub, told: Told, tmp_path: Path) -> None:
    hub.redirect = elsewhere.url
    assert told.fetch(hub, tmp_path / "f.gguf.part") == SHA256
    assert hub.seen[0]["authorization"] == "Bearer hf_token"
    assert "authorization" not in elsewhere.seen[0]


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(
    hub: Hub, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.providers.embedded.hub._free_bytes", lambda _folder: 1000)
    part = tmp_path / "f.gguf.part"
    with pytest.raises(ConfigError, match="1,000 bytes left"):
        told.fetch(hub, part)
    assert not part.exists()
