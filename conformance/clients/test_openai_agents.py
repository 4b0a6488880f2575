"""The OpenAI Agents SDK: a task that needs a tool, at offers of other dialects than its own."""

import os

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

URL = os.environ["TEST_API_BASE_URL"]
QUESTION = "What is the weather in Paris?"
SAID = "The tools said: 21 degrees in Paris"

set_tracing_disabled(True)


class Report(BaseModel):
    city: str
    degrees: int


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


@pytest.fixture(params=["at-anthropic", "at-gemini"])
def name(request):
    return request.param


@pytest.fixture(params=[OpenAIResponsesModel, OpenAIChatCompletionsModel])
async def model(request, name):
    async with AsyncOpenAI(base_url=f"{URL}/v1", api_key="any") as client:
        yield request.param(model=name, openai_client=client)


def agent(model, **said):
    settings = ModelSettings(max_tokens=2000, include_usage=True)
    return Agent(name="Reporter", instructions="Use the tools.", model=model, model_settings=settings, **said)


async def test_a_task_with_a_tool(model):
    done = await Runner.run(agent(model, tools=[get_weather]), QUESTION)
    assert done.final_output == SAID
    assert [one.usage.input_tokens > 0 for one in done.raw_responses] == [True, True]


async def test_a_streamed_task_with_a_tool(model):
    streamed = Runner.run_streamed(agent(model, tools=[get_weather]), QUESTION)
    pieces = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    assert streamed.final_output == "".join(pieces) == SAID
    assert len(pieces) > 2


async def test_a_structured_answer(model):
    done = await Runner.run(agent(model, output_type=Report), "It has 21 degrees in Paris.")
    assert done.final_output == Report(city="Paris", degrees=21)


async def test_a_handover_to_another_agent(model):
    clerk = agent(model, tools=[get_weather])
    clerk.name = "Weather clerk"
    first = agent(model, handoffs=[clerk])
    done = await Runner.run(first, "Please transfer me to the weather clerk. How is it in Paris?")
    assert done.last_agent is clerk


async def test_a_conversation_goes_on(model):
    reporter = agent(model, tools=[get_weather])
    first = await Runner.run(reporter, QUESTION)
    second = await Runner.run(reporter, [*first.to_input_list(), {"role": "user", "content": "Thank you"}])
    assert second.final_output == "You said: Thank you"
