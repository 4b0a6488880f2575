"""Embeddings: OpenAI's form and Gemini's two, each way."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.embeddings.gemini import GEMINI_BATCH_EMBED, GEMINI_EMBED
from isthmus.dialects.embeddings.openai import OPENAI_EMBEDDINGS
from isthmus.dialects.embeddings.vectors import from_base64, to_base64
from isthmus.domain.embedding import EmbeddingRequest, Embeddings
from isthmus.domain.errors import InvalidRequest, Unsupported, UpstreamMalformed, UpstreamRefused
from isthmus.domain.usage import Usage

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
texts = st.text(min_size=1)
vectors = st.lists(floats, min_size=1, max_size=5).map(tuple)
requests = st.builds(
    EmbeddingRequest,
    model=st.just("m"),
    inputs=st.lists(texts, min_size=1, max_size=4).map(tuple),
    dimensions=st.none() | st.integers(1, 4096),
)


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@given(st.lists(floats, max_size=20))
def test_a_vector_comes_back_from_base64(vector: list[float]) -> None:
    assert from_base64(to_base64(vector)) == tuple(vector)


@pytest.mark.parametrize("text", ["%", base64.b64encode(b"abc").decode()])
def test_what_is_no_vector_in_base64_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        from_base64(text)


@given(requests)
def test_a_request_survives_each_form(request: EmbeddingRequest) -> None:
    assert OPENAI_EMBEDDINGS.decode_request(OPENAI_EMBEDDINGS.encode_request(request, model="m")) == request
    there = GEMINI_BATCH_EMBED.decode_request(GEMINI_BATCH_EMBED.encode_request(request, model="m"))
    assert (there.inputs, there.dimensions) == (request.inputs, request.dimensions)


@given(requests, st.data())
def test_an_answer_survives_each_form(request: EmbeddingRequest, data: st.DataObject) -> None:
    made = tuple(data.draw(vectors) for _ in request.inputs)
    answer = Embeddings(model="m", vectors=made, usage=Usage(input=7))
    for form in (OPENAI_EMBEDDINGS, GEMINI_BATCH_EMBED):
        said = form.encode_answer(answer, request)
        assert form.decode_answer(said, request).vectors == made
        assert form.read_usage(said) == Usage(input=7)


def test_openais_client_reads_the_answer_in_numbers_and_in_base64() -> None:
    answer = Embeddings(model="m", vectors=((0.5, -1.0),), usage=Usage(input=2))
    for wanted in ("float", "base64"):
        request = OPENAI_EMBEDDINGS.decode_request(body(model="m", input="hi", encoding_format=wanted))
        said = json.loads(OPENAI_EMBEDDINGS.encode_answer(answer, request))
        if wanted == "base64":
            assert said["data"][0]["embedding"] == base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
            said["data"][0]["embedding"] = [0.5, -1.0]
        assert CreateEmbeddingResponse.model_validate(said, strict=True).data[0].embedding == [0.5, -1.0]


@pytest.mark.parametrize(
    ("given_input", "inputs"),
    [("a", ("a",)), (["a", "b"], ("a", "b")), ([1, 2], ((1, 2),)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
def test_input_may_be_a_text_texts_or_numbers_of_tokens(given_input: object, inputs: object) -> None:
    assert OPENAI_EMBEDDINGS.decode_request(body(model="m", input=given_input)).inputs == inputs


@pytest.mark.parametrize("bad", ["", [], [""], [[]], 3, [None]])
def test_what_is_no_input_is_refused(bad: object) -> None:
    with pytest.raises(InvalidRequest):
        OPENAI_EMBEDDINGS.read_facts(body(model="m", input=bad))


def test_labels_in_metadata_are_read_and_do_not_leave() -> None:
    asked = body(model="w", input="hi", metadata={"isthmus-labels": "pii, phi", "mine": "x"})
    facts = OPENAI_EMBEDDINGS.read_facts(asked)
    assert facts.labels == {"pii", "phi"}
    assert facts.operation == "embed"
    assert json.loads(OPENAI_EMBEDDINGS.retarget(asked, facts, model="m")) == {
        "model": "m",
        "input": "hi",
        "metadata": {"mine": "x"},
    }
    with pytest.raises(InvalidRequest, match="begins with isthmus"):
        OPENAI_EMBEDDINGS.read_facts(body(model="w", input="hi", metadata={"isthmus_label": "pii"}))


def test_numbers_of_tokens_mean_nothing_to_another_dialect() -> None:
    request = OPENAI_EMBEDDINGS.decode_request(body(model="m", input=[1, 2]))
    with pytest.raises(Unsupported) as caught:
        GEMINI_BATCH_EMBED.encode_request(request, model="m")
    assert caught.value.param == "input"


def test_a_task_is_left_out_towards_openai_and_noted() -> None:
    asked = body(content={"parts": [{"text": "hi"}]}, taskType="RETRIEVAL_QUERY")
    adapted = Adapted()
    said = OPENAI_EMBEDDINGS.encode_request(GEMINI_EMBED.decode_request(asked), model="m", adapted=adapted)
    assert json.loads(said)["input"] == ["hi"]
    assert "task" in adapted.text


def test_the_requests_of_a_batch_are_one_request_and_must_be_alike() -> None:
    one = {"model": "models/w", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8}
    two = {"model": "models/w", "content": {"parts": [{"text": "b"}]}, "outputDimensionality": 8}
    assert GEMINI_BATCH_EMBED.decode_request(body(requests=[one, two])).inputs == ("a", "b")
    with pytest.raises(Unsupported, match="differ"):
        GEMINI_BATCH_EMBED.decode_request(body(requests=[one, two | {"outputDimensionality": 9}]))
    facts = GEMINI_BATCH_EMBED.read_facts(body(requests=[one, two]))
    sent = json.loads(GEMINI_BATCH_EMBED.retarget(body(requests=[one, two]), facts, model="real"))
    assert {request["model"] for request in sent["requests"]} == {"models/real"}


def test_what_has_not_one_vector_for_each_text_is_no_answer() -> None:
    request = EmbeddingRequest(model="m", inputs=("a", "b"))
    lacking = Embeddings(model="m", vectors=((1.0,),))
    for form in (OPENAI_EMBEDDINGS, GEMINI_BATCH_EMBED):
        with pytest.raises(UpstreamMalformed):
            form.decode_answer(form.encode_answer(lacking, request), request)


def test_an_error_with_status_200_is_a_failure() -> None:
    with pytest.raises(UpstreamRefused):
        OPENAI_EMBEDDINGS.read_usage(b'{"error":{"message":"no"}}')
    for form in (OPENAI_EMBEDDINGS, GEMINI_EMBED):
        for junk in (b"", b"[]", b"{}", b'{"data":1'):
            with pytest.raises(UpstreamMalformed):
                form.read_usage(junk)


@pytest.mark.parametrize("form", [GEMINI_EMBED, GEMINI_BATCH_EMBED])
def test_a_field_that_nobody_reads_is_refused_since_it_may_be_a_label(form: Any) -> None:
    one = {"content": {"parts": [{"text": "a"}]}}
    asked = {"requests": [one]} if form is GEMINI_BATCH_EMBED else one
    with pytest.raises(Unsupported, match="metadata"):
        form.read_facts(body(**asked, metadata={"isthmus-labels": "phi"}))
