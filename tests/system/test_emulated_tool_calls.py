"""Tool calls of the real small model through the running server: on the wire as those of an offer that calls itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import openai
import pytest
from tests.system.process import Isthmus, running

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

HOME = """
[offers.home]
provider = "embedded"
model = "smollm2-135m-instruct"
context = 2048

[workloads.chat]
offers = ["home"]
"""


def tool(name: str, parameters: Any = None) -> Any:
    about: dict[str, Any] = {"name": name, "description": f"The tool {name}."}
    return {"type": "function", "function": about if parameters is None else about | {"parameters": parameters}}


def closed(**properties: Any) -> Any:
    return {"type": "object", "properties": properties, "required": list(properties)}


CITY = closed(city={"enum": ["Paris", "Rome"]})
SCHEMAS: dict[str, Any] = {
    "references": {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/a~1place"}},
        "required": ["place"],
        "$defs": {"a/place": closed(kind={"const": "city"}, on={"type": "boolean"})},
    },
    "recursion": closed(kind={"enum": ["leaf"]}, under={"type": "array", "items": {"$ref": "#"}, "maxItems": 0}),
    "booleans": {"type": "object", "properties": {"a": {"const": 1}, "b": False}, "required": ["a"]},
    "beside": {
        "type": "object",
        "properties": {"a": {"enum": [1]}, "b": {"enum": [2]}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "all of": {"allOf": [closed(a={"type": "integer", "minimum": 3}), {"properties": {"a": {"maximum": 4}}}]},
    "a pattern": closed(day={"type": "string", "pattern": r"^\d{4}-\d{2}$"}, mark={"type": "string", "pattern": "^.$"}),
    "a tuple": closed(at={"type": "array", "prefixItems": [{"enum": [1, 2]}, {"enum": ["x"]}], "items": False}),
    "optional nonsense": {
        "type": "object",
        "properties": {"a": {"type": "string", "minLength": 3, "maxLength": 1}, "b": {"type": "boolean"}},
        "required": ["b"],
    },
    "quotes": closed(said={"enum": ['say "a"\\\n']}),
}
"""Each is refused, overlooked in part or never answered by the engine as it stands."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    with running(Isthmus(tmp_path_factory.mktemp("home"), HOME)) as server:
        address = f"http://127.0.0.1:{server.port}/v1"
        with openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=120) as client:
            yield client


def ask(client: openai.OpenAI, *tools: Any, **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": "How is the weather in Rome?"}]
    wanted: dict[str, Any] = {"model": "chat", "messages": messages, "temperature": 0, "max_tokens": 200, **more}
    return client.chat.completions.create(**(wanted | ({"tools": list(tools)} if tools else {})))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_call_is_valid_whatever_the_schema(client: openai.OpenAI, name: str) -> None:
    answer = ask(client, tool("act", SCHEMAS[name]), tool_choice="required")
    [choice] = answer.choices
    [call] = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name, choice.message.content) == ("tool_calls", "act", None)
    jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[name], jsonschema.Draft202012Validator)
    assert call.id.startswith("call_")
    assert answer.usage.completion_tokens > 0


def test_a_named_tool_is_called_and_one_without_parameters_with_nothing(client: openai.OpenAI) -> None:
    for parameters in (None, {"type": "object", "properties": {}}):
        named = {"type": "function", "function": {"name": "stop"}}
        answer = ask(client, tool("weather", CITY), tool("stop", parameters), tool_choice=named)
        [call] = answer.choices[0].message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("stop", {})


def test_several_calls_may_come_and_are_streamed_in_pieces(client: openai.OpenAI) -> None:
    stream = ask(client, tool("weather", CITY), tool_choice="required", parallel_tool_calls=True, stream=True)
    calls: dict[int, list[str]] = {}
    pieces, finish = 0, None
    for chunk in stream:
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for piece in choice.delta.tool_calls or ():
                calls.setdefault(piece.index, []).append(piece.function.arguments or "")
                pieces += 1
    assert finish == "tool_calls"
    assert list(calls) == list(range(len(calls)))
    assert pieces > 2 * len(calls)
    for written in calls.values():
        jsonschema.validate(json.loads("".join(written)), CITY)


def test_without_a_choice_of_tools_the_answer_is_text(client: openai.OpenAI) -> None:
    [choice] = ask(client, tool("weather", CITY), tool_choice="none", max_tokens=16).choices
    assert choice.message.content
    assert choice.message.tool_calls is None


def test_a_call_that_runs_out_of_tokens_says_so(client: openai.OpenAI) -> None:
    schema = closed(text={"type": "string", "minLength": 400})
    [choice] = ask(client, tool("write", schema), tool_choice="required", max_tokens=32).choices
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "length"
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(call.function.arguments)


@pytest.mark.parametrize(
    "schema",
    [
        closed(text={"type": "string", "minLength": 3, "maxLength": 1}),
        closed(next={"$ref": "#"}),
        closed(day={"type": "date"}),
        closed(other={"$ref": "https://example.test/x"}),
    ],
)
def test_a_tool_that_nobody_could_call_is_refused_at_once(client: openai.OpenAI, schema: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="act"):
        ask(client, tool("act", schema))
