import pytest
from conformance.upstream.wit import Filling, answer
from tests.fakes.stand_in import Asked

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
END = {"type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}}


def calls(asked: Asked) -> list[tuple[str, dict[str, object]]]:
    return [(name, arguments) for _, name, arguments in answer(asked).calls]


def test_a_tool_is_called_when_a_word_of_its_name_is_in_the_question() -> None:
    tools: dict[str, object] = {"get_weather": WEATHER, "roll_dice": {}}
    assert calls(Asked(text="What is the weather in Paris?", tools=tools)) == [("get_weather", {"city": "Paris"})]
    assert calls(Asked(text="Good morning", tools=tools)) == []


def test_a_tool_that_must_be_called_is() -> None:
    assert calls(Asked(text="Good morning", tools={"get_weather": WEATHER}, must_call=True))


def test_a_tool_named_in_full_goes_before_those_that_share_a_word_with_it() -> None:
    tools: dict[str, object] = {"magic_function": {}, "magic_function_no_args": {}}
    assert [name for name, _ in calls(Asked(text="Use magic_function_no_args()", tools=tools))] == [
        "magic_function_no_args"
    ]


def test_results_end_the_task() -> None:
    tools = {"get_weather": WEATHER, "final_result": END}
    results = ["21 degrees in Paris"]
    assert answer(Asked(results=results, tools=tools)).text == "The tools said: 21 degrees in Paris"
    assert calls(Asked(results=results, tools=tools, must_call=True)) == [
        ("final_result", {"city": "Paris", "degrees": 21})
    ]


def test_no_two_calls_have_the_same_id() -> None:
    asked = Asked(text="Good morning", tools={"get_weather": WEATHER}, must_call=True)
    assert answer(asked).calls[0][0] != answer(asked).calls[0][0]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 3),
        ({"type": "string"}, "你好"),
        ({"enum": ["cloudy", "sunny"]}, "sunny"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, 3.0),
        ({"type": ["array", "null"], "items": {"const": 7}}, [7]),
        ({"$ref": "#/$defs/inner", "$defs": {"inner": {"type": "boolean"}}}, True),
        ({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}, {"a": 3, "b": 4}),
    ],
)
def test_fields_are_filled_from_what_was_said(schema: object, value: object) -> None:
    assert Filling("It is Sunny, '你好', 3 + 4").value(schema) == value
