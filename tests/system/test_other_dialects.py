"""The OpenAI client through isthmus to offers that speak other dialects: strict stand-ins that check every request
against the schemas their vendors publish, and answer in their shapes."""

import base64
import json
import struct
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import openai
import pytest
from tests.fakes import anthropic_server, gemini_server, openai_server
from tests.fakes.stand_in import StandIn
from tests.system.process import Isthmus, running

Vendor = tuple[StandIn, openai.OpenAI, Isthmus]

WEATHER: openai.types.chat.ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def provider_of(vendor: Vendor) -> str:
    """The offer's provider, from the settings."""
    return str(tomllib.loads(vendor[2].settings)["offers"]["vendor"]["provider"])


def png() -> str:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + image).decode()


@contextmanager
def through(folder: Path, provider: str) -> Iterator[Vendor]:
    module = {"anthropic": anthropic_server, "gemini": gemini_server, "openai": openai_server}[provider]
    start = {
        "anthropic": anthropic_server.anthropic_server,
        "gemini": gemini_server.gemini_server,
        "openai": openai_server.openai_server,
    }[provider]
    with start() as stand_in:
        url = stand_in.url + ("/v1" if provider == "openai" else "")
        model = {"anthropic": "claude-haiku-5-5", "gemini": "gemini-3.8-flash", "openai": "gpt-5.4-mini"}[provider]
        settings = (
            f'[offers.vendor]\nprovider = "{provider}"\nmodel = "{model}"\nurl = "{url}"\nkey = "env:VENDOR_KEY"\n'
            "price = { input = 1, output = 5, cached = 0.1 }\n"
            "deadlines = { first_byte = 1 }\n"
            '[workloads.work]\noffers = ["vendor"]\nattempts = 1\n'
        )
        isthmus = Isthmus(folder, settings, environment={"VENDOR_KEY": module.KEY})
        with (
            running(isthmus),
            openai.OpenAI(base_url=f"http://127.0.0.1:{isthmus.port}/v1", api_key="none", max_retries=0) as client,
        ):
            yield stand_in, client, isthmus


@pytest.fixture(params=["anthropic", "gemini", "openai"], scope="module")
def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    with through(tmp_path_factory.mktemp("vendor"), request.param) as found:
        yield found
        # Whatever was asked, the stand-in must have found every request to be as its vendor publishes it.
        assert found[0].rejected == []


@pytest.fixture(params=["anthropic", "gemini"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vendor]:
    """One of its own for each fault: an offer that failed may rest."""
    with through(tmp_path, request.param) as found:
        yield found


def test_text_with_a_system_message_and_sampling(vendor: Vendor) -> None:
    _, client, isthmus = vendor
    raw = client.chat.completions.with_raw_response.create(
        model="work",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "the strip of land"},
            {"role": "assistant", "content": "Which?"},
            {"role": "user", "content": "between two seas"},
        ],
        max_completion_tokens=50,
        temperature=0.5,
        stop=["END"],
    )
    answer = raw.parse()
    assert "between two seas" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    entry = isthmus.entry(raw.headers["isthmus-request"])
    assert entry.usage is not None
    assert (entry.usage.input, entry.usage.output) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    usage = entry.usage
    plain = usage.input - usage.cached
    assert entry.cost == (plain + usage.cached * Decimal("0.1") + usage.output * 5) / 10**6


def test_a_stream_with_usage(vendor: Vendor) -> None:
    _, client, _ = vendor
    stream = client.chat.completions.create(
        model="work",
        messages=[{"role": "user", "content": "between two seas"}],
        max_tokens=50,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "between two seas" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_an_image_by_value(vendor: Vendor) -> None:
    stand_in, client, _ = vendor
    image = png()
    answer = client.chat.completions.create(
        model="work",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What colour is it?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
                ],
            }
        ],
        max_tokens=50,
    )
    assert str(len(base64.b64decode(image))) in (answer.choices[0].message.content or "")
    assert image in json.dumps(stand_in.requests[-1].body)


def test_parallel_tool_calls_and_their_results(vendor: Vendor) -> None:
    _, client, _ = vendor
    clock: openai.types.chat.ChatCompletionToolParam = {
        "type": "function",
        "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
    }
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [
        {"role": "user", "content": "Please call get_weather and get_time."}
    ]
    answer = client.chat.completions.create(model="work", messages=messages, tools=[WEATHER, clock], max_tokens=50)
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["get_weather", "get_time"]
    messages.append(answer.choices[0].message.model_dump(exclude_none=True))  # type: ignore[arg-type]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": f"result {n}"} for n, call in enumerate(calls)]
    final = client.chat.completions.create(model="work", messages=messages, tools=[WEATHER, clock], max_tokens=50)
    assert final.choices[0].finish_reason == "stop"


def test_a_forced_tool_call_in_a_stream(vendor: Vendor) -> None:
    _, client, _ = vendor
    stream = client.chat.completions.create(
        model="work",
        messages=[{"role": "user", "content": "Weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=50,
        stream=True,
    )
    name, arguments = "", ""
    for chunk in stream:
        for call in (chunk.choices[0].delta.tool_calls or ()) if chunk.choices else ():
            assert call.function is not None
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert name == "get_weather"
    assert isinstance(json.loads(arguments), dict)


def test_an_answer_by_a_json_schema(vendor: Vendor) -> None:
    _, client, _ = vendor
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="work",
        messages=[{"role": "user", "content": "It rains in Paris."}],
        response_format={"type": "json_schema", "json_schema": {"name": "weather", "schema": schema, "strict": True}},
        max_tokens=50,
    )
    assert set(json.loads(answer.choices[0].message.content or "")) == {"city"}


def test_what_the_vendor_cannot_be_told_is_refused_by_name(vendor: Vendor) -> None:
    stand_in, client, _ = vendor
    if provider_of(vendor) == "openai":
        return  # it can be told
    before = len(stand_in.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="work", messages=[{"role": "user", "content": "hi"}], logit_bias={"5": 1}, max_tokens=5
        )
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.param == "logit_bias"
    assert len(stand_in.requests) == before


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("hang", openai.InternalServerError),
        ("malformed", openai.InternalServerError),
    ],
)
def test_a_fault_of_the_vendor_is_the_right_exception_at_the_client(
    faulty: Vendor, fault: str, raised: type[openai.APIStatusError]
) -> None:
    _, client, isthmus = faulty
    with pytest.raises(raised) as caught:
        client.chat.completions.create(
            model="work", messages=[{"role": "user", "content": f"[[fault:{fault}]]"}], max_tokens=5
        )
    assert caught.value.request_id is not None
    assert isthmus.entry(caught.value.request_id).outcome == "failed"
    if fault == "429":
        assert float(caught.value.response.headers["retry-after"]) > 0


def test_a_vendor_that_dies_in_mid_stream_is_an_honest_error(faulty: Vendor) -> None:
    _, client, _ = faulty
    stream = client.chat.completions.create(
        model="work",
        messages=[{"role": "user", "content": "[[fault:die]] between two seas"}],
        max_tokens=5,
        stream=True,
    )
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "stream_interrupted"
