"""The stand-ins answer the official clients, and refuse what the vendors would."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter
from tests.fakes import anthropic_server as claude
from tests.fakes import gemini_server as gemini
from tests.fakes import openai_server as gpt
from tests.fakes.stand_in import StandIn

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = base64.b64encode(b"\x89PNG....").decode()
HEADERS = {
    "claude": {"x-api-key": claude.KEY, "anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": gemini.KEY},
    "gpt": {"authorization": f"Bearer {gpt.KEY}"},
}
PATHS = {
    "claude": "/v1/messages",
    "gemini": "/v1beta/models/gemini-3.5-flash:generateContent",
    "gpt": "/v1/chat/completions",
}
PLAIN: dict[str, dict[str, Any]] = {
    "claude": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    "gpt": {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, StandIn]]:
    with claude.anthropic_server() as one, gemini.gemini_server() as two, gpt.openai_server() as three:
        yield {"claude": one, "gemini": two, "gpt": three}


def post(
    server: StandIn, path: str, headers: dict[str, str], body: Any, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, msgspec.json.encode(body), {"content-type": "application/json"} | headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def ask(servers: dict[str, StandIn], vendor: str, **changes: Any) -> tuple[int, dict[str, str], bytes]:
    return post(servers[vendor], PATHS[vendor], HEADERS[vendor], PLAIN[vendor] | changes)


def test_the_official_anthropic_client_is_answered(servers: dict[str, StandIn]) -> None:
    client = anthropic.Anthropic(api_key=claude.KEY, base_url=servers["claude"].url, max_retries=0)
    tools: Any = [{"name": "weather", "input_schema": TOOL}]
    with client:
        plain = client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
        assert plain.content[0].type == "text"
        assert plain.content[0].text == "You said: hello"
        with client.messages.stream(
            model="m",
            max_tokens=9,
            tools=tools,
            thinking={"type": "adaptive"},
            messages=[{"role": "user", "content": "call weather"}],
        ) as stream:
            whole = stream.get_final_message()
    assert [block.type for block in whole.content] == ["thinking", "tool_use"]
    assert whole.content[1].to_dict()["input"] == {"city": "isthmus"}
    assert whole.stop_reason == "tool_use"


def test_the_official_openai_client_is_answered(servers: dict[str, StandIn]) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    with openai.OpenAI(api_key=gpt.KEY, base_url=servers["gpt"].url + "/v1", max_retries=0) as client:
        plain = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
        assert plain.choices[0].message.content == "You said: hello"
        called = client.chat.completions.create(
            model="m", tools=tools, messages=[{"role": "user", "content": "call weather"}]
        )
        calls: Any = called.choices[0].message.tool_calls
        assert calls[0].function.arguments == '{"city":"isthmus"}'


SHAPES: dict[str, Any] = {
    "claude": TypeAdapter(Message),
    "gemini": TypeAdapter(GenerateContentResponse),
    "gpt": TypeAdapter(ChatCompletion),
}
EVENT_SHAPES: dict[str, Any] = {
    "claude": TypeAdapter(RawMessageStreamEvent),
    "gemini": TypeAdapter(GenerateContentResponse),
    "gpt": TypeAdapter(ChatCompletionChunk),
}
WITH_TOOLS: dict[str, dict[str, Any]] = {
    "claude": {
        "tools": [{"name": "weather", "input_schema": TOOL}],
        "tool_choice": {"type": "any"},
    },
    "gemini": {
        "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": TOOL}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    },
    "gpt": {
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}],
        "tool_choice": "required",
    },
}


@pytest.mark.parametrize("vendor", list(SHAPES))
@pytest.mark.parametrize("called", [False, True])
def test_answers_have_the_published_shape(servers: dict[str, StandIn], vendor: str, called: bool) -> None:
    status, _, body = ask(servers, vendor, **(WITH_TOOLS[vendor] if called else {}))
    assert status == 200
    SHAPES[vendor].validate_json(body)
    assert (b"weather" in body) == called


@pytest.mark.parametrize("vendor", list(SHAPES))
@pytest.mark.parametrize("called", [False, True])
def test_events_have_the_published_shape(servers: dict[str, StandIn], vendor: str, called: bool) -> None:
    path = PATHS[vendor].replace("generateContent", "streamGenerateContent?alt=sse")
    changes = (WITH_TOOLS[vendor] if called else {}) | ({} if vendor == "gemini" else {"stream": True})
    status, _, body = post(servers[vendor], path, HEADERS[vendor], PLAIN[vendor] | changes)
    assert status == 200
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    events = [line for line in lines if line not in (b"[DONE]", b'{"type":"ping"}')]
    # Gemini says a call whole, in one event with the reason to finish.
    assert len(events) >= (1 if vendor == "gemini" and called else 3)
    for one in events:
        EVENT_SHAPES[vendor].validate_json(one)


@pytest.mark.parametrize(
    ("vendor", "changes"),
    [
        ("claude", {"max_tokens": None}),
        ("claude", {"seed": 3}),
        ("claude", {"temperature": 1.5}),
        ("claude", {"tool_choice": {"type": "any"}}),
        ("claude", {"thinking": {"type": "enabled", "budget_tokens": 1023}, "max_tokens": 5000}),
        ("claude", {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 2000}),
        ("claude", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "name": "y"}]}]}),
        ("claude", {"messages": [{"role": "user", "content": ""}]}),
        (
            "claude",
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": {}}]},
                    {"role": "user", "content": "no result"},
                ]
            },
        ),
        ("gemini", {"model": "m"}),
        ("gemini", {"generationConfig": {"max_tokens": 3}}),
        ("gemini", {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}),
        ("gemini", {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "x", "response": {}}}]}]}),
        ("gemini", {"generationConfig": {"responseJsonSchema": {"type": "object"}}}),
        ("gpt", {"top_k": 3}),
        ("gpt", {"temperature": 3}),
        ("gpt", {"parallel_tool_calls": True}),
        ("gpt", {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}),
    ],
)
def test_what_the_vendor_refuses_is_refused(servers: dict[str, StandIn], vendor: str, changes: dict[str, Any]) -> None:
    before = len(servers[vendor].rejected)
    assert ask(servers, vendor, **changes)[0] == 400
    assert len(servers[vendor].rejected) == before + 1


@pytest.mark.parametrize("vendor", list(SHAPES))
def test_a_wrong_key_path_or_method_is_refused(servers: dict[str, StandIn], vendor: str) -> None:
    server, path, headers, body = servers[vendor], PATHS[vendor], HEADERS[vendor], PLAIN[vendor]
    assert post(server, path, headers | dict.fromkeys(headers, "wrong"), body)[0] in (400, 401)
    assert post(server, path + "x", headers, body)[0] == 404
    assert post(server, path, headers, body, "PUT")[0] == 404


def test_the_sampling_options_are_gone_from_the_newer_version(servers: dict[str, StandIn]) -> None:
    headers = HEADERS["claude"] | {"anthropic-version": "2026-10-21"}
    body = PLAIN["claude"] | {"temperature": 0.5}
    assert post(servers["claude"], "/v1/messages", headers, body)[0] == 400
    assert ask(servers, "claude", temperature=0.5)[0] == 200


@pytest.mark.parametrize("vendor", list(SHAPES))
def test_faults_come_on_demand(servers: dict[str, StandIn], vendor: str) -> None:
    server = servers[vendor]
    text = msgspec.json.encode(PLAIN[vendor]).replace(b"hello", b"[[fault:429]]")
    status, headers, _ = post(server, PATHS[vendor], HEADERS[vendor], msgspec.json.decode(text))
    assert (status, headers["retry-after"]) == (429, "2")
    try:
        server.fault = "529"
        assert ask(servers, vendor)[0] == 529
        server.fault = "die"
        with pytest.raises(http.client.IncompleteRead):
            ask(servers, vendor)
    finally:
        server.fault = None
    assert ask(servers, vendor)[0] == 200
