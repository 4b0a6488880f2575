"""Cutting byte streams into events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dialects.strategies import chunkings

from isthmus.dialects import sse
from isthmus.dialects.sse import Frame, Frames
from isthmus.domain.errors import UpstreamMalformed

lines = st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line)
names = st.sampled_from([b"", b"message_start", b"ping"])


def frames_of(*pieces: bytes) -> list[Frame]:
    frames = Frames()
    return [*(frame for piece in pieces for frame in frames.feed(piece)), *frames.close()]


@given(st.data(), st.lists(st.tuples(names, lines), max_size=5), st.sampled_from([b"\n", b"\r\n"]))
def test_what_is_written_is_read_however_it_is_cut(
    data: st.DataObject, events: list[tuple[bytes, bytes]], end: bytes
) -> None:
    wire = b"".join(sse.frame(content, name) for name, content in events).replace(b"\n", end)
    assert frames_of(*data.draw(chunkings(wire))) == [Frame(name, content) for name, content in events]


@pytest.mark.parametrize(
    ("wire", "frames"),
    [
        (b"data: a\ndata: b\n\n", [Frame(b"", b"a\nb")]),
        (b"data:a\n\n", [Frame(b"", b"a")]),
        (b"data:  a\n\n", [Frame(b"", b" a")]),
        (b": keep-alive\n\ndata: a\n\n", [Frame(b"", b"a")]),
        (b": comment\ndata: a\nid: 3\nretry: 5\n\n", [Frame(b"", b"a")]),
        (b"event: ping\n\n", []),
        (b"\n\n\ndata: a\n\n\n\n", [Frame(b"", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Frame(b"", b"a")]),
        (b"data: a\n\r\ndata: b\r\n\n", [Frame(b"", b"a"), Frame(b"", b"b")]),
        (b"data\n\n", [Frame(b"", b"")]),
    ],
)
def test_events_are_read_as_the_standard_says(wire: bytes, frames: list[Frame]) -> None:
    assert frames_of(wire) == frames
    assert frames_of(*(wire[at : at + 1] for at in range(len(wire)))) == frames


def test_a_last_event_without_its_empty_line_is_an_event() -> None:
    assert frames_of(b"data: a\n\ndata: [DONE]") == [Frame(b"", b"a"), Frame(b"", b"[DONE]")]


def test_an_event_is_given_out_as_soon_as_it_is_whole() -> None:
    frames = Frames()
    assert frames.feed(b"data: a\n\ndata: b\n") == [Frame(b"", b"a")]
    assert frames.feed(b"\n") == [Frame(b"", b"b")]


def test_an_event_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1000)
    frames = Frames()
    for _ in range(10):
        assert frames.feed(b"x" * 100) == []
    with pytest.raises(UpstreamMalformed):
        frames.feed(b"x")
