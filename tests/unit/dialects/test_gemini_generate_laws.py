"""What holds for every value that `gemini-generate` can carry, and for any bytes at all."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from google.genai.types import GenerateContentResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.dialects.strategies import Carries, chunkings, completions, events, gist, merged, mutilated, requests

from isthmus.dialects import sse
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gemini_generate import GEMINI_GENERATE as DIALECT
from isthmus.dialects.gemini_generate.address import read_path
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import IsthmusError, StreamInterrupted
from isthmus.domain.message import Completion, CompletionRequest, Event, Image, Part, Started, Used

CARRIES = Carries(
    dialect="gemini-generate",
    minted_by="gemini-generate",
    system_parts=2,
    image_detail=True,
    text_signature=True,
    call_signature=True,
    reasoning=True,
    reasoning_signature=True,
    results_per_message=8,
    result_error=True,
    formats=("text", "json_object", "json_schema"),
    top_k=True,
    seed=True,
    penalties=True,
    choices=True,
    logprobs=True,
    effort=("minimal", "low", "medium", "high", "xhigh"),
    show_reasoning=True,
    finishes=("stop", "length", "tool_calls", "content_filter", "pause", "other"),
)
ANSWERS = replace(CARRIES, logprobs=False)
REQUEST = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)


def as_said(request: CompletionRequest) -> CompletionRequest:
    """The one of several equal requests that decoding gives: `auto` is the only detail that is not said."""

    def part_as_said(part: Part) -> Part:
        return replace(part, detail=None) if isinstance(part, Image) and part.detail == "auto" else part

    messages = tuple(replace(one, parts=tuple(map(part_as_said, one.parts))) for one in request.messages)
    return replace(request, messages=messages)


def arrived(body: bytes, request: CompletionRequest) -> CompletionRequest:
    """A request as the edge has it, which reads model and streaming off the path."""
    path = DIALECT.request_path(request.model, stream=request.stream)
    found = read_path(path)
    assert found is not None
    assert not found.array
    return replace(DIALECT.decode_request(body), model=found.model, stream=found.stream, stream_usage=found.stream)


@given(requests(CARRIES) | requests(replace(CARRIES, effort=(), budget=True)))
def test_a_request_survives_the_way_to_an_offer(request: CompletionRequest) -> None:
    assert arrived(DIALECT.encode_request(request, model=request.model), request) == as_said(request)


@settings(max_examples=30)
@given(requests(CARRIES))
def test_facts_agree_with_the_whole_request(request: CompletionRequest) -> None:
    facts = DIALECT.read_facts(DIALECT.encode_request(request, model=request.model))
    wanted = request.response_format
    assert facts.max_output_tokens == request.max_output_tokens
    assert ("tools" in facts.needs) == bool(request.tools)
    assert ("json_schema" in facts.needs) == (wanted is not None and wanted.kind == "json_schema")
    assert ("json_object" in facts.needs) == (wanted is not None and wanted.kind == "json_object")


@given(completions(ANSWERS))
def test_a_completion_survives_the_way_to_a_client(completion: Completion) -> None:
    body = DIALECT.encode_completion(completion, REQUEST)
    assert DIALECT.decode_completion(body) == completion
    assert DIALECT.read_usage(body) == completion.usage


@given(completions(ANSWERS, with_extra=False))
def test_the_official_client_parses_every_completion(completion: Completion) -> None:
    GenerateContentResponse.model_validate_json(DIALECT.encode_completion(completion, REQUEST))


@given(st.data(), events(ANSWERS))
def test_a_stream_survives_the_way_to_a_client_cut_anywhere(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    decoder = DIALECT.stream_decoder()
    watch = DIALECT.usage_watch(DIALECT.read_facts(b'{"contents":[1]}'))
    decoded: list[Event] = []
    passed = b""
    for piece in data.draw(chunkings(wire)):
        decoded += decoder.feed(piece)
        passed += watch.feed(piece)
    decoded += decoder.close()
    passed += watch.close()
    assert by_choice(decoded) == by_choice(stream)
    assert passed == wire
    assert watch.complete
    expected = next((event.usage for event in stream if isinstance(event, Used)), None)
    assert next((event.usage for event in reversed(decoded) if isinstance(event, Used)), None) == expected
    assert watch.usage == expected


@given(events(ANSWERS))
def test_the_official_client_parses_every_event(stream: tuple[Event, ...]) -> None:
    for frame in sse.Frames().feed(encoded(stream)):
        GenerateContentResponse.model_validate_json(frame.data)


@given(st.data(), events(ANSWERS))
def test_a_stream_cut_short_is_never_taken_for_whole(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    end = wire.index(b'"finishReason"')
    cut = wire[: data.draw(st.integers(0, end))]
    decoder = DIALECT.stream_decoder()
    decoder.feed(cut)
    with pytest.raises(StreamInterrupted):
        decoder.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), requests(CARRIES), completions(ANSWERS))
def test_mutilated_bytes_raise_nothing_but_our_own_errors(
    data: st.DataObject, request: CompletionRequest, completion: Completion
) -> None:
    whole = data.draw(
        st.sampled_from([DIALECT.encode_request(request, model="m"), DIALECT.encode_completion(completion, REQUEST)])
    )
    survive(data.draw(mutilated(whole)))


@given(st.data(), events(ANSWERS))
def test_mutilated_events_raise_nothing_but_our_own_errors(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    frames = sse.Frames().feed(encoded(stream))
    at = data.draw(st.integers(0, len(frames) - 1))
    body = data.draw(mutilated(frames[at].data)).replace(b"\n", b" ")
    decoder = DIALECT.stream_decoder()
    with contextlib.suppress(IsthmusError):
        for number, frame in enumerate(frames):
            decoder.feed(sse.frame(body if number == at else frame.data, frame.event))
        decoder.close()


@given(
    requests(
        replace(CARRIES, text_signature=False, call_signature=False, reasoning=False, result_error=False),
        with_extra=False,
    )
)
def test_a_request_sent_on_in_another_dialect_says_the_same_or_is_refused(request: CompletionRequest) -> None:
    there = arrived(DIALECT.encode_request(request, model="m"), request)
    for other in (OPENAI_CHAT, ANTHROPIC_MESSAGES):
        try:
            body = other.encode_request(there, model="m")
        except IsthmusError:
            continue
        assert gist(other.decode_request(body)) == gist(there)


def encoded(stream: tuple[Event, ...]) -> bytes:
    encoder = DIALECT.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, stream)) + encoder.close()


def by_choice(stream: list[Event] | tuple[Event, ...]) -> list[list[Event]]:
    """What each choice said: how the choices are interleaved is not the same on both ways."""
    return [
        merged(event for event in stream if not isinstance(event, Used | Started) and event.choice == choice)
        for choice in range(2)
    ]


def survive(body: bytes) -> None:
    for read in (DIALECT.read_facts, DIALECT.decode_request, DIALECT.decode_completion):
        with contextlib.suppress(IsthmusError):
            read(body)
    with contextlib.suppress(IsthmusError):
        DIALECT.read_usage(body)
    DIALECT.decode_fault(500, (), body)
