"""pydantic-ai: a task that needs a tool, through each of its clients to offers of other dialects than theirs."""

import os

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

URL = os.environ["TEST_API_BASE_URL"]
QUESTION = "What is the weather in Paris?"


def through_chat(name):
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="any"))


def through_responses(name):
    return OpenAIResponsesModel(name, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="any"))


def through_anthropic(name):
    return AnthropicModel(name, provider=AnthropicProvider(base_url=URL, api_key="any"))


def through_google(name):
    return GoogleModel(name, provider=GoogleProvider(base_url=URL, api_key="any"))


WAYS = {
    "chat-at-anthropic": (through_chat, "at-anthropic"),
    "chat-at-gemini": (through_chat, "at-gemini"),
    "responses-at-openai-chat": (through_responses, "at-openai"),
    "responses-at-anthropic": (through_responses, "at-anthropic"),
    "responses-at-gemini": (through_responses, "at-gemini"),
    "anthropic-at-openai": (through_anthropic, "at-openai"),
    "anthropic-at-gemini": (through_anthropic, "at-gemini"),
    "google-at-openai": (through_google, "at-openai"),
    "google-at-anthropic": (through_google, "at-anthropic"),
}


class Report(BaseModel):
    """A report of the weather."""

    city: str
    degrees: int


@pytest.fixture(params=WAYS)
def model(request):
    through, name = WAYS[request.param]
    return through(name)


def agent(model, **said):
    made = Agent(model, instructions="Use the tools.", **said)

    @made.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"21 degrees in {city}"

    return made


async def test_a_task_with_a_tool(model):
    done = await agent(model).run(QUESTION)
    assert "21 degrees in Paris" in done.output
    assert done.usage.requests == 2
    assert done.usage.input_tokens > 0


async def test_a_streamed_task_with_a_tool(model):
    async with agent(model).run_stream(QUESTION) as streamed:
        pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]
    assert "21 degrees in Paris" in "".join(pieces)
    assert len(pieces) > 2


async def test_a_structured_task_with_a_tool(model):
    done = await agent(model, output_type=Report).run(QUESTION)
    assert done.output == Report(city="Paris", degrees=21)


async def test_a_natively_structured_answer(model):
    # The client knows by the model's name what it can do, and not these names.
    model.profile["supports_json_schema_output"] = True
    made = Agent(model, output_type=NativeOutput(Report))
    done = await made.run("It has 21 degrees in Paris.")
    assert done.output == Report(city="Paris", degrees=21)


async def test_a_conversation_goes_on(model):
    made = agent(model)
    first = await made.run(QUESTION)
    second = await made.run("Thank you", message_history=first.all_messages())
    assert second.output == "You said: Thank you"
