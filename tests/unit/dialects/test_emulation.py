"""Tools and schemas made out of schemas of objects."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dialects.strategies import json_objects, json_values, merged, texts

from isthmus.dialects.emulation import Emulation, plan
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Finished,
    FinishReason,
    Json,
    Message,
    ReasoningDelta,
    ResponseFormat,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Used,
)
from isthmus.domain.offer import Capabilities
from isthmus.domain.usage import Usage

SMALL = Capabilities(tools="emulated", json_schema="emulated")

WEATHER = Tool(
    name="get_weather",
    description="Weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TREE = Tool(
    name="plant",
    parameters={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Node"}, "$ref": {"type": "string"}},
        "required": ["tree"],
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "kind": {"const": "leaf"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["kind"],
                "additionalProperties": False,
            }
        },
    },
)


def asked(**options: Any) -> CompletionRequest:
    messages = (Message(role="user", parts=(Text(text="Hello"),)),)
    return CompletionRequest(**({"model": "m", "messages": messages} | options))


def planned(request: CompletionRequest) -> Emulation:
    counter = itertools.count(1)
    emulation = plan(request, SMALL, new_id=lambda: f"call_{next(counter)}")
    assert emulation is not None
    return emulation


def schema_of(request: CompletionRequest) -> dict[str, Json]:
    assert request.response_format is not None
    assert request.response_format.schema is not None
    return dict(request.response_format.schema)


def answered(emulation: Emulation, text: str, finish: FinishReason = "stop") -> Choice:
    completion = Completion(id="c", model="m", choices=(Choice(parts=(Text(text=text),), finish=finish),))
    return emulation.completion(completion).choices[0]


def valid(value: Json, schema: dict[str, Json]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def streamed(emulation: Emulation, pieces: list[str], finish: FinishReason = "stop") -> list[Event]:
    events: list[Event] = [Started(id="c", model="m"), *(TextDelta(text=piece) for piece in pieces)]
    events += [Finished(reason=finish), Used(usage=Usage(output=3))]
    stream = emulation.stream()
    return [out for event in events for out in stream.feed(event)] + stream.close()


def said(choice: Choice) -> list[Event]:
    """A choice as the events that say the same."""
    events: list[Event] = [Started(id="c", model="m")]
    number = 0
    for part in choice.parts:
        if isinstance(part, Text):
            events.append(TextDelta(text=part.text))
        elif isinstance(part, ToolCall):
            events.append(ToolCallStarted(call=number, id=part.id, name=part.name))
            events.append(ToolCallDelta(call=number, arguments=part.arguments))
            number += 1
    assert choice.finish is not None
    return [*events, Finished(reason=choice.finish), Used(usage=Usage(output=3))]


cut = st.lists(st.integers(0, 400), max_size=8)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


# --------------------------------------------------------------------------------------------- whether at all


def test_nothing_is_emulated_where_the_offer_can_do_it_itself() -> None:
    assert plan(asked(tools=(WEATHER,)), Capabilities(tools="yes", json_schema="yes")) is None


def test_nothing_is_emulated_where_nothing_is_asked() -> None:
    assert plan(asked(), SMALL) is None
    assert plan(asked(response_format=ResponseFormat(kind="json_object")), SMALL) is None


def test_log_probabilities_of_an_emulated_answer_are_refused() -> None:
    with pytest.raises(Unsupported) as caught:
        plan(asked(tools=(WEATHER,), logprobs=True), SMALL)
    assert caught.value.param == "logprobs"


def test_a_choice_of_a_tool_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        plan(asked(tools=(WEATHER,), tool_choice=ToolChoice(mode="named", name="fly")), SMALL)


# ---------------------------------------------------------------------------------------- the rewritten request


def test_tools_become_a_union_of_calls_and_a_reply() -> None:
    sent = planned(asked(tools=(WEATHER,), parallel_tool_calls=False)).request
    assert (sent.tools, sent.tool_choice, sent.parallel_tool_calls) == ((), None, None)
    schema = schema_of(sent)
    jsonschema.validate({"tool": "get_weather", "arguments": {"city": "Oslo"}}, schema)
    jsonschema.validate({"reply": "Hi"}, schema)
    for wrong in (
        {"tool": "get_weather", "arguments": {}},
        {"tool": "other", "arguments": {}},
        {"tool": "get_weather"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(mode="named", name="get_weather")])
def test_a_required_call_leaves_no_reply(choice: ToolChoice) -> None:
    schema = schema_of(planned(asked(tools=(WEATHER, TREE), tool_choice=choice)).request)
    jsonschema.validate({"tool": "get_weather", "arguments": {"city": "Oslo"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"reply": "Hi"}, schema)
    if choice.mode == "named":
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"tool": "plant", "arguments": {"tree": {"kind": "leaf"}}}, schema)


def test_references_of_a_tool_point_to_its_own_definitions_from_within_the_union() -> None:
    other = replace(
        TREE,
        name="other",
        parameters={"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
    )
    schema = schema_of(planned(asked(tools=(TREE, other))).request)
    jsonschema.Draft202012Validator.check_schema(schema)
    leaf = {"kind": "leaf"}
    jsonschema.validate(
        {"tool": "plant", "arguments": {"tree": {"kind": "leaf", "children": [leaf]}, "$ref": "x"}}, schema
    )
    jsonschema.validate({"tool": "other", "arguments": {"next": {"next": {}}}}, schema)
    for wrong in (
        {"tool": "plant", "arguments": {"tree": {"kind": "leaf", "children": [{"kind": "bush"}]}}},
        {"tool": "other", "arguments": {"next": {"other": {}}}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_the_instruction_joins_the_system_message_and_names_the_tools() -> None:
    system = Message(role="system", parts=(Text(text="Be brief."),))
    user = Message(role="user", parts=(Text(text="Hello"),))
    with_system = planned(asked(messages=(system, user), tools=(WEATHER,))).request.messages
    without = planned(asked(messages=(user,), tools=(WEATHER,))).request.messages
    assert [message.role for message in with_system] == [message.role for message in without] == ["system", "user"]
    (text,) = with_system[0].parts
    assert isinstance(text, Text)
    assert text.text.startswith("Be brief.\n\n")
    assert "get_weather: Weather of a city." in text.text


def test_earlier_calls_and_results_are_told_as_text_in_turns() -> None:
    call = ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}')
    messages = (
        Message(role="user", parts=(Text(text="Weather?"),)),
        Message(role="assistant", parts=(Text(text="Let me see."), call)),
        Message(role="tool", parts=(ToolResult(call_id="call_9", name="get_weather", parts=(Text(text="Rain"),)),)),
        Message(role="tool", parts=(ToolResult(call_id="call_8", parts=(Text(text="gone"),), is_error=True),)),
        Message(role="user", parts=(Text(text="Thanks"),)),
    )
    sent = planned(asked(messages=messages, tools=(WEATHER,), tool_choice=ToolChoice(mode="none"))).request
    assert [(message.role, message.parts) for message in sent.messages] == [
        ("user", (Text(text="Weather?"),)),
        ("assistant", (Text(text='Let me see.\n{"tool": "get_weather", "arguments": {"city":"Oslo"}}'),)),
        (
            "user",
            (Text(text="Result of the tool get_weather:\nRain\nError of the tool call_8:\ngone\nThanks"),),
        ),
    ]
    assert sent.response_format is None


# ------------------------------------------------------------------------------------------------ the way back


@given(json_objects, cut, st.sampled_from([None, 2]))
def test_arguments_survive_whole_and_streamed(arguments: dict[str, Json], cuts: list[int], indent: int | None) -> None:
    tool = Tool(name="do", parameters={"type": "object"})
    written = json.dumps({"tool": "do", "arguments": arguments}, indent=indent)
    jsonschema.validate(json.loads(written), schema_of(planned(asked(tools=(tool,))).request))
    choice = answered(planned(asked(tools=(tool,))), written)
    (call,) = choice.parts
    assert isinstance(call, ToolCall)
    assert (call.name, json.loads(call.arguments), choice.finish) == ("do", arguments, "tool_calls")
    assert merged(streamed(planned(asked(tools=(tool,))), pieces_of(written, cuts))) == said(choice)


@given(texts, cut, st.booleans())
def test_a_reply_survives_whole_and_streamed(reply: str, cuts: list[int], ascii_only: bool) -> None:
    written = json.dumps({"reply": reply}, ensure_ascii=ascii_only)
    choice = answered(planned(asked(tools=(WEATHER,))), written)
    assert choice == Choice(parts=(Text(text=reply),) if reply else (), finish="stop")
    assert merged(streamed(planned(asked(tools=(WEATHER,))), pieces_of(written, cuts))) == said(choice)


@given(st.text(max_size=60) | json_values.map(json.dumps), cut, st.integers(0, 60))
def test_any_text_reads_the_same_whole_and_streamed(text: str, cuts: list[int], length: int) -> None:
    for written in (text, f'{{"reply": "{text}'[:length], f'{{"tool": "get_weather", {text}'[:length]):
        choice = answered(planned(asked(tools=(WEATHER,))), written, "length")
        assert merged(streamed(planned(asked(tools=(WEATHER,))), pieces_of(written, cuts), "length")) == said(choice)


def test_a_reply_is_streamed_as_it_comes() -> None:
    stream = planned(asked(tools=(WEATHER,))).stream()
    written = ['{"reply', '":"Hel', "lo \\", "u00e", '9"}']
    texts_out = [
        [event.text for event in stream.feed(TextDelta(text=piece)) if isinstance(event, TextDelta)]
        for piece in written
    ]
    assert texts_out == [[], ["Hel"], ["lo "], [], ["é"]]


@pytest.mark.parametrize(
    ("escapes", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d!, half of a pair", "�!, half of a pair"),
        (r"\x is no escape, really", "� is no escape, really"),
        (r"\n\t\"\\\/", '\n\t"\\/'),
    ],
)
def test_escapes_are_read_as_json_says_and_bad_ones_do_no_harm(escapes: str, text: str) -> None:
    written = f'{{"reply": "{escapes}"}}'
    assert answered(planned(asked(tools=(WEATHER,))), written).parts == (Text(text=text),)
    events = merged(streamed(planned(asked(tools=(WEATHER,))), list(written)))
    assert events[1] == TextDelta(text=text)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('{"tool": "get_weather", "argum', '{"tool": "get_weather", "argum'),
        ('{"reply": "It is', "It is"),
        ('{"tool": "unknown", "arguments": {}}', '{"tool": "unknown", "arguments": {}}'),
        ("It is raining.", "It is raining."),
    ],
)
def test_what_is_not_of_the_form_is_told_as_text(written: str, text: str) -> None:
    assert answered(planned(asked(tools=(WEATHER,))), written, "length") == Choice(
        parts=(Text(text=text),), finish="length"
    )


def test_a_tool_may_be_called_as_the_form_calls_its_parts() -> None:
    for name in ("reply", "calls", "tool"):
        tool = Tool(name=name, parameters={"type": "object"})
        choice = answered(planned(asked(tools=(tool,))), f'{{"tool": "{name}", "arguments": {{}}}}')
        assert choice.parts == (ToolCall(id="call_1", name=name, arguments="{}"),)


@given(json_values, cut)
def test_a_reply_has_the_form_the_request_asked_for(value: Json, cuts: list[int]) -> None:
    wanted = ResponseFormat(kind="json_schema", name="v", schema={"$ref": "#/$defs/V", "$defs": {"V": {}}})
    request = asked(tools=(WEATHER,), response_format=wanted)
    written = json.dumps({"reply": value})
    jsonschema.validate(json.loads(written), schema_of(planned(request).request))
    choice = answered(planned(request), written)
    (text,) = choice.parts
    assert isinstance(text, Text)
    assert json.loads(text.text) == value
    assert merged(streamed(planned(request), pieces_of(written, cuts))) == said(choice)


def test_a_stream_without_a_finish_still_gives_out_what_it_held() -> None:
    stream = planned(asked(tools=(WEATHER,), stop=("end",))).stream()
    assert stream.feed(TextDelta(text='{"reply": "The en')) == [TextDelta(text="The ")]
    assert stream.feed(ReasoningDelta(text="Hm")) == [ReasoningDelta(text="Hm")]
    assert stream.close() == [TextDelta(text="en")]


# ------------------------------------------------------------------------------------------- calls as they are written


def test_arguments_are_streamed_as_they_are_written() -> None:
    stream = planned(asked(tools=(WEATHER,))).stream()
    written = ['{"tool": "get_', 'weather", "arguments": ', '{"ci', 'ty": "}Os', 'lo"} ', "}"]
    assert [stream.feed(TextDelta(text=piece)) for piece in written] == [
        [],
        [],
        [ToolCallStarted(call=0, id="call_1", name="get_weather"), ToolCallDelta(call=0, arguments='{"ci')],
        [ToolCallDelta(call=0, arguments='ty": "}Os')],
        [ToolCallDelta(call=0, arguments='lo"}')],
        [],
    ]
    assert stream.feed(Finished(reason="stop")) == [Finished(reason="tool_calls")]


@pytest.mark.parametrize("finish", ["length", "stop", "content_filter"])
def test_a_call_that_was_cut_keeps_what_was_written_and_why_it_ended(finish: FinishReason) -> None:
    written = '{"tool": "get_weather", "arguments": {"city": "Os'
    emulation = planned(asked(tools=(WEATHER,)))
    cut_call = ToolCall(id="call_1", name="get_weather", arguments='{"city": "Os')
    assert answered(emulation, written, finish) == Choice(parts=(cut_call,), finish=finish)


def test_a_call_whose_arguments_are_whole_is_a_call_wherever_the_rest_was_cut() -> None:
    choice = answered(
        planned(asked(tools=(WEATHER,))), '{"tool": "get_weather", "arguments": {"city": "Oslo"}', "length"
    )
    assert choice.finish == "tool_calls"


def test_several_calls_only_where_the_request_allows_them_itself() -> None:
    two = {"calls": [{"tool": "get_weather", "arguments": {"city": city}} for city in ("Oslo", "Rome")]}
    for parallel in (None, False):
        assert not valid(two, schema_of(planned(asked(tools=(WEATHER,), parallel_tool_calls=parallel)).request))
    assert valid(two, schema_of(planned(asked(tools=(WEATHER,), parallel_tool_calls=True)).request))
    assert not valid({"calls": []}, schema_of(planned(asked(tools=(WEATHER,), parallel_tool_calls=True)).request))


@given(st.lists(json_objects, min_size=1, max_size=4), cut, st.sampled_from([None, 2]))
def test_several_calls_survive_whole_and_streamed(arguments: list[Any], cuts: list[int], indent: int | None) -> None:
    request = asked(tools=(Tool(name="do", parameters={"type": "object"}),), parallel_tool_calls=True)
    written = json.dumps({"calls": [{"tool": "do", "arguments": one} for one in arguments]}, indent=indent)
    choice = answered(planned(request), written)
    assert choice.finish == "tool_calls"
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    assert [json.loads(call.arguments) for call in calls] == arguments
    assert [call.id for call in calls] == [f"call_{at}" for at in range(1, len(calls) + 1)]
    assert merged(streamed(planned(request), pieces_of(written, cuts))) == said(choice)


@pytest.mark.parametrize("finish", ["length", "stop"])
def test_a_list_of_calls_that_was_cut_is_not_whole(finish: FinishReason) -> None:
    request = asked(tools=(WEATHER,), parallel_tool_calls=True)
    for rest in ("", ', {"tool": "get_weather", "arguments": {"ci', ", {"):
        written = '{"calls": [{"tool": "get_weather", "arguments": {"city": "Oslo"}}' + rest
        choice = answered(planned(request), written, finish)
        assert (choice.finish, choice.parts[0]) == (
            finish,
            ToolCall(id="call_1", name="get_weather", arguments='{"city": "Oslo"}'),
        )


@given(texts, st.lists(st.text("ab", min_size=1, max_size=3), max_size=3), cut)
def test_a_reply_ends_before_the_first_stop_text(reply: str, stop: list[str], cuts: list[int]) -> None:
    request = asked(tools=(WEATHER,), stop=tuple(stop))
    assert planned(request).request.stop == ()
    written = json.dumps({"reply": reply})
    choice = answered(planned(request), written)
    before = min((reply.index(text) for text in stop if text in reply), default=len(reply))
    assert choice.parts == ((Text(text=reply[:before]),) if before else ())
    assert choice.finish == ("stop_sequence" if before < len(reply) else "stop")
    events = merged(streamed(planned(request), pieces_of(written, cuts)))
    ends = [event for event in events if isinstance(event, Finished)]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == reply[:before]
    assert [(event.reason, event.stop_sequence) for event in ends] == [(choice.finish, choice.stop_sequence)]


# ---------------------------------------------------------------------------------------------- wrapped schemas


def test_a_schema_of_objects_is_put_into_the_words_of_the_engine_and_its_answer_left_alone() -> None:
    wanted = ResponseFormat(
        kind="json_schema", name="v", schema={"type": "object", "properties": {"a": True, "b": False}}
    )
    emulation = planned(asked(response_format=wanted, logprobs=True))
    schema = schema_of(emulation.request)
    assert set(schema["properties"]) == {"a"}
    assert answered(emulation, '{"a": 1}') == Choice(parts=(Text(text='{"a": 1}'),), finish="stop")


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["billing", "login"]},
        {"type": "array", "items": {"$ref": "#/$defs/Label"}, "$defs": {"Label": {"enum": ["a", "b"]}}},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
    ],
)
def test_a_schema_of_other_things_than_objects_is_wrapped(schema: dict[str, Json]) -> None:
    request = asked(response_format=ResponseFormat(kind="json_schema", name="label", schema=schema))
    wrapped = schema_of(planned(request).request)
    jsonschema.Draft202012Validator.check_schema(wrapped)
    assert wrapped["type"] == "object"
    values: list[Json] = ["billing", ["a"], ["c"], None, {}, 3]
    for value in values:
        inner = jsonschema.Draft202012Validator(schema).is_valid(value)
        assert jsonschema.Draft202012Validator(wrapped).is_valid({"answer": value}) == inner


@given(json_values, cut)
def test_a_wrapped_answer_is_unwrapped_whole_and_streamed(value: Json, cuts: list[int]) -> None:
    request = asked(response_format=ResponseFormat(kind="json_schema", schema={"enum": ["x"]}))
    written = json.dumps({"answer": value})
    choice = answered(planned(request), written)
    (text,) = choice.parts
    assert isinstance(text, Text)
    assert json.loads(text.text) == value
    assert merged(streamed(planned(request), pieces_of(written, cuts))) == said(choice)


def test_a_wrapped_answer_that_was_cut_is_told_as_it_is() -> None:
    request = asked(response_format=ResponseFormat(kind="json_schema", schema={"enum": ["x"]}))
    assert answered(planned(request), '{"answer": "x', "length") == Choice(
        parts=(Text(text='{"answer": "x'),), finish="length"
    )
