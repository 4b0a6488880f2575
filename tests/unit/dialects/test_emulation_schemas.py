"""Schemas put into the words that engines can hold a model to: what is written by them satisfies the original."""

from __future__ import annotations

import json
import re
import string
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dialects.strategies import json_values

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.emulation import plan
from isthmus.dialects.emulation.constrain import Definitions
from isthmus.dialects.emulation.patterns import plain_pattern
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import CompletionRequest, Json, Message, Text, Tool
from isthmus.domain.offer import Capabilities

SMALL = Capabilities(tools="emulated", json_schema="emulated")
WORDS = {
    *("anyOf", "$ref", "$defs", "enum", "type", "properties", "required", "additionalProperties", "items"),
    *("prefixItems", "minItems", "maxItems", "pattern", "format", "minLength", "maxLength", "minimum", "maximum"),
}


def constrained(schema: Json) -> tuple[Any, list[str]]:
    """The schema in the vocabulary, and what it does not hold."""
    notes: list[str] = []
    definitions = Definitions()
    return definitions.finish(definitions.constrained(schema, "x", notes.append)), notes


def valid(value: Json, schema: Json) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


# ---- made up schemas and values: narrower, never wider

names = st.sampled_from(["a", "b", "c"])
scalars: st.SearchStrategy[Json] = st.one_of(
    st.builds(
        lambda low, more, kind: {"type": kind, "minimum": low, "maximum": low + more},
        st.integers(-20, 20),
        st.integers(0, 30),
        st.just("integer"),
    ),
    st.builds(lambda low: {"type": "integer", "exclusiveMinimum": low}, st.integers(-5, 5)),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    st.lists(json_values, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    json_values.map(lambda value: {"const": value}),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"type": "number"}, {"type": ["string", "null"]}, True, {}, False]
    ),
)


def _object(properties: dict[str, Json], required: list[str], closed: bool | None) -> Json:
    made: dict[str, Json] = {"type": "object", "properties": properties, "required": sorted(set(required))}
    return made if closed is None else {**made, "additionalProperties": not closed}


def _beyond(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(
        st.builds(
            _object,
            st.dictionaries(names, inner, max_size=3),
            st.lists(names, max_size=2),
            st.sampled_from([None, True, False]),
        ),
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(lambda some: {"type": "array", "prefixItems": some}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda some: {"anyOf": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda some: {"allOf": some}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda some: {"$defs": {"x": some}, "$ref": "#/$defs/x"}, inner),
    )


schemas = st.recursive(scalars, _beyond, max_leaves=6).filter(lambda schema: "$defs" not in json.dumps(schema))


def written_by(schema: Any, root: Any, choose: Any, depth: int = 0) -> Json:
    """Some value that a model held to a schema of the vocabulary may write."""
    match schema:
        case {"$ref": ref}:
            return written_by(root["$defs"][ref.removeprefix("#/$defs/")], root, choose, depth + 1)
        case {"anyOf": branches}:
            return written_by(choose(st.sampled_from(branches)), root, choose, depth + 1)
        case {"enum": values}:
            return choose(st.sampled_from(values))
        case {"type": "object", "properties": properties}:
            chosen = [
                name for name in properties if name in schema["required"] or (depth < 6 and choose(st.booleans()))
            ]
            made = {name: written_by(properties[name], root, choose, depth + 1) for name in chosen}
            if schema["additionalProperties"] is not False and choose(st.booleans()):
                made["other"] = written_by(schema["additionalProperties"], root, choose, depth + 1)
            return made
        case {"type": "array", "prefixItems": items}:
            return [written_by(item, root, choose, depth + 1) for item in items]
        case {"type": "array", "items": item}:
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", least + 2), least + 2) if depth < 6 else least
            return [written_by(item, root, choose, depth + 1) for _ in range(choose(st.integers(least, most)))]
        case {"type": "integer"}:
            low, high = schema.get("minimum", -(10**6)), schema.get("maximum", 10**6)
            return choose(st.integers(low, max(low, high)))
        case {"type": "string"}:
            least = schema.get("minLength", 0)
            return choose(st.text(string.printable, min_size=least, max_size=schema.get("maxLength", least + 3)))
        case {"type": kind}:
            of_kind = {"boolean": st.booleans(), "null": st.none(), "number": st.floats(-1e6, 1e6)}
            return choose(of_kind.get(kind, st.just({} if kind == "object" else [])))
        case _:
            raise AssertionError(schema)


def words_of(schema: Any) -> set[str]:
    found = set(schema)
    for name in ("properties", "$defs"):
        for one in schema.get(name, {}).values():
            found |= words_of(one)
    for name in ("anyOf", "prefixItems"):
        for one in schema.get(name, []):
            found |= words_of(one)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found |= words_of(schema[name])
    return found


@given(schemas, st.data())
def test_what_is_written_by_the_result_satisfies_the_original(schema: Json, data: st.DataObject) -> None:
    held, notes = constrained(schema)
    if held is None:
        return
    assert words_of(held) <= WORDS
    jsonschema.Draft202012Validator.check_schema(held)
    value = written_by(held, held, data.draw)
    assert valid(value, held)
    assert notes or valid(value, schema), (held, value)


wild = st.recursive(
    st.one_of(json_values, st.sampled_from(["#", "#/properties/a", "string", "integer", "^a", 10**400, 1e308, -1])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                sorted(WORDS | {"allOf", "oneOf", "const", "not", "exclusiveMinimum", "a", "maxProperties"})
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(WORDS | {"allOf", "oneOf", "const", "exclusiveMaximum"})), wild))
def test_whatever_a_client_sends_as_a_schema_is_put_into_words_or_refused(schema: dict[str, Json]) -> None:
    with suppress(InvalidRequest):
        constrained(schema)


def test_a_schema_that_grows_without_end_when_it_is_joined_is_refused() -> None:
    branches = [{"properties": {f"p{at}": {"$ref": "#"}}} for at in range(8)]
    with pytest.raises(InvalidRequest):
        constrained({"allOf": [{"anyOf": [{"allOf": [{"$ref": "#"}, one]} for one in branches]}, {"anyOf": branches}]})


# ---- one by one


@pytest.mark.parametrize(
    ("schema", "held"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9.5}, {"type": "integer", "minimum": 1, "maximum": 9}),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, {"type": "integer", "minimum": 4}),
        ({"type": "string", "enum": ["a", 1, None]}, {"enum": ["a"]}),
        ({"type": "string", "title": "T", "description": "D", "default": "x"}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "phone"}, {"type": "string"}),
        ({"type": "array", "prefixItems": [{"type": "null"}], "maxItems": 0}, {"type": "array", "prefixItems": []}),
        (
            {"properties": {"a": {"type": "null"}, "b": False}, "required": ["a"]},
            {
                "type": "object",
                "properties": {"a": {"type": "null"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "object", "properties": {}, "required": [], "additionalProperties": {"type": "integer"}},
        ),
        (
            {"properties": {"a": {"type": "null"}, "b": True}, "required": ["a"], "maxProperties": 1},
            {
                "type": "object",
                "properties": {"a": {"type": "null"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
        ({"allOf": [{"type": "number"}, {"type": ["integer", "null"]}]}, {"type": "integer"}),
        (
            {"type": "array", "items": False},
            {"type": "array", "items": {"type": "null"}, "maxItems": 0},
        ),
        (
            {"type": "string", "anyOf": [{"minLength": 2}, {"type": "integer"}, {"const": "x"}]},
            {"anyOf": [{"type": "string", "minLength": 2}, {"enum": ["x"]}]},
        ),
    ],
)
def test_a_schema_is_said_in_few_words(schema: Json, held: Json) -> None:
    assert constrained(schema) == (held, [])


@pytest.mark.parametrize(
    ("schema", "noted"),
    [
        ({"type": "number", "minimum": 0}, ["minimum"]),
        ({"type": "array", "items": {"type": "null"}, "uniqueItems": True}, ["uniqueItems"]),
        ({"type": "string", "not": {"const": ""}}, ["not"]),
        ({"type": "string", "pattern": "^(?=a).*$"}, ["pattern"]),
        ({"type": "string", "pattern": "^a+$", "minLength": 2, "maxLength": 3}, ["minLength", "maxLength"]),
        ({"type": "integer", "multipleOf": 5}, ["multipleOf"]),
        ({"type": "string", "maxLength": 100_000}, ["maxLength"]),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1}, ["maxProperties"]),
        ({"type": "object", "properties": {"a": {}}, "minProperties": 1}, ["minProperties"]),
    ],
)
def test_what_cannot_be_held_is_noted(schema: Json, noted: list[str]) -> None:
    assert constrained(schema)[1] == noted


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"type": "string", "minLength": 3, "maxLength": 1},
        {"type": "integer", "minimum": 3, "maximum": 1},
        {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 1},
        {"type": "array", "items": False, "minItems": 1},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        {"type": "object", "required": ["a"], "maxProperties": 0},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"const": 1}, {"const": 2}]},
    ],
)
def test_a_schema_that_nothing_satisfies_is_found_out(schema: Json) -> None:
    """llama.cpp never ends on some of these."""
    assert constrained(schema)[0] is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "dict"},
        {"type": "object", "properties": {"a": 3}},
        {"$ref": "https://example.test/x"},
        {"$ref": "#/$defs/gone"},
        {"anyOf": []},
        {"type": "integer", "minimum": "3"},
        {"type": "string", "minLength": -1},
        {"allOf": [{"$ref": "#"}, {"type": "object"}]},
    ],
)
def test_what_is_no_schema_is_refused(schema: Json) -> None:
    with pytest.raises(InvalidRequest):
        constrained(schema)


def test_references_become_definitions_of_their_own_names() -> None:
    """Whatever their names, and also where one refers to itself or to the whole."""
    tree = {
        "type": "object",
        "properties": {"up": {"$ref": "#"}, "down": {"$ref": "#/$defs/a~1b%20c"}},
        "$defs": {"a/b c": {"type": "array", "items": {"$ref": "#/$defs/a~1b%20c"}}},
    }
    held, notes = constrained(tree)
    assert set(held["$defs"]) == {"xd0", "xd1"}
    assert not notes
    assert valid({"up": {"down": [[[]]]}}, held)
    assert not valid({"up": {"down": [{}]}}, held)


def tool_with(parameters: Json) -> CompletionRequest:
    messages = (Message(role="user", parts=(Text(text="Hello"),)),)
    return CompletionRequest(model="m", messages=messages, tools=(Tool(name="do", parameters=parameters),))


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters_takes_an_empty_object(parameters: Json) -> None:
    emulation = plan(tool_with(parameters), SMALL)
    assert emulation is not None
    assert emulation.request.response_format is not None
    schema = emulation.request.response_format.schema
    assert valid({"tool": "do", "arguments": {}}, schema)
    assert not valid({"tool": "do", "arguments": {"a": 1}}, schema)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "string"},
        {"type": "object", "properties": {"a": {"type": "date"}}},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
    ],
)
def test_a_tool_that_cannot_be_called_is_refused_by_name(parameters: Json) -> None:
    with pytest.raises(InvalidRequest, match="'do'") as caught:
        plan(tool_with(parameters), SMALL)
    assert caught.value.param == "tools"


def test_the_client_is_told_what_the_model_is_not_held_to() -> None:
    adapted = Adapted()
    plan(tool_with({"properties": {"price": {"type": "number", "minimum": 0}}}), SMALL, adapted=adapted)
    assert adapted.text == "tools.parameters.minimum: told to the model, not held"


# ---- patterns


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        (r"^\d{4}-[a-z_]+$", "^[0-9]{4}-[_a-z]+$"),
        (r"^(?:EUR|USD)?$", "^(EUR|USD)?$"),
        (r"^a\.b$", r"^a[\x2e]b$"),
        ("^(?=a)b$", None),
        (r"^(a)\1$", None),
        ("^ü$", None),
        ("^a{2000}$", None),
        ("^$", None),
        ("(", None),
        (3, None),
    ],
)
def test_a_pattern_is_said_in_few_words(pattern: object, plain: str | None) -> None:
    assert plain_pattern(pattern) == plain


@given(
    st.sampled_from(
        [r"^\w+@\w+\.com$", "^.{1,3}$", r"[^a-c]\s", "a|b", r"^[\d.\-\]]*$", '^".*"$', r"^[^\"]+$", "x", r"^\S\D\W$"]
    ),
    st.data(),
)
def test_a_plain_pattern_matches_nothing_else_and_nothing_that_json_escapes(pattern: str, data: st.DataObject) -> None:
    plain = plain_pattern(pattern)
    if plain is None:
        assert '"' in pattern
        return
    found = data.draw(st.from_regex(plain.replace("$", r"\Z") if plain.endswith("$") else plain))
    assert re.search(pattern, found)
    assert json.dumps(found) == f'"{found}"'
