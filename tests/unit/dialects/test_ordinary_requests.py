"""What ordinary clients write leaves in every dialect where nothing is lost by it; what would be lost is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import Unsupported

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
OTHERS = pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE], ids=lambda dialect: dialect.name)


def sent(dialect: Any, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"model": "m", "messages": [USER]} | fields).encode()
    said: dict[str, Any] = json.loads(dialect.encode_request(OPENAI_CHAT.decode_request(body), model="m"))
    return said


@OTHERS
@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": "auto"},
        {"tool_choice": "none"},
        {"parallel_tool_calls": False},
        {"functions": [], "tools": []},
        {"verbosity": "medium"},
        {"repetition_penalty": 1.0, "chat_template_kwargs": {}},
        {"presence_penalty": 0, "frequency_penalty": 0.0} | {"store": False},
        {"metadata": {"ticket": "3"}, "store": True},
        {"messages": [USER | {"id": "msg_1"}]},
        {"messages": [USER, {"role": "assistant", "content": None}]},
        {"messages": [USER, {"role": "assistant", "content": ""}]},
        {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": ""}]}]},
        {"messages": [{"role": "system", "content": ""}, USER]},
    ],
)
def test_what_says_nothing_is_left_out(dialect: Any, fields: dict[str, Any]) -> None:
    said = sent(dialect, **fields)
    if dialect is GEMINI_GENERATE:  # it knows penalties
        said.pop("generationConfig", None)
    assert said == sent(dialect)


@OTHERS
def test_an_empty_text_beside_others_is_left_out(dialect: Any) -> None:
    parts = [{"type": "text", "text": ""}, {"type": "text", "text": "Hello"}]
    assert sent(dialect, messages=[{"role": "user", "content": parts}]) == sent(dialect)


@OTHERS
def test_one_limit_under_both_names_is_one_limit(dialect: Any) -> None:
    assert sent(dialect, max_tokens=5, max_completion_tokens=5) == sent(dialect, max_tokens=5)
    with pytest.raises(Unsupported) as caught:
        sent(dialect, max_tokens=5, max_completion_tokens=6)
    assert caught.value.param == "max_tokens"


@OTHERS
def test_null_arguments_are_none(dialect: Any) -> None:
    def asking(arguments: str) -> list[dict[str, Any]]:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        answer = {"role": "tool", "tool_call_id": "c", "content": "4"}
        return [USER, {"role": "assistant", "content": None, "tool_calls": [call]}, answer]

    assert sent(dialect, messages=asking("null")) == sent(dialect, messages=asking("{}"))
    with pytest.raises(Unsupported):
        sent(dialect, messages=asking('{"a": 1'))


@OTHERS
@pytest.mark.parametrize("fields", [{"verbosity": "low"}, {"repetition_penalty": 1.1}, {"logit_bias": {"1": 1}}])
def test_what_means_something_is_refused(dialect: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(dialect, **fields)
    assert caught.value.param == next(iter(fields))


def test_thoughts_of_another_vendor_are_left_out_towards_anthropic() -> None:
    answer = {"role": "assistant", "content": "4", "reasoning_content": "2 + 2"}
    assert sent(ANTHROPIC_MESSAGES, messages=[USER, answer, USER]) == sent(
        ANTHROPIC_MESSAGES, messages=[USER, {"role": "assistant", "content": "4"}, USER]
    )


def test_an_image_at_low_detail_is_sent_to_anthropic_whole() -> None:
    def picture(**detail: str) -> list[dict[str, Any]]:
        return [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/a.png"} | detail}]}
        ]

    assert sent(ANTHROPIC_MESSAGES, messages=picture(detail="low")) == sent(ANTHROPIC_MESSAGES, messages=picture())


def test_a_cache_mark_at_a_message_is_one_at_its_last_part() -> None:
    mark = {"type": "ephemeral"}
    said = sent(ANTHROPIC_MESSAGES, messages=[USER | {"cache_control": mark}])
    assert said["messages"][0]["content"] == [{"type": "text", "text": "Hello", "cache_control": mark}]


def test_serial_calls_of_several_tools_cannot_be_asked_of_gemini() -> None:
    other = {"type": "function", "function": {"name": "g"}}
    with pytest.raises(Unsupported) as caught:
        sent(GEMINI_GENERATE, tools=[TOOL, other], parallel_tool_calls=False)
    assert caught.value.param == "parallel_tool_calls"
