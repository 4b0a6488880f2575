"""What upstreams break, on its way through the road's translation: a good end, or an error of the provider's."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.dialects.meaning import sent
from tests.unit.dialects.strategies import chunkings, events, mutilated
from tests.unit.dialects.test_pairs import answers

from isthmus.dialects.dialect import Dialect
from isthmus.dialects.gather import gather
from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.dialects.sse import EVENT_LIMIT
from isthmus.domain.errors import ProviderError, UpstreamMalformed
from isthmus.domain.message import (
    Completion,
    CompletionRequest,
    Event,
    Finished,
    FinishReason,
    Message,
    Reasoning,
    Refusal,
    Started,
    Text,
    TextDelta,
    Used,
)
from isthmus.domain.offer import Offer
from isthmus.domain.usage import Usage
from isthmus.routing.translation import Translation, TranslationPlan

REQUEST = CompletionRequest(
    model="m",
    messages=(Message(role="user", parts=(Text(text="hi"),)),),
    max_output_tokens=50,
    stream=True,
    stream_usage=True,
)
PAIRS = pytest.mark.parametrize(
    ("client", "offer"),
    [pytest.param(one, other, id=f"{one}->{other}") for one, other in itertools.product(NAMES, NAMES)],
)
OFFERS = pytest.mark.parametrize("offer", NAMES)
QUICK = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def translation(client: str, offer: str) -> Translation:
    """One try, as the road makes it."""
    dialect = dialect_of(client)
    body = sent(dialect, REQUEST)
    facts = replace(dialect.read_facts(body), model="m", stream=True, stream_usage=True)
    served = Offer(name="o", model="m", provider="p", dialect=offer, base_url="http://127.0.0.1", side="closed")
    return TranslationPlan(dialect, body, facts).to(served)


def answered(translation: Translation, pieces: Iterable[bytes]) -> bytes | None:
    """What the client was sent, where the stream ended well; None: the provider is to blame."""
    try:
        return b"".join(map(translation.piece, pieces)) + translation.end()
    except ProviderError:
        return None


def wire(dialect: Dialect, stream: Iterable[Event]) -> bytes:
    encoder = dialect.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, stream)) + encoder.close()


def read(dialect: Dialect, stream: bytes) -> Completion:
    decoder = dialect.stream_decoder()
    return gather([*decoder.feed(stream), *decoder.close()])


def words(completion: Completion) -> list[list[str]]:
    """The letters of each answer that says anything: dialects differ in the order of texts and refusals."""
    said = [
        sorted("".join(part.text for part in choice.parts if isinstance(part, Text | Refusal | Reasoning)))
        for choice in completion.choices
    ]
    return [letters for letters in said if letters]


@st.composite
def spoiled(draw: st.DrawFn, whole: bytes) -> bytes:
    """A stream whose events are cut, lost, doubled, in another order, or spoiled."""
    frames = [frame + b"\n\n" for frame in whole.split(b"\n\n") if frame]
    kinds = ["cut", "lost", "doubled", "swapped", "garbage", "spoiled", "bytes", "all twice"]
    for _ in range(draw(st.integers(1, 2))):
        if not frames:
            break
        at, other = (draw(st.integers(0, len(frames) - 1)) for _ in range(2))
        match draw(st.sampled_from(kinds)):
            case "cut":
                frames[at:] = [frames[at][: draw(st.integers(0, max(0, len(frames[at]) - 1)))]]
            case "lost":
                del frames[at]
            case "doubled":
                frames.insert(other, frames[at])
            case "swapped":
                frames[at], frames[other] = frames[other], frames[at]
            case "garbage":
                frames.insert(at, draw(st.sampled_from(GARBAGE)) + b"\n\n")
            case "spoiled":
                frames[at] = draw(spoiled_event(frames[at]))
            case "all twice":
                frames *= 2
            case _:
                frames[at] += draw(st.binary(min_size=1, max_size=20))
    return b"".join(frames)


GARBAGE = [
    b"data: {}",
    b"data: []",
    b"data: null",
    b'data: {"error": {"message": "no", "code": 500}}',
    b"data: [DONE]",
    b"event: ping\ndata: {}",
    b": comment",
    b"data: {",
    b'data: {"type": "x"}',
    b'data: {"choices": 3, "candidates": "x"}',
    b"data: " + b"[" * 2_000,
    b"\xff\xfe",
    b"<html>504</html>",
]


@st.composite
def spoiled_event(draw: st.DrawFn, frame: bytes) -> bytes:
    """An event with one of its values swapped for another."""
    head, mark, data = frame.rpartition(b"data: ")
    content = data.strip()
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return frame
    return head + mark + draw(mutilated(content)).replace(b"\n", b" ") + b"\n\n"


@PAIRS
@QUICK
@given(data=st.data())
def test_a_spoiled_stream_ends_well_or_is_the_providers_fault(client: str, offer: str, data: st.DataObject) -> None:
    whole = wire(dialect_of(offer), data.draw(events(answers(client, offer))))
    told = data.draw(spoiled(whole))
    trying = translation(client, offer)
    out = answered(trying, data.draw(chunkings(told)))
    assert trying.usage is None or trying.usage.input >= 0
    if out is not None and client != offer and told.startswith(whole.split(b"\n\n")[0]):
        # What ended well is an answer to the client, and says all that the provider said.
        assert words(read(dialect_of(client), out)) == words(read(dialect_of(offer), told))


@OFFERS
def test_an_end_without_a_beginning_is_no_answer(offer: str) -> None:
    whole = wire(dialect_of(offer), [*SAID, Finished(reason="stop"), USED])
    frames = [frame + b"\n\n" for frame in whole.split(b"\n\n") if frame]
    for client in NAMES:
        for at in range(1, len(frames)):
            out = answered(translation(client, offer), frames[at:])
            assert out is None or client == offer or read(dialect_of(client), out).id


@PAIRS
@QUICK
@given(data=st.data())
def test_a_stream_cut_short_never_ends_well(client: str, offer: str, data: st.DataObject) -> None:
    dialect = dialect_of(offer)
    whole = wire(dialect, [Started(id="c1", model="m"), TextDelta(text="one"), Finished(reason="stop"), USED])
    end = min(at for at in (whole.find(mark) for mark in ENDS[offer]) if at >= 0)
    cut = whole[: data.draw(st.integers(0, end))]
    assert answered(translation(client, offer), data.draw(chunkings(cut))) is None


ENDS = {
    "openai-chat": [b'"finish_reason":"stop"'],
    "openai-responses": [b"response.completed", b"response.output_text.done", b"response.content_part.done"],
    "anthropic-messages": [b"event: content_block_stop", b"event: message_delta", b"event: message_stop"],
    "gemini-generate": [b"finishReason"],
}
"""Where the end of a stream begins at the earliest."""


@PAIRS
@pytest.mark.parametrize("reasons", [("length", "stop"), ("content_filter", "stop")])
def test_a_second_reason_to_finish_never_makes_an_answer_good(
    client: str, offer: str, reasons: tuple[FinishReason, FinishReason]
) -> None:
    if client == offer:
        pytest.skip("what passes through is the client's to read")
    dialect = dialect_of(offer)
    streams = [wire(dialect, [*SAID, Finished(reason=reason), USED]) for reason in reasons]
    first, second = (stream.split(b"\n\n") for stream in streams)
    last = next(at for at, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
    out = answered(translation(client, offer), [b"\n\n".join([*first[: last + 1], *second[last:]])])
    if out is not None:
        finish = read(dialect_of(client), out).choices[0].finish
        assert finish not in ("stop", "stop_sequence", "tool_calls")


SAID: list[Event] = [Started(id="c1", model="m"), TextDelta(text="one")]
USED = Used(usage=Usage(input=3, output=4))
LIES: list[Any] = [-1, None, "12", 1e30, 1.5, [], {}, True, 2**80]


@PAIRS
@pytest.mark.parametrize("lie", LIES, ids=repr)
def test_a_lie_about_usage_costs_no_answer(client: str, offer: str, lie: Any) -> None:
    whole = wire(dialect_of(offer), [*SAID, Finished(reason="stop"), USED])
    frames = [lying(frame, lie) for frame in whole.split(b"\n\n") if frame]
    trying = translation(client, offer)
    out = answered(trying, [b"\n\n".join(frames) + b"\n\n"])
    if out is not None:
        assert words(read(dialect_of(client), out)) == [sorted("one")]
    assert trying.usage is None or min(trying.usage.input, trying.usage.output) >= 0


def lying(frame: bytes, lie: Any) -> bytes:
    """The event with every count of tokens a lie."""
    head, mark, data = frame.rpartition(b"data: ")
    if not data.startswith(b"{"):
        return frame

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: lie if isinstance(inner, int) and "oken" in name else spoil(inner)
                for name, inner in value.items()
            }
        return [spoil(one) for one in value] if isinstance(value, list) else value

    try:
        return head + mark + msgspec.json.encode(spoil(msgspec.json.decode(data)))
    except OverflowError:  # a number that no encoder writes: by hand
        return frame


@OFFERS
def test_an_event_without_end_is_given_up(offer: str) -> None:
    trying = translation(next(name for name in NAMES if name != offer), offer)
    assert trying.piece(b"data: " + b"x" * (EVENT_LIMIT - 100)) == b""
    with pytest.raises(UpstreamMalformed):
        trying.piece(b"x" * 100)


@OFFERS
@settings(max_examples=40)
@given(data=st.data())
def test_bytes_that_are_no_stream_are_the_providers_fault(offer: str, data: st.DataObject) -> None:
    junk = data.draw(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
    for client in NAMES:
        assert answered(translation(client, offer), [junk]) is None


@PAIRS
@QUICK
@given(data=st.data())
def test_a_spoiled_whole_answer_is_read_or_is_the_providers_fault(client: str, offer: str, data: st.DataObject) -> None:
    dialect = dialect_of(offer)
    whole = dialect.encode_completion(gather([*SAID, Finished(reason="stop"), USED]), REQUEST)
    body = data.draw(mutilated(whole))
    plain = replace(REQUEST, stream=False, stream_usage=False)
    one = dialect_of(client)
    asked = sent(one, plain)
    served = Offer(name="o", model="m", provider="p", dialect=offer, base_url="http://127.0.0.1", side="closed")
    trying = TranslationPlan(one, asked, replace(one.read_facts(asked), model="m", stream=False)).to(served)
    with contextlib.suppress(ProviderError):
        out = trying.whole(body)
        if client != offer:
            assert words(one.decode_completion(out)) == words(dialect.decode_completion(body))
