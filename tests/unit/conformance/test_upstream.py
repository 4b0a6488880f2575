"""The stand-ins answer as the vendors' own clients, told to be strict, have it."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from conformance.upstream.anthropic import AnthropicVendor
from conformance.upstream.gemini import GeminiVendor
from conformance.upstream.openai import OpenAIVendor
from google import genai
from openai.types.responses import FunctionToolParam, ResponseInputParam
from tests.fakes import anthropic_server, gemini_server
from tests.fakes.openai_server import KEY
from tests.fakes.stand_in import serving

TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with (
        serving(OpenAIVendor()) as vendor,
        openai.OpenAI(
            base_url=f"{vendor.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
        ) as made,
    ):
        yield made


def test_a_response(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="any", input="a strip of land", reasoning={"effort": "low", "summary": "auto"}
    )
    assert answer.output_text == "You said: a strip of land"
    assert [item.type for item in answer.output] == ["reasoning", "message"]


def test_a_streamed_response_with_a_call_and_its_output(client: openai.OpenAI) -> None:
    said: ResponseInputParam = [{"role": "user", "content": "What is the weather in Paris?"}]
    with client.responses.stream(model="any", input=said, tools=[TOOL]) as stream:
        numbers = [event.sequence_number for event in stream]
        call = stream.get_final_response().output[0]
    assert numbers == list(range(len(numbers)))
    assert call.type == "function_call"
    assert call.arguments == '{"city":"Paris"}'
    given: Any = [*said, call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    for item in given:
        item.pop("parsed_arguments", None)
    assert client.responses.create(model="any", input=given, tools=[TOOL]).output_text == "The tools said: sunny"


def test_a_call_without_its_output_is_refused(client: openai.OpenAI) -> None:
    call: Any = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        client.responses.create(model="any", input=[{"role": "user", "content": "hi"}, call])


def test_vectors_and_moderations(client: openai.OpenAI) -> None:
    vectors = client.embeddings.create(model="any", input=["two", "seas"], dimensions=4, encoding_format="float")
    assert [len(one.embedding) for one in vectors.data] == [4, 4]
    assert not client.moderations.create(input="a strip of land").results[0].flagged


def test_only_the_form_is_looked_at_where_that_is_said() -> None:
    both: Any = {"max_tokens": 5, "max_completion_tokens": 5}
    said: Any = [{"role": "user", "content": "hi"}]
    for form_only in (True, False):
        with (
            serving(OpenAIVendor(form_only=form_only)) as vendor,
            openai.OpenAI(base_url=f"{vendor.url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            if form_only:
                assert client.chat.completions.create(model="any", messages=said, **both).choices
            else:
                with pytest.raises(openai.BadRequestError):
                    client.chat.completions.create(model="any", messages=said, **both)
            with pytest.raises(openai.BadRequestError):
                client.chat.completions.create(model="any", messages=said, extra_body={"invented": 1})


def test_tokens_are_counted() -> None:
    with serving(AnthropicVendor()) as vendor:
        key = anthropic_server.KEY
        with anthropic.Anthropic(base_url=vendor.url, api_key=key, _strict_response_validation=True) as client:
            counted = client.messages.count_tokens(model="any", messages=[{"role": "user", "content": "hi"}])
    assert counted.input_tokens == 19


def test_gemini_counts_and_embeds() -> None:
    with serving(GeminiVendor()) as vendor:
        client = genai.Client(api_key=gemini_server.KEY, http_options=genai.types.HttpOptions(base_url=vendor.url))
        assert client.models.count_tokens(model="any", contents="hi").total_tokens == 19
        found = client.models.embed_content(model="any", contents=["two", "seas"]).embeddings or []
        client.close()
    assert [len(one.values or ()) for one in found] == [8, 8]
