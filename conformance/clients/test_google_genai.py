"""google-genai by its own calls, against an offer of its own dialect and of the others."""

import os

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

URL = os.environ["TEST_API_BASE_URL"]
MODELS = ("at-gemini", "at-openai", "at-anthropic")
QUESTION = "What is the weather in Paris?"


class Weather(BaseModel):
    """What the structured answers are to be."""

    city: str
    degrees: int


def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name.
    """
    return f"21 degrees in {city}"


@pytest.fixture(scope="module")
def client():
    made = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=URL))
    yield made
    made.close()


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


def config(**said):
    return types.GenerateContentConfig(max_output_tokens=2000, **said)


def test_generate_content(client, model):
    answer = client.models.generate_content(model=model, contents="the strip of land", config=config(temperature=0.5))
    assert answer.text == "You said: the strip of land"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage.prompt_token_count == 19
    assert usage.cached_content_token_count == 5
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count + (
        usage.thoughts_token_count or 0
    )


async def test_generate_content_async(client, model):
    answer = await client.aio.models.generate_content(model=model, contents="the strip of land", config=config())
    assert answer.text == "You said: the strip of land"


def test_stream(client, model):
    chunks = list(client.models.generate_content_stream(model=model, contents="two seas and land", config=config()))
    assert len(chunks) > 2
    assert "".join(chunk.text or "" for chunk in chunks) == "You said: two seas and land"
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.prompt_token_count == 19


async def test_stream_async(client, model):
    stream = await client.aio.models.generate_content_stream(model=model, contents="two seas", config=config())
    assert "".join([chunk.text or "" async for chunk in stream]) == "You said: two seas"


def test_system_instruction_and_turns(client, model):
    turns = [
        types.UserContent("the strip of land"),
        types.ModelContent("Which?"),
        types.UserContent("between two seas"),
    ]
    answer = client.models.generate_content(model=model, contents=turns, config=config(system_instruction="Be brief."))
    assert answer.text == "You said: between two seas"


def test_a_chat_remembers(client, model):
    chat = client.chats.create(model=model, config=config())
    chat.send_message("the strip of land")
    assert chat.send_message("between two seas").text == "You said: between two seas"
    assert len(chat.get_history()) == 4


def test_an_image(client, model):
    parts = [types.Part.from_bytes(data=PIXEL, mime_type="image/png"), types.Part.from_text(text="What is it?")]
    answer = client.models.generate_content(model=model, contents=parts, config=config())
    assert answer.text == f"I see 1 image(s) of {len(PIXEL)} bytes."


def test_a_function_is_called_of_itself(client, model):
    answer = client.models.generate_content(model=model, contents=QUESTION, config=config(tools=[get_weather]))
    assert "21 degrees in Paris" in answer.text
    called = [part.function_call for turn in answer.automatic_function_calling_history for part in turn.parts]
    assert [call.args for call in called if call] == [{"city": "Paris"}]


async def test_a_function_is_called_of_itself_async(client, model):
    answer = await client.aio.models.generate_content(
        model=model, contents=QUESTION, config=config(tools=[get_weather])
    )
    assert "21 degrees in Paris" in answer.text


def test_a_function_is_called_of_itself_in_a_stream(client, model):
    stream = client.models.generate_content_stream(model=model, contents=QUESTION, config=config(tools=[get_weather]))
    assert "21 degrees in Paris" in "".join(chunk.text or "" for chunk in stream)


@pytest.mark.parametrize("mode", ["ANY", "NONE"])
def test_a_function_call_is_forced_or_forbidden(client, model, mode):
    said = config(
        tools=[get_weather],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode)),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    answer = client.models.generate_content(model=model, contents="Good morning, Paris weather", config=said)
    assert bool(answer.function_calls) == (mode == "ANY")


def test_a_structured_answer(client, model):
    said = config(response_mime_type="application/json", response_schema=Weather)
    answer = client.models.generate_content(model=model, contents="It has 21 degrees in Paris.", config=said)
    assert answer.parsed == Weather(city="Paris", degrees=21)


def test_thoughts(client, model):
    if model == "at-openai":
        pytest.skip("chat completions tell no thoughts")
    said = config(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024))
    answer = client.models.generate_content(model=model, contents="Think of land", config=said)
    assert [part.text for part in answer.candidates[0].content.parts if part.thought] == ["They ask; I answer."]
    assert answer.text == "You said: Think of land"


def test_count_tokens(client, model):
    if model == "at-openai":
        pytest.skip("OpenAI counts no tokens of a chat; what isthmus estimates is another test's")
    assert client.models.count_tokens(model=model, contents="the strip of land").total_tokens == 19


async def test_count_tokens_async(client):
    answer = await client.aio.models.count_tokens(model="at-gemini", contents="the strip of land")
    assert answer.total_tokens == 19


@pytest.mark.parametrize("offer", ["gemini-embedding-001", "text-embedding-3-small"])
def test_embed_content(client, offer):
    said = types.EmbedContentConfig(output_dimensionality=4)
    answer = client.models.embed_content(model=offer, contents=["two seas", "a strip of land"], config=said)
    assert [len(one.values) for one in answer.embeddings] == [4, 4]


async def test_embed_content_async(client):
    answer = await client.aio.models.embed_content(model="gemini-embedding-001", contents="two seas")
    assert len(answer.embeddings[0].values) == 8


def test_models_are_listed(client):
    assert "models/at-anthropic" in [one.name for one in client.models.list()]
    assert client.models.get(model="at-anthropic").name == "models/at-anthropic"


def test_an_unknown_model_is_told_in_the_shape_of_the_vendor(client):
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="nothing-of-the-kind", contents="hi")
    assert caught.value.code == 404
    assert caught.value.status == "NOT_FOUND"


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
