"""What looks for leaks sees through every disguise that a way in gives a text."""

import base64
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.domain.message import CompletionRequest
from isthmus.proof.marks import MARK, mark, prose
from isthmus.proof.samples import Sample, samples
from isthmus.proof.search import folded, says
from isthmus.proof.ways import WAYS, Way

VALUE = "DE89 3704 0044 0532 0130 00"


def body(way: Way, said: Sample, dialect: str) -> bytes:
    asked = way.build(mark(1), way.dressed(said))
    request = CompletionRequest(model="m", messages=asked.messages, tools=asked.tools, max_output_tokens=16)
    decoded = msgspec.json.decode(dialect_of(dialect).encode_request(request, model="m"))
    if asked.amend is not None:
        asked.amend(decoded)
    return b"POST /x HTTP/1.1\r\nhost: y\r\n\r\n" + msgspec.json.encode(decoded)


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_it_sees_every_sample_by_every_way_in(way: Way, dialect: str) -> None:
    missed = [kind for kind, said in samples().items() if not says(body(way, said, dialect), said.value)]
    assert missed == []


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_it_sees_none_where_there_is_none(way: Way, dialect: str) -> None:
    harmless = Sample(prose(3), prose(3))
    seen = [kind for kind, said in samples().items() if says(body(way, harmless, dialect), said.value)]
    assert seen == []


def test_it_sees_through_several_disguises_at_once() -> None:
    inner = base64.b64encode(msgspec.json.encode({"note": VALUE})).decode()
    outer = msgspec.json.encode({"arguments": msgspec.json.encode({"url": quote(f"x={inner}", safe="")}).decode()})
    assert says(outer, VALUE)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.binary())
def test_it_reads_whatever_bytes_there_are(received: bytes) -> None:
    assert not says(received, "herongefunden")


def test_marks_are_known_again_and_differ() -> None:
    marks = [mark(number) for number in range(5000)]
    assert len(set(marks)) == len(marks)
    assert all(MARK.fullmatch(one) for one in marks)
    assert MARK.findall(prose(7)) == [mark(7)]
    assert prose(7) == prose(7) != prose(8)
