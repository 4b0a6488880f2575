"""Going on from an earlier answer, and what is kept of a streamed one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import ResponseItemList

from isthmus.dialects.openai_responses import OPENAI_RESPONSES as DIALECT
from isthmus.dialects.openai_responses import RESUMABLE
from isthmus.dialects.registry import resumable
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Choice, Completion, Finished, Message, Started, Text, TextDelta, ToolCall, ToolResult

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m"} | fields).encode()


def answer(earlier: bytes, *parts: Any) -> bytes:
    completion = Completion(id="1", model="m", choices=(Choice(parts=parts, finish="stop"),))
    return DIALECT.encode_completion(completion, DIALECT.decode_request(earlier))


def test_it_is_what_the_registry_gives() -> None:
    assert resumable("openai-responses") is RESUMABLE


def test_all_that_was_said_stands_before_what_is_new() -> None:
    first = body(input="Hello", instructions="Be brief.", tools=[TOOL])
    called = answer(first, Text(text="Wait."), ToolCall(id="c", name="look", arguments="{}"))
    result = {"type": "function_call_output", "call_id": "c", "output": "4"}
    second = RESUMABLE.going_on(first, called, body(previous_response_id="resp_1", input=[result], tools=[TOOL]))
    request = DIALECT.decode_request(second)
    assert DIALECT.read_facts(second).previous is None
    assert request.messages == (
        Message(role="user", parts=(Text(text="Hello"),)),
        Message(role="assistant", parts=(Text(text="Wait."), ToolCall(id="c", name="look", arguments="{}"))),
        Message(role="tool", parts=(ToolResult(call_id="c", name="look", parts=(Text(text="4"),)),)),
    )
    third = RESUMABLE.going_on(second, answer(second, Text(text="4.")), body(input="Sure?"))
    assert DIALECT.decode_request(third).messages == (
        *request.messages,
        Message(role="assistant", parts=(Text(text="4."),)),
        Message(role="user", parts=(Text(text="Sure?"),)),
    )


def test_a_reference_stands_for_the_item_that_was_said() -> None:
    first = body(input=[{"id": "msg_7", "role": "user", "content": "Hello"}])
    given = answer(first, Text(text="Hi."))
    refers = body(input=[{"type": "item_reference", "id": "msg_7"}])
    assert json.loads(RESUMABLE.going_on(first, given, refers))["input"][-1]["content"] == "Hello"
    with pytest.raises(InvalidRequest) as caught:
        RESUMABLE.going_on(first, given, body(input=[{"type": "item_reference", "id": "msg_8"}]))
    assert caught.value.param == "input[0].id"


def test_the_answer_is_read_out_of_its_stream() -> None:
    encoder = DIALECT.stream_encoder(DIALECT.decode_request(body(input="Hello")))
    begun = encoder.encode(Started(id="1", model="m")) + encoder.encode(TextDelta(text="response.completed"))
    assert RESUMABLE.streamed_answer(begun) is None
    whole = RESUMABLE.streamed_answer(begun + encoder.encode(Finished(reason="stop")) + encoder.close())
    assert whole is not None
    assert DIALECT.decode_completion(whole).choices[0].parts == (Text(text="response.completed"),)


def test_what_was_said_is_listed_the_last_first() -> None:
    items = [
        {"role": "user", "content": "Hello"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "4"},
        {"role": "assistant", "content": "4."},
    ]
    listed = ResponseItemList.model_validate_json(RESUMABLE.input_items(body(input=items)), strict=True)
    assert [item.type for item in listed.data] == [
        "message",
        "function_call_output",
        "function_call",
        "reasoning",
        "message",
    ]
    assert json.loads(RESUMABLE.input_items(body(input="Hello")))["data"][0]["content"] == [
        {"type": "input_text", "text": "Hello"}
    ]
