"""What holds for every value the dialect can carry, and for any bytes at all."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.unit.dialects.strategies import Carries, chunkings, completions, events, merged, mutilated, requests

from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest, Event, Used
from isthmus.domain.request import RequestFacts

CARRIES = Carries(
    dialect="openai-chat",
    developer=True,
    system_anywhere=True,
    system_parts=2,
    message_names=True,
    image_detail=True,
    cache_on_text=True,
    cache_on_images=True,
    cache_on_tools=True,
    cache_on_calls=True,
    cache_on_results=True,
    text_signature=True,
    call_signature=True,
    reasoning=True,
    reasoning_signature=True,
    reasoning_encrypted=True,
    minted_by="openai-chat",
    texts_minted_by="gemini-generate",
    citations="ranges",
    sounds=True,
    documents=("data", "url", "file"),
    cache_on_media=True,
    audio_usage=True,
    refusal=True,
    arguments_as_text=True,
    tool_strict=True,
    formats=("text", "json_object", "json_schema"),
    format_names=True,
    top_k=True,
    seed=True,
    penalties=True,
    logit_bias=True,
    choices=True,
    logprobs=True,
    parallel_tool_calls=True,
    effort=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    user=True,
    metadata=True,
    service_tier=True,
    stream_usage=True,
    created=True,
    cache_written=True,
)

REQUEST = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)


@given(requests(CARRIES))
def test_a_request_survives_the_way_to_an_offer(request: CompletionRequest) -> None:
    request = replace(request, model="claude or gemini")  # servers of other models take less
    body = OPENAI_CHAT.encode_request(request, model=request.model)
    decoded = OPENAI_CHAT.decode_request(body)
    # Offers are always asked for usage in streams.
    assert _without_name_of_limit(decoded) == replace(request, stream_usage=request.stream)


def _without_name_of_limit(request: CompletionRequest) -> CompletionRequest:
    """With reasoning, the limit is said under its newer name, and which name it was is kept."""
    if request.extra is None or "max_completion_tokens" not in request.extra.fields:
        return request
    fields = {name: value for name, value in request.extra.fields.items() if name != "max_completion_tokens"}
    return replace(request, extra=replace(request.extra, fields=fields) if fields else None)


@given(completions(CARRIES))
def test_a_completion_survives_the_way_to_a_client(completion: Completion) -> None:
    body = OPENAI_CHAT.encode_completion(completion, REQUEST)
    assert OPENAI_CHAT.decode_completion(body) == completion
    assert OPENAI_CHAT.read_usage(body) == completion.usage


@given(completions(CARRIES, with_extra=False))
def test_the_official_client_parses_every_completion(completion: Completion) -> None:
    parsed = ChatCompletion.model_validate_json(OPENAI_CHAT.encode_completion(completion, REQUEST))
    assert len(parsed.choices) == len(completion.choices)


@given(st.data(), events(CARRIES))
def test_a_stream_survives_the_way_to_a_client_cut_anywhere(data: st.DataObject, stream: tuple[Event, ...]) -> None:
    encoder = OPENAI_CHAT.stream_encoder(REQUEST)
    wire = b"".join(map(encoder.encode, stream)) + encoder.close()
    decoder = OPENAI_CHAT.stream_decoder()
    decoded: list[Event] = []
    for piece in data.draw(chunkings(wire)):
        decoded += decoder.feed(piece)
    decoded += decoder.close()
    assert merged(decoded) == merged(stream)


@given(events(CARRIES))
def test_the_official_client_parses_every_chunk(stream: tuple[Event, ...]) -> None:
    encoder = OPENAI_CHAT.stream_encoder(REQUEST)
    wire = b"".join(map(encoder.encode, stream)) + encoder.close()
    *chunks, end = [event.removeprefix(b"data: ") for event in wire.split(b"\n\n")[:-1]]
    assert end == b"[DONE]"
    parsed = [ChatCompletionChunk.model_validate_json(chunk) for chunk in chunks]
    assert (parsed[-1].usage is not None) == isinstance(stream[-1], Used)
    assert parsed[0].choices[0].delta.role == "assistant"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_bytes_nested_without_end_raise_nothing_but_our_own_errors(opening: bytes) -> None:
    deep = b'{"model":"m","choices":[{"message":{"content":"a"}}],"messages":[{"role":"user","content":"a"}],"x":'
    _read_every_way(deep + opening * 100_000)
    closing = b"]" if opening == b"[" else b"}"
    for depth in (10, 500, 900, 980):
        _read_every_way(deep + opening * depth + b"1" + closing * depth + b"}")


@settings(max_examples=80)
@given(st.data(), requests(CARRIES), completions(CARRIES))
def test_mutilated_bytes_raise_nothing_but_our_own_errors(
    data: st.DataObject, request: CompletionRequest, completion: Completion
) -> None:
    whole = data.draw(
        st.sampled_from(
            [
                OPENAI_CHAT.encode_request(request, model="m"),
                OPENAI_CHAT.encode_completion(completion, REQUEST),
            ]
        )
    )
    _read_every_way(data.draw(mutilated(whole)))


def _read_every_way(body: bytes) -> None:
    with contextlib.suppress(IsthmusError):
        OPENAI_CHAT.retarget(body, OPENAI_CHAT.read_facts(body), model="other")
    with contextlib.suppress(IsthmusError):
        OPENAI_CHAT.encode_request(OPENAI_CHAT.decode_request(body), model="other")
    with contextlib.suppress(IsthmusError):
        OPENAI_CHAT.encode_completion(OPENAI_CHAT.decode_completion(body), REQUEST)
    with contextlib.suppress(IsthmusError):
        OPENAI_CHAT.read_usage(body)
    OPENAI_CHAT.decode_fault(500, (), body)
    event = b"data: " + body + b"\n\n"
    with contextlib.suppress(IsthmusError):
        OPENAI_CHAT.stream_decoder().feed(event)
    for asked in (True, False):
        watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True, stream_usage=asked))
        with contextlib.suppress(IsthmusError):
            watch.feed(event)
            watch.close()
        assert watch.complete in (True, False)
