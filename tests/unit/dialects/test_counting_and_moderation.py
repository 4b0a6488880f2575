"""Counting the tokens of a request, and asking whether a text is harmful."""

import json
from typing import Any

import pytest
from anthropic.types import MessageTokensCount
from google.genai import types

from isthmus.dialects.counting.anthropic import ANTHROPIC_COUNT
from isthmus.dialects.counting.gemini import GEMINI_COUNT
from isthmus.dialects.moderations.openai import OPENAI_MODERATIONS
from isthmus.domain.errors import InvalidRequest, UpstreamMalformed, UpstreamRefused
from isthmus.domain.token_count import TokenCount

HELLO = {"model": "w", "messages": [{"role": "user", "content": "hello"}], "system": "be kind"}
CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_what_is_counted_goes_to_an_offer_of_the_other_dialect() -> None:
    request = ANTHROPIC_COUNT.decode_request(body(**HELLO))
    said = json.loads(GEMINI_COUNT.encode_request(request, model="g"))
    inner = said["generateContentRequest"]
    assert inner["model"] == "models/g"
    assert inner["contents"] == CONTENTS
    back = json.loads(ANTHROPIC_COUNT.encode_request(GEMINI_COUNT.decode_request(json.dumps(said).encode()), model="a"))
    assert back["messages"] == HELLO["messages"]
    assert "max_tokens" not in back


def test_a_count_comes_back_in_the_clients_words() -> None:
    request = ANTHROPIC_COUNT.decode_request(body(**HELLO))
    count = GEMINI_COUNT.decode_answer(b'{"totalTokens":12,"cachedContentTokenCount":3}', request)
    assert count == TokenCount(tokens=12, cached=3)
    assert MessageTokensCount.model_validate_json(ANTHROPIC_COUNT.encode_answer(count, request)).input_tokens == 12
    told = types.CountTokensResponse.model_validate_json(GEMINI_COUNT.encode_answer(count, request))
    assert (told.total_tokens, told.cached_content_token_count) == (12, 3)


def test_gemini_takes_the_contents_or_a_whole_request() -> None:
    bare = GEMINI_COUNT.decode_request(body(contents=CONTENTS))
    whole = GEMINI_COUNT.decode_request(body(generateContentRequest={"model": "models/w", "contents": CONTENTS}))
    assert bare == whole
    with pytest.raises(InvalidRequest, match="both"):
        GEMINI_COUNT.read_facts(body(contents=CONTENTS, generateContentRequest={"contents": CONTENTS}))


@pytest.mark.parametrize("wrapped", [False, True])
def test_labels_that_are_meant_for_us_do_not_leave(*, wrapped: bool) -> None:
    request: dict[str, Any] = {"contents": CONTENTS, "labels": {"isthmus-labels": "phi", "mine": "x"}}
    asked = body(generateContentRequest=request) if wrapped else body(**request)
    facts = GEMINI_COUNT.read_facts(asked)
    assert facts.labels == {"phi"}
    sent = GEMINI_COUNT.retarget(asked, facts, model="g")
    assert b"isthmus" not in sent
    assert b"mine" in sent


def test_to_count_is_an_operation_of_its_own() -> None:
    facts = ANTHROPIC_COUNT.read_facts(body(**HELLO, metadata={"isthmus-labels": "pii"}))
    assert (facts.operation, facts.model) == ("count_tokens", "w")
    assert facts.labels == {"pii"}
    assert GEMINI_COUNT.read_facts(body(contents=CONTENTS)).operation == "count_tokens"
    passed = json.loads(ANTHROPIC_COUNT.retarget(body(**HELLO), facts, model="real"))
    assert passed["model"] == "real"


@pytest.mark.parametrize("junk", [b"", b"[]", b'{"input_tokens":"many"}', b'{"totalTokens":null}'])
def test_what_is_no_number_is_no_answer(junk: bytes) -> None:
    for form in (ANTHROPIC_COUNT, GEMINI_COUNT):
        with pytest.raises(UpstreamMalformed):
            form.read_usage(junk)


def test_moderation_may_leave_the_model_out_and_looks_at_images() -> None:
    facts = OPENAI_MODERATIONS.read_facts(body(input="hello"))
    assert (facts.operation, facts.model, facts.needs) == ("moderate", "auto", frozenset())
    image = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    assert OPENAI_MODERATIONS.read_facts(body(input=[{"type": "text", "text": "a"}, image])).needs == {"vision"}
    assert json.loads(OPENAI_MODERATIONS.retarget(body(input="hello"), facts, model="m")) == {
        "input": "hello",
        "model": "m",
    }
    for bad in (b'""', b"[]", b"3"):
        with pytest.raises(InvalidRequest):
            OPENAI_MODERATIONS.read_facts(b'{"input":' + bad + b"}")


def test_an_answer_to_moderation_has_results() -> None:
    assert OPENAI_MODERATIONS.read_usage(b'{"id":"m","model":"m","results":[{"flagged":false}]}') is None
    with pytest.raises(UpstreamRefused):
        OPENAI_MODERATIONS.read_usage(b'{"error":{"message":"no"}}')
    for junk in (b"", b'{"results":[]}', b'{"results":[{}]}'):
        with pytest.raises(UpstreamMalformed):
            OPENAI_MODERATIONS.read_usage(junk)
