"""What holds for every value that `anthropic-messages` can carry, and for any bytes at all."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import msgspec
import pytest
from anthropic.types import Message as WireMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.unit.dialects.strategies import Carries, chunkings, completions, events, gist, merged, mutilated, requests

from isthmus.dialects import sse
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES as DIALECT
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import IsthmusError, StreamInterrupted
from isthmus.domain.message import Completion, CompletionRequest, Event, ToolChoice, Used
from isthmus.domain.usage import Usage

CARRIES = Carries(
    dialect="anthropic-messages",
    system_anywhere=True,
    system_parts=2,
    documents=("data", "url", "text", "file"),
    document_words=True,
    cache_on_media=True,
    cache_on_text=True,
    cache_on_images=True,
    cache_on_tools=True,
    cache_on_calls=True,
    cache_on_results=True,
    results_per_message=8,
    result_images=True,
    result_documents=True,
    result_error=True,
    tool_strict=True,
    formats=("json_schema",),
    top_k=True,
    parallel_tool_calls=True,
    effort=("low", "medium", "high", "xhigh", "max"),
    budget=True,
    show_reasoning=True,
    user=True,
    service_tier=True,
    max_output_required=True,
    finishes=("stop", "stop_sequence", "length", "tool_calls", "refusal", "pause"),
    cache_written=True,
    minted_by="anthropic-messages",
    texts_minted_by="gemini-generate",
)
ANSWERS = replace(
    CARRIES, reasoning=True, reasoning_signature=True, text_signature=True, call_signature=True, citations="blocks"
)
REQUEST = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)


def as_said(request: CompletionRequest) -> CompletionRequest:
    """The one of several equal requests that decoding gives."""
    choice, parallel, reasoning = request.tool_choice, request.parallel_tool_calls, request.reasoning
    if choice is None and parallel is not None:
        choice = ToolChoice(mode="auto")
    if choice is not None and choice.mode == "none":
        parallel = None
    if reasoning is not None and reasoning.effort is None and reasoning.budget is None:
        reasoning = replace(reasoning, budget=-1)
    return replace(request, tool_choice=choice, parallel_tool_calls=parallel, reasoning=reasoning)


@given(requests(CARRIES))
def test_a_request_survives_the_way_to_an_offer(request: CompletionRequest) -> None:
    assert DIALECT.decode_request(DIALECT.encode_request(request, model=request.model)) == as_said(request)


@settings(max_examples=30)
@given(requests(CARRIES))
def test_facts_agree_with_the_whole_request(request: CompletionRequest) -> None:
    facts = DIALECT.read_facts(DIALECT.encode_request(request, model=request.model))
    assert (facts.model, facts.stream, facts.max_output_tokens) == (
        request.model,
        request.stream,
        request.max_output_tokens,
    )
    assert ("tools" in facts.needs) == bool(request.tools)
    assert ("json_schema" in facts.needs) == (request.response_format is not None)


@given(completions(ANSWERS))
def test_a_completion_survives_the_way_to_a_client(completion: Completion) -> None:
    body = DIALECT.encode_completion(completion, REQUEST)
    expected = replace(completion, usage=completion.usage or Usage())
    assert DIALECT.decode_completion(body) == expected
    assert DIALECT.read_usage(body) == expected.usage


@given(completions(ANSWERS, with_extra=False))
def test_the_official_client_parses_every_completion(completion: Completion) -> None:
    WireMessage.model_validate_json(DIALECT.encode_completion(completion, REQUEST))


@given(st.data(), events(ANSWERS))
def test_a_stream_survives_the_way_to_a_client_cut_anywhere(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    decoder = DIALECT.stream_decoder()
    watch = DIALECT.usage_watch(DIALECT.read_facts(b'{"model":"m","messages":[1],"stream":true}'))
    decoded: list[Event] = []
    passed = b""
    for piece in data.draw(chunkings(wire)):
        decoded += decoder.feed(piece)
        passed += watch.feed(piece)
    decoded += decoder.close()
    passed += watch.close()
    assert merged(without_usage(decoded)) == merged(without_usage(stream))
    assert passed == wire
    assert watch.complete
    told = [event.usage for event in decoded if isinstance(event, Used)]
    expected = next((event.usage for event in stream if isinstance(event, Used)), Usage())
    assert told[-1] == watch.usage == expected


@given(events(ANSWERS))
def test_the_official_client_parses_every_event(stream: tuple[Event, ...]) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(RawMessageStreamEvent)
    for frame in sse.Frames().feed(encoded(stream)):
        adapter.validate_json(frame.data)
        assert msgspec.json.decode(frame.data)["type"].encode() == frame.event


@given(st.data(), events(ANSWERS))
def test_a_stream_cut_short_is_never_taken_for_whole(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    end = wire.rindex(b"event: message_stop")
    decoder = DIALECT.stream_decoder()
    decoder.feed(wire[: data.draw(st.integers(0, end))])
    with pytest.raises(StreamInterrupted):
        decoder.close()


@settings(max_examples=60)
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


ELSEWHERE = replace(
    CARRIES,
    system_anywhere=False,
    documents=("data",),
    document_words=False,
    result_error=False,
    result_images=False,
    result_documents=False,
)


@given(requests(ELSEWHERE, with_extra=False))
def test_a_request_sent_on_in_another_dialect_says_the_same_or_is_refused(request: CompletionRequest) -> None:
    arrived = DIALECT.decode_request(DIALECT.encode_request(request, model="m"))
    for other in (OPENAI_CHAT, GEMINI_GENERATE):
        try:
            body = other.encode_request(arrived, model="m")
        except IsthmusError:
            continue
        assert gist(other.decode_request(body)) == gist(arrived)


def encoded(stream: tuple[Event, ...]) -> bytes:
    encoder = DIALECT.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, stream)) + encoder.close()


def without_usage(stream: list[Event] | tuple[Event, ...]) -> list[Event]:
    """Without usage; blocks of text that follow each other are one."""
    return [event for event in stream if not isinstance(event, Used)]


def survive(body: bytes) -> None:
    for read in (DIALECT.read_facts, DIALECT.decode_request, DIALECT.decode_completion):
        with contextlib.suppress(IsthmusError):
            read(body)
    with contextlib.suppress(IsthmusError):
        DIALECT.read_usage(body)
    DIALECT.decode_fault(500, (), body)
