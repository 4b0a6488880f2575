"""The official OpenAI client against the running server with the real small model."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from tests.system.process import Isthmus, running

pytestmark = pytest.mark.model

HOME = """
[offers.home]
provider = "embedded"
model = "smollm2-135m-instruct"
context = 2048

[workloads.chat]
offers = ["home"]
"""
ASK: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello in one sentence."}]
WEATHER: openai.types.chat.ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def isthmus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    folder: Path = tmp_path_factory.mktemp("home")
    with running(Isthmus(folder, HOME)) as server:
        yield server


@pytest.fixture(scope="module")
def client(isthmus: Isthmus) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{isthmus.port}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_a_plain_answer(client: openai.OpenAI, isthmus: Isthmus) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="chat", messages=ASK, max_tokens=24, temperature=0, seed=1
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    assert raw.headers["isthmus-offer"] == "home"
    assert raw.headers["isthmus-side"] == "own"
    assert raw.headers["isthmus-cost"] == "0"
    entry = isthmus.entry(raw.headers["isthmus-request"])
    assert entry.usage is not None
    assert entry.outcome == "completed"
    assert entry.usage.output == answer.usage.completion_tokens
    assert entry.cost == 0


def test_a_streamed_answer_with_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="chat",
        messages=ASK,
        max_tokens=24,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"stop", "length"}


CALL: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "user", "content": "What is the weather in Paris?"}
]


def check_call(name: str | None, arguments: str | None) -> None:
    assert name == "get_weather"
    assert json.loads(arguments or "")["city"] in {"Paris", "Rome"}


def test_a_tool_call_of_a_model_that_has_none(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="home", messages=CALL, tools=[WEATHER], tool_choice="required", max_tokens=60, temperature=0
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls is not None
    (call,) = answer.choices[0].message.tool_calls
    assert call.type == "function"
    check_call(call.function.name, call.function.arguments)


def test_a_streamed_tool_call_of_a_model_that_has_none(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="home", messages=CALL, tools=[WEATHER], tool_choice="required", max_tokens=60, temperature=0, stream=True
    )
    name, arguments = "", ""
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
            assert call.function is not None
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    check_call(name, arguments)


def test_an_answer_by_a_json_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "rains": {"type": "boolean"}},
        "required": ["city", "rains"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": "It rains in Paris. Extract city and rains."}],
        response_format={"type": "json_schema", "json_schema": {"name": "weather", "schema": schema, "strict": True}},
        max_tokens=60,
        temperature=0,
    )
    said = json.loads(answer.choices[0].message.content or "")
    assert set(said) == {"city", "rains"}
    assert isinstance(said["rains"], bool)


def test_an_answer_by_a_schema_that_is_no_object(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": "I cannot log in any more. Is that about billing, login or shipping?"}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "topic", "schema": {"enum": ["billing", "login", "shipping"]}},
        },
        max_tokens=30,
        temperature=0,
    )
    assert json.loads(answer.choices[0].message.content or "") in {"billing", "login", "shipping"}


def test_log_probabilities(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="chat", messages=ASK, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
    )
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in answer.choices[0].logprobs.content)


def test_the_list_of_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["chat", "home"]
    assert client.models.retrieve("home").owned_by == "embedded (own)"


def test_errors_are_caught_as_the_right_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-nothing", messages=ASK)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as invalid:
        client.chat.completions.create(model="chat", messages=[])
    assert invalid.value.param == "messages"
    image = "data:image/png;base64,iVBORw0KGgo="
    with pytest.raises(openai.BadRequestError, match="cannot read images") as blind:
        client.chat.completions.create(
            model="chat",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}],
        )
    assert blind.value.code == "no_capable_offer"


def test_once_a_key_is_made_it_is_asked_for_without_a_restart(tmp_path: Path) -> None:
    with running(Isthmus(tmp_path, HOME)) as server:
        made = json.loads(server.run("keys", "add", "laptop", "--label", "internal", "--json").stdout)
        base = f"http://127.0.0.1:{server.port}/v1"
        with openai.OpenAI(base_url=base, api_key="wrong", max_retries=0) as stranger:
            deadline = 50
            while deadline and server.get("/v1/models") != 401:
                deadline -= 1
                time.sleep(0.1)
            with pytest.raises(openai.AuthenticationError) as refused:
                stranger.models.list()
            assert refused.value.code == "invalid_api_key"
        with openai.OpenAI(base_url=base, api_key=made["key"], max_retries=0) as known:
            raw = known.chat.completions.with_raw_response.create(model="chat", messages=ASK, max_tokens=4)
            assert raw.headers["isthmus-labels"] == "internal"
