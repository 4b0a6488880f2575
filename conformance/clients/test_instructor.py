"""instructor: structured answers, whole and streamed, through each of its clients to offers of other dialects."""

import os
from typing import Literal

import anthropic
import instructor
import openai
import pytest
from google import genai
from pydantic import BaseModel, field_validator

URL = os.environ["TEST_API_BASE_URL"]
ASK = [{"role": "user", "content": "It has 21 degrees and is sunny in Paris."}]


class Report(BaseModel):
    """A report of the weather."""

    city: str
    degrees: int
    sky: Literal["cloudy", "sunny"]


class Doubted(Report):
    """A report that is not believed the first time."""

    tries: int = 0

    @field_validator("degrees")
    @classmethod
    def believed(cls, degrees):
        TRIED.append(degrees)
        if len(TRIED) == 1:
            raise ValueError("say 21 again")
        return degrees


TRIED = []
REPORT = Report(city="Paris", degrees=21, sky="sunny")


def through_openai(name, mode):
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key="any")
    return instructor.from_openai(client, mode=mode, model=name)


def through_anthropic(name, mode):
    client = anthropic.Anthropic(base_url=URL, api_key="any")
    return instructor.from_anthropic(client, mode=mode, model=name, max_tokens=2000)


def through_google(name, mode):
    client = genai.Client(api_key="any", http_options=genai.types.HttpOptions(base_url=URL))
    return instructor.from_genai(client, mode=mode, model=name)


MODES = instructor.Mode
WAYS = {
    "tools-at-anthropic": (through_openai, "at-anthropic", MODES.TOOLS),
    "tools-at-gemini": (through_openai, "at-gemini", MODES.TOOLS),
    "json-schema-at-anthropic": (through_openai, "at-anthropic", MODES.JSON_SCHEMA),
    "json-schema-at-gemini": (through_openai, "at-gemini", MODES.JSON_SCHEMA),
    "responses-at-anthropic": (through_openai, "at-anthropic", MODES.RESPONSES_TOOLS),
    "responses-at-gemini": (through_openai, "at-gemini", MODES.RESPONSES_TOOLS),
    "anthropic-tools-at-openai": (through_anthropic, "at-openai", MODES.ANTHROPIC_TOOLS),
    "anthropic-tools-at-gemini": (through_anthropic, "at-gemini", MODES.ANTHROPIC_TOOLS),
    "google-tools-at-openai": (through_google, "at-openai", MODES.GENAI_TOOLS),
    "google-tools-at-anthropic": (through_google, "at-anthropic", MODES.GENAI_TOOLS),
    "google-json-at-openai": (through_google, "at-openai", MODES.GENAI_STRUCTURED_OUTPUTS),
    "google-json-at-anthropic": (through_google, "at-anthropic", MODES.GENAI_STRUCTURED_OUTPUTS),
}


@pytest.fixture(params=WAYS)
def client(request):
    through, name, mode = WAYS[request.param]
    return through(name, mode)


def test_a_structured_answer(client):
    assert client.create(response_model=Report, messages=ASK).model_dump() == REPORT.model_dump()


def test_a_structured_answer_grows_as_it_streams(client):
    grown = list(client.create_partial(response_model=Report, messages=ASK))
    assert grown[-1].model_dump() == REPORT.model_dump()


def test_what_is_not_believed_is_asked_again(client):
    TRIED.clear()
    assert isinstance(client.create(response_model=Doubted, messages=ASK, max_retries=2), Doubted)
    assert len(TRIED) >= 2
