"""What holds for every value that `openai-responses` can carry, and for any bytes at all."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.unit.dialects.strategies import Carries, chunkings, completions, events, gist, merged, mutilated, requests

from isthmus.dialects import sse
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.dialects.openai_responses import OPENAI_RESPONSES as DIALECT
from isthmus.domain.errors import IsthmusError, StreamInterrupted
from isthmus.domain.message import (
    Completion,
    CompletionRequest,
    Event,
    Extra,
    Image,
    Message,
    Part,
    ReasoningOptions,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage

NAME = "openai-responses"
CARRIES = Carries(
    dialect=NAME,
    minted_by=NAME,
    developer=True,
    system_anywhere=True,
    system_parts=2,
    image_detail=True,
    sounds=True,
    documents=("data", "url", "file"),
    refusal=True,
    result_images=True,
    result_documents=True,
    arguments_as_text=True,
    tool_strict=True,
    formats=("text", "json_object", "json_schema"),
    format_names=True,
    stop=0,
    logprobs=True,
    parallel_tool_calls=True,
    effort=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    show_reasoning=True,
    user=True,
    metadata=True,
    service_tier=True,
    finishes=("stop", "length", "content_filter", "tool_calls"),
    created=True,
    cache_written=True,
    audio_usage=True,
)
ANSWERS = replace(CARRIES, reasoning=True, reasoning_encrypted=True, citations="ranges")
REQUEST = CompletionRequest(model="m", messages=(Message(role="user", parts=(Text(text="Hello"),)),), stream=True)


def fewer(examples: int) -> settings:
    """For laws about whole requests, which take long to make up: on a busy machine longer than hypothesis likes."""
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])


EVENT: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)


def as_said(request: CompletionRequest) -> CompletionRequest:
    """The one of several equal requests that decoding gives."""
    reasoning = request.reasoning
    if reasoning is not None:
        reasoning = replace(reasoning, show=reasoning.show or None)
    return replace(
        request,
        messages=tuple(replace(message, parts=tuple(map(part_as_said, message.parts))) for message in request.messages),
        tools=tuple(replace(tool, strict=bool(tool.strict)) for tool in request.tools),
        reasoning=None if reasoning == ReasoningOptions() else reasoning,
        logprobs=request.logprobs or None,
    )


def as_meant(arrived: CompletionRequest) -> CompletionRequest:
    """Without what isthmus asks of every offer."""
    assert arrived.extra is not None
    kept = {name: value for name, value in arrived.extra.fields.items() if name not in ("store", "encrypted_reasoning")}
    return replace(arrived, extra=Extra(NAME, kept) if kept else None)


def part_as_said(part: Part) -> Part:
    match part:
        case Image(detail=None):
            return replace(part, detail="auto")
        case ToolResult():
            return replace(part, parts=tuple(part_as_said(inner) for inner in part.parts))  # type: ignore[misc]
        case _:
            return part


def answer_as_said(completion: Completion) -> Completion:
    return replace(
        completion,
        id=f"resp_{completion.id}",
        usage=completion.usage or Usage(),
        choices=tuple(
            replace(
                choice,
                parts=tuple(map(part_as_said, choice.parts)),
                logprobs=with_bytes(choice.logprobs) if any(isinstance(part, Text) for part in choice.parts) else None,
            )
            for choice in completion.choices
        ),
    )


def with_bytes(tokens: tuple[TokenLogprob, ...] | None) -> tuple[TokenLogprob, ...] | None:
    """Every token with its bytes, which the API always tells."""
    return (
        None
        if not tokens
        else tuple(
            replace(
                token,
                bytes=tuple(token.token.encode()) if token.bytes is None else token.bytes,
                top=with_bytes(token.top) or (),
            )
            for token in tokens
        )
    )


def event_as_said(event: Event) -> Event:
    match event:
        case TextDelta():
            return replace(event, logprobs=with_bytes(event.logprobs))
        case Started():
            return replace(event, id=f"resp_{event.id}")
        case _:
            return event


@fewer(80)
@given(requests(CARRIES))
def test_a_request_survives_the_way_to_an_offer(request: CompletionRequest) -> None:
    arrived = DIALECT.decode_request(DIALECT.encode_request(request, model=request.model))
    assert as_meant(arrived) == as_said(request)


@fewer(30)
@given(requests(CARRIES))
def test_an_offer_is_never_asked_to_keep_anything(request: CompletionRequest) -> None:
    body = DIALECT.encode_request(request, model="m")
    assert msgspec.json.decode(body)["store"] is False
    facts = DIALECT.read_facts(body)
    assert DIALECT.retarget(body, facts, model="m") == body


@fewer(30)
@given(requests(CARRIES))
def test_facts_agree_with_the_whole_request(request: CompletionRequest) -> None:
    facts = DIALECT.read_facts(DIALECT.encode_request(request, model=request.model))
    assert (facts.model, facts.stream, facts.max_output_tokens) == (
        request.model,
        request.stream,
        request.max_output_tokens,
    )
    parts = [part for message in request.messages for part in message.parts]
    parts += [inner for part in parts if isinstance(part, ToolResult) for inner in part.parts]
    kinds = {type(part).__name__ for part in parts}
    wanted = None if request.response_format is None else request.response_format.kind
    effort = None if request.reasoning is None else request.reasoning.effort
    assert facts.needs == {
        *(["tools"] if request.tools else []),
        *(["vision"] if "Image" in kinds else []),
        *(["audio"] if "Audio" in kinds else []),
        *(["documents"] if "Document" in kinds else []),
        *([wanted] if wanted not in (None, "text") else []),
        *(["logprobs"] if request.logprobs else []),
        *(["reasoning"] if effort not in (None, "none") else []),
    }


@given(completions(ANSWERS))
def test_a_completion_survives_the_way_to_a_client(completion: Completion) -> None:
    body = DIALECT.encode_completion(completion, REQUEST)
    expected = answer_as_said(completion)
    assert DIALECT.decode_completion(body) == expected
    assert DIALECT.read_usage(body) == expected.usage


@fewer(40)
@given(completions(ANSWERS, with_extra=False), requests(CARRIES, with_extra=False))
def test_the_official_client_parses_every_completion(completion: Completion, request: CompletionRequest) -> None:
    Response.model_validate_json(DIALECT.encode_completion(completion, request), strict=True)


@given(st.data(), events(ANSWERS))
def test_a_stream_survives_the_way_to_a_client_cut_anywhere(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    decoder = DIALECT.stream_decoder()
    watch = DIALECT.usage_watch(DIALECT.read_facts(b'{"model":"m","input":"a","stream":true}'))
    decoded: list[Event] = []
    passed = b""
    for piece in data.draw(chunkings(wire)):
        decoded += decoder.feed(piece)
        passed += watch.feed(piece)
    decoded += decoder.close()
    passed += watch.close()
    assert merged(without_usage(decoded)) == merged(event_as_said(event) for event in without_usage(stream))
    assert passed == wire
    assert watch.complete
    told = [event.usage for event in decoded if isinstance(event, Used)]
    expected = next((event.usage for event in stream if isinstance(event, Used)), Usage())
    assert told[-1] == watch.usage == expected


@given(events(ANSWERS))
def test_the_official_client_parses_every_event(stream: tuple[Event, ...]) -> None:
    frames = sse.Frames().feed(encoded(stream))
    for number, frame in enumerate(frames):
        EVENT.validate_json(frame.data)
        told = msgspec.json.decode(frame.data)
        assert told["type"].encode() == frame.event
        assert told["sequence_number"] == number


@given(events(ANSWERS))
def test_the_last_event_holds_the_items_that_the_others_told(stream: tuple[Event, ...]) -> None:
    told = [msgspec.json.decode(frame.data) for frame in sse.Frames().feed(encoded(stream))]
    ended = {event["output_index"]: event["item"] for event in told if event["type"] == "response.output_item.done"}
    last = [{**item, "status": ""} for item in told[-1]["response"]["output"]]
    assert [{**ended[index], "status": ""} for index in sorted(ended)] == last


@given(st.data(), events(ANSWERS))
def test_a_stream_cut_short_is_never_taken_for_whole(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    wire = encoded(stream)
    end = max(wire.rfind(b"event: response.completed"), wire.rfind(b"event: response.incomplete"))
    decoder = DIALECT.stream_decoder()
    decoder.feed(wire[: data.draw(st.integers(0, end))])
    with pytest.raises(StreamInterrupted):
        decoder.close()


@fewer(40)
@given(st.data(), requests(CARRIES))
def test_mutilated_requests_raise_nothing_but_our_own_errors(data: st.DataObject, request: CompletionRequest) -> None:
    survive(data.draw(mutilated(DIALECT.encode_request(request, model="m"))))


@fewer(40)
@given(st.data(), completions(ANSWERS))
def test_mutilated_answers_raise_nothing_but_our_own_errors(data: st.DataObject, completion: Completion) -> None:
    survive(data.draw(mutilated(DIALECT.encode_completion(completion, REQUEST))))


@given(st.data(), events(ANSWERS))
def test_mutilated_events_raise_nothing_but_our_own_errors(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    frames = sse.Frames().feed(encoded(stream))
    at = data.draw(st.integers(0, len(frames) - 1))
    body = data.draw(mutilated(frames[at].data)).replace(b"\n", b" ")
    wire = [sse.frame(body if number == at else frame.data, frame.event) for number, frame in enumerate(frames)]
    decoder = DIALECT.stream_decoder()
    watch = DIALECT.usage_watch(DIALECT.read_facts(b'{"model":"m","input":"a","stream":true}'))
    with contextlib.suppress(IsthmusError):
        for frame in wire:
            decoder.feed(frame)
        decoder.close()
    with contextlib.suppress(IsthmusError):
        for frame in wire:
            watch.feed(frame)
        watch.close()


ELSEWHERE = replace(
    CARRIES,
    developer=False,
    system_anywhere=False,
    system_parts=1,
    sounds=False,
    documents=(),
    result_documents=False,
    result_images=False,
    arguments_as_text=False,
    refusal=False,
)


@fewer(60)
@given(requests(ELSEWHERE, with_extra=False))
def test_a_request_sent_on_in_another_dialect_says_the_same_or_is_refused(request: CompletionRequest) -> None:
    arrived = DIALECT.decode_request(DIALECT.encode_request(request, model="m"))
    for other in (OPENAI_CHAT, ANTHROPIC_MESSAGES, GEMINI_GENERATE):
        try:
            body = other.encode_request(arrived, model="m")
        except IsthmusError:
            continue
        assert gist(other.decode_request(body)) == gist(arrived)


def encoded(stream: tuple[Event, ...]) -> bytes:
    encoder = DIALECT.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, stream)) + encoder.close()


def without_usage(stream: list[Event] | tuple[Event, ...]) -> list[Event]:
    return [event for event in stream if not isinstance(event, Used)]


def survive(body: bytes) -> None:
    for read in (DIALECT.read_facts, DIALECT.decode_request, DIALECT.decode_completion, DIALECT.read_usage):
        with contextlib.suppress(IsthmusError):
            read(body)
    with contextlib.suppress(IsthmusError):
        DIALECT.retarget(body, DIALECT.read_facts(body), model="other")
    DIALECT.decode_fault(500, (), body)
