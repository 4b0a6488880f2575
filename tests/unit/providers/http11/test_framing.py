import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.errors import ConfigError, UpstreamMalformed
from isthmus.providers.http11.framing import OURS, body_is_delimited, encoded, request_head


class _Read:
    """What a server reads of a request."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.requests = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.requests += 1


names = st.text(st.characters(max_codepoint=0x17F), min_size=1, max_size=20)
values = st.text(st.characters(max_codepoint=0x17F), max_size=40)


@given(target=st.text(st.characters(max_codepoint=0x17F), max_size=30), fields=st.lists(st.tuples(names, values)))
def test_whatever_the_settings_say_a_server_reads_one_request_with_just_these_fields(
    target: str, fields: list[tuple[str, str]]
) -> None:
    try:
        known = [encoded(name, value) for name, value in fields]
        head = request_head("/" + target, known)
    except ConfigError:
        return
    read = _Read()
    httptools.HttpRequestParser(read).feed_data(head + b"\r\n")
    assert read.requests == 1
    assert read.target == b"/" + target.encode("ascii")
    assert read.headers == [(name, value.strip(b" \t")) for name, value in known]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x\r\ny", "1"),
        ("x", "1\r\ny: 2"),
        ("x", "1\ny: 2"),
        ("x", "\0"),
        ("x y", "1"),
        ("", "1"),
        ("x:", "1"),
        ("x", "→"),
    ],
)
def test_a_field_that_would_break_out_of_its_line_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="not one that HTTP knows"):
        request_head("/", [encoded(name, value)])


@pytest.mark.parametrize("name", [*sorted(field.decode() for field in OURS), "Content-Length", "HOST"])
def test_framing_is_not_the_settings_to_set(name: str) -> None:
    with pytest.raises(ConfigError, match="set by isthmus itself"):
        encoded(name, "1")


@pytest.mark.parametrize("target", ["/a b", "/a\r\nhost: evil", "/ü", "/\x7f", ""])
def test_an_address_that_would_break_out_of_its_line_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        request_head(target, [])


def test_a_body_ends_where_length_or_chunks_say_or_with_the_connection() -> None:
    assert body_is_delimited(200, "1.1", [(b"content-length", b"5")])
    assert body_is_delimited(200, "1.1", [(b"transfer-encoding", b"Chunked ")])
    assert body_is_delimited(204, "1.1", [])
    assert not body_is_delimited(200, "1.1", [(b"content-type", b"text/event-stream")])


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [(b"transfer-encoding", b"gzip, chunked")]),
        ("1.1", [(b"transfer-encoding", b"identity")]),
        ("1.1", [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")]),
        ("1.0", [(b"transfer-encoding", b"chunked")]),
        ("1.1", [(b"content-encoding", b"gzip")]),
    ],
)
def test_an_answer_in_a_coding_nobody_asked_for_is_refused(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(UpstreamMalformed):
        body_is_delimited(200, version, headers)
