"""How answers are judged: what counts as well-formed, and what as right."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from bench.tool_calls import (
    Answer,
    Case,
    accepts,
    judge,
    main,
    matches,
    read_cases,
    sample,
    schema_of,
    split_of,
    wilson,
)

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "", "parameters": PARAMETERS}}
ASKS = Case("1", "live_simple", [], [TOOL], {"weather": {"city": ["New York, NY", "NYC"], "days": [1, ""]}})
CHATS = Case("2", "live_irrelevance", [], [TOOL], None)


def called(*calls: tuple[str, str], finish: str = "tool_calls") -> Answer:
    return Answer("", calls, finish, 9, 0.1)


def test_a_call_is_right_by_its_name_and_its_arguments() -> None:
    verdict = judge(ASKS, called(("weather", '{"city": "new york ny"}')), streamed=False)
    assert (verdict.ended, verdict.well_formed, verdict.tool, verdict.right) == ("call", True, True, True)


@pytest.mark.parametrize(
    ("calls", "well_formed", "tool"),
    [
        ([("weather", '{"city": "Oslo"}')], True, True),
        ([("weather", '{"city": "NYC", "days": 2}')], True, True),
        ([("weather", '{"city": "NYC"}'), ("weather", '{"city": "NYC"}')], True, False),
        ([("weather", '{"days": 1}')], False, False),
        ([("weather", '{"city": "NY')], False, False),
        ([("weather", "[]")], False, False),
        ([("climate", '{"city": "NYC"}')], False, False),
    ],
)
def test_a_call_is_wrong_where_any_of_it_is(calls: list[tuple[str, str]], well_formed: bool, tool: bool) -> None:
    verdict = judge(ASKS, called(*calls), streamed=False)
    assert (verdict.well_formed, verdict.tool, verdict.right) == (well_formed, tool, False)


def test_a_call_with_the_finish_reason_of_a_reply_is_not_well_formed() -> None:
    assert not judge(ASKS, called(("weather", '{"city": "NYC"}'), finish="stop"), streamed=False).well_formed


def test_an_answer_that_ran_out_of_tokens_is_counted_by_itself() -> None:
    verdict = judge(ASKS, called(("weather", '{"city": "NY'), finish="length"), streamed=True)
    assert (verdict.ended, verdict.well_formed, verdict.streamed) == ("cut", False, True)


def test_where_no_tool_is_to_be_called_a_reply_is_right_and_a_call_is_not() -> None:
    reply = Answer("Hello", [], "stop", 3, 0.1)
    assert judge(CHATS, reply, streamed=False).right
    assert not judge(ASKS, reply, streamed=False).right
    call = judge(CHATS, called(("weather", '{"city": "NYC"}')), streamed=False)
    assert (call.well_formed, call.right) == (True, False)


@pytest.mark.parametrize(
    ("value", "accepted", "same"),
    [
        ("New-York", ["new york"], True),
        (1, [1.0], True),
        (True, [1], False),
        (1, [True], False),
        (["A", "b"], [["a", "B"]], True),
        (["b", "a"], [["a", "b"]], False),
        ({"x": "A"}, [{"x": ["a", "c"], "y": ["", 2]}], True),
        ({"x": "A", "z": 1}, [{"x": ["a"]}], False),
        ("1", [1], False),
    ],
)
def test_values_are_compared_by_the_rules_of_the_leaderboard(value: Any, accepted: list[Any], same: bool) -> None:
    assert matches(value, accepted) is same


def test_what_must_be_said_may_not_be_left_out() -> None:
    assert accepts({}, {"a": ["x", ""]})
    assert not accepts({}, {"a": ["x"]})
    assert not accepts({}, {"a": ["x", ""]}, {"required": ["a"]})


def test_an_interval_holds_the_share_and_narrows_with_the_number() -> None:
    low, high = wilson(5, 10)
    assert low == pytest.approx(0.2366, abs=1e-4)
    assert high == pytest.approx(0.7634, abs=1e-4)
    assert wilson(50, 100)[0] > low
    assert wilson(0, 10)[0] == 0
    assert wilson(0, 0) == (0, 1)


def test_types_of_the_data_become_those_of_json_schema() -> None:
    told = {"type": "dict", "properties": {"a": {"type": "tuple", "items": {"type": "float"}}, "b": {"type": "any"}}}
    assert schema_of(told) == {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "number"}}, "b": {}},
    }


def test_the_sample_is_the_same_every_time_and_keeps_the_splits_apart(tmp_path: Path) -> None:
    function = {"name": "a.b", "description": "", "parameters": {"type": "dict", "properties": {}}}
    rows = [
        {
            "id": str(number),
            "category": "live_simple",
            "messages": [],
            "functions": [function],
            "ground_truth": [{"a.b": {}}],
        }
        for number in range(200)
    ]
    folder = tmp_path / "tool-calls"
    folder.mkdir()
    with gzip.open(folder / "live_prompts.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    cases = read_cases(tmp_path)
    assert cases[0].accepted == {"a_b": {}}
    assert cases[0].tools[0]["function"]["name"] == "a_b"
    chosen = sample(cases, "reported", 20)
    assert chosen == sample(cases, "reported", 20)
    assert len(chosen) == 20
    assert {split_of(case) for case in chosen} == {"reported"}
    assert not {case.id for case in chosen} & {case.id for case in sample(cases, "dev", 200)}


def test_without_data_it_says_that_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ISTHMUS_DATA", raising=False)
    monkeypatch.setattr("sys.argv", ["tool_calls"])
    assert main() == 0
    assert "nothing is measured" in capsys.readouterr().out
