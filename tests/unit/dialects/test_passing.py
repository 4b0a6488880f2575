"""What passes through in the dialects of Anthropic and Gemini: errors are heard, counts are read one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.dialect import Dialect
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.sse import frame
from isthmus.domain.errors import InvalidRequest, ProviderError, UpstreamMalformed, UpstreamRefused
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage

FACTS = RequestFacts(model="m", stream=True)
ANTHROPIC_ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
GEMINI_ERROR = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
STREAMS: list[tuple[Dialect, bytes, bytes]] = [
    (
        ANTHROPIC_MESSAGES,
        frame(b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}'),
        frame(json.dumps(ANTHROPIC_ERROR).encode(), b"error") + frame(b'{"type":"message_stop"}'),
    ),
    (
        GEMINI_GENERATE,
        frame(b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}'),
        frame(json.dumps(GEMINI_ERROR).encode()) + frame(b'{"candidates":[{"finishReason":"STOP"}]}'),
    ),
]


@pytest.mark.parametrize(("dialect", "begin", "error"), STREAMS)
def test_an_error_event_is_an_error_whatever_follows_it(dialect: Dialect, begin: bytes, error: bytes) -> None:
    watch = dialect.usage_watch(FACTS)
    assert watch.feed(begin + error) == begin  # what came before is not lost
    with pytest.raises(UpstreamRefused) as caught:
        watch.close()
    assert (caught.value.status, watch.complete) == (503, False)


@pytest.mark.parametrize(("dialect", "begin", "error"), STREAMS)
def test_an_error_at_the_beginning_lets_another_offer_serve(dialect: Dialect, begin: bytes, error: bytes) -> None:
    watch = dialect.usage_watch(FACTS)
    assert watch.feed(b": wait\n\n") == b""
    with pytest.raises(UpstreamRefused):
        watch.feed(error)


@pytest.mark.parametrize(
    ("dialect", "body", "error"),
    [
        (ANTHROPIC_MESSAGES, ANTHROPIC_ERROR | {"usage": {"input_tokens": 1}}, UpstreamRefused),
        (ANTHROPIC_MESSAGES, {"type": "message", "usage": {"input_tokens": 1}}, UpstreamMalformed),
        (GEMINI_GENERATE, GEMINI_ERROR | {"usageMetadata": {"promptTokenCount": 1}}, UpstreamRefused),
        (GEMINI_GENERATE, {"candidates": [], "usageMetadata": {"promptTokenCount": 1}}, UpstreamMalformed),
    ],
)
def test_what_tells_usage_may_be_no_answer(dialect: Dialect, body: dict[str, Any], error: type[ProviderError]) -> None:
    with pytest.raises(error):
        dialect.read_usage(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (
            ANTHROPIC_MESSAGES,
            {
                "type": "message",
                "content": [],
                "usage": {"input_tokens": 9.0, "output_tokens": 4, "cache_read_input_tokens": "x"},
            },
        ),
        (
            GEMINI_GENERATE,
            {
                "candidates": [{}],
                "usageMetadata": {
                    "promptTokenCount": 9.0,
                    "candidatesTokenCount": 4,
                    "thoughtsTokenCount": 0.5,
                    "cachedContentTokenCount": [],
                },
            },
        ),
    ],
)
def test_one_count_that_cannot_be_read_costs_no_other(dialect: Dialect, body: dict[str, Any]) -> None:
    assert dialect.read_usage(json.dumps(body).encode()) == Usage(input=9, output=4)


def test_fields_said_twice_are_refused_in_every_dialect() -> None:
    message = b'"messages": [{"role": "user", "content": "Hi"}]'
    metadata = b'"metadata": {"isthmus-labels": "phi"}, "metadata": {"user_id": "u"}'
    with pytest.raises(InvalidRequest) as caught:
        ANTHROPIC_MESSAGES.read_facts(b'{"model": "m", ' + metadata + b", " + message + b"}")
    assert caught.value.param == "metadata"
    with pytest.raises(InvalidRequest) as caught:
        GEMINI_GENERATE.retarget(b'{"contents": [{}], "contents": [{}]}', FACTS, model="m")
    assert caught.value.param == "contents"
