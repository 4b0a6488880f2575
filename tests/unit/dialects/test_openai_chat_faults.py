"""Errors towards clients, and from upstreams."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import (
    InvalidKey,
    InvalidRequest,
    IsthmusError,
    NoHealthyOffer,
    PerimeterDenied,
    StreamInterrupted,
    TooLarge,
    UnknownModel,
    Unsupported,
    UpstreamRefused,
    UpstreamTimeout,
)

ERRORS: list[tuple[IsthmusError, type[openai.APIStatusError]]] = [
    (InvalidRequest("n must be at least 1.", param="n"), openai.BadRequestError),
    (Unsupported("No audio.", param="audio"), openai.BadRequestError),
    (InvalidKey("This key is unknown."), openai.AuthenticationError),
    (PerimeterDenied("Label phi may not leave."), openai.PermissionDeniedError),
    (UnknownModel("No such model.", param="model"), openai.NotFoundError),
    (TooLarge("Too large."), openai.APIStatusError),
    (UpstreamRefused("Slow down.", status=429, upstream_code="rate_limit_exceeded"), openai.RateLimitError),
    (NoHealthyOffer("All offers rest."), openai.InternalServerError),
    (UpstreamTimeout("No answer.", phase="first_byte"), openai.InternalServerError),
]


@pytest.mark.parametrize(("error", "raised"), ERRORS)
def test_the_official_client_raises_the_exception_of_the_error(
    error: IsthmusError, raised: type[openai.APIStatusError]
) -> None:
    body = OPENAI_CHAT.encode_error(error, "req_1")

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(error.status, content=body, headers={"content-type": "application/json"})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://isthmus.example/v1", http_client=http, max_retries=0) as client,
        pytest.raises(raised) as caught,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    told = caught.value
    assert told.status_code == error.status
    assert told.code == (getattr(error, "upstream_code", None) or error.code)
    assert told.param == getattr(error, "param", None)
    assert isinstance(told.body, dict)
    assert told.body["message"] == error.sentence
    assert told.body["request_id"] == "req_1"


def test_the_code_of_a_refusal_that_is_not_the_callers_fault_stays_here() -> None:
    error = UpstreamRefused("The offer's key was refused.", status=401, upstream_code="invalid_api_key")
    assert json.loads(OPENAI_CHAT.encode_error(error, "req_1"))["error"]["code"] == "upstream_error"


def test_the_official_client_raises_when_a_stream_ends_with_an_error() -> None:
    first = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    body = first + OPENAI_CHAT.stream_error(StreamInterrupted("The offer died."), "req_1")

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://isthmus.example/v1", http_client=http, max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        with pytest.raises(openai.APIError, match=r"The offer died\.") as caught:
            list(stream)
    assert caught.value.code == "stream_interrupted"


# ---------------------------------------------------------------------------------------------- from upstreams


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            {"error": {"message": "Bad key.", "type": "invalid_request_error", "code": "invalid_api_key"}},
            "Bad key.",
            "invalid_api_key",
        ),
        ({"error": {"message": "Bad key.", "type": "auth", "code": None}}, "Bad key.", "auth"),
        ({"error": {"message": "Overloaded", "code": 503, "status": "UNAVAILABLE"}}, "Overloaded", "UNAVAILABLE"),
        ({"error": "model not found"}, "model not found", None),
        (
            {"object": "error", "message": "Too long.", "type": "BadRequestError", "code": 400},
            "Too long.",
            "BadRequestError",
        ),
        ({"detail": "Unauthorized"}, "Unauthorized", None),
        (
            {
                "detail": [
                    {"loc": ["body", "messages", 0], "msg": "field required", "type": "missing", "input": "secret"}
                ]
            },
            "messages.0: field required",
            None,
        ),
        ({"message": {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, "type": "invalid"}, "n: bad", "invalid"),
        ([{"error": {"message": "No quota.", "status": "RESOURCE_EXHAUSTED"}}], "No quota.", "RESOURCE_EXHAUSTED"),
        ("plain", "plain", None),
        ({}, "The upstream answered with status 418 and no message.", None),
        (None, "The upstream answered with status 418 and no message.", None),
        ({"error": {"message": "x" * 2000}}, "x" * 499 + "…", None),
    ],
)
def test_errors_are_read_in_every_form_seen(body: Any, message: str, code: str | None) -> None:
    fault = OPENAI_CHAT.decode_fault(418, (), json.dumps(body).encode())
    assert (fault.message, fault.code) == (message, code)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>", "502 Bad Gateway"),
        (b"<p>Try\n later</p>", "Try later"),
        (b"upstream connect error", "upstream connect error"),
        (b"", "The upstream answered with status 502 and no message."),
    ],
)
def test_a_body_that_is_no_json_is_told_in_one_line(body: bytes, message: str) -> None:
    assert OPENAI_CHAT.decode_fault(502, (), body).message == message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_was_asked_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert OPENAI_CHAT.decode_fault(429, raw, b"").retry_after == seconds


def test_a_wait_may_be_a_date() -> None:
    later = [(b"retry-after", formatdate(time.time() + 90, usegmt=True).encode())]
    passed = [(b"retry-after", formatdate(time.time() - 90, usegmt=True).encode())]
    wait = OPENAI_CHAT.decode_fault(429, later, b"").retry_after
    assert wait is not None
    assert 80 < wait <= 90
    assert OPENAI_CHAT.decode_fault(429, passed, b"").retry_after == 0


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_reading_a_fault_never_raises(body: bytes, value: bytes) -> None:
    OPENAI_CHAT.decode_fault(500, [(b"retry-after", value), (b"x-ratelimit-remaining-tokens", b"0")], body)
