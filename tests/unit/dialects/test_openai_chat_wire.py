"""The dialect's wire forms, one by one: what is carried, in which form it returns, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from tests.unit.dialects.strategies import json_objects

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import InvalidRequest, StreamInterrupted, Unsupported, UpstreamMalformed, UpstreamRefused
from isthmus.domain.message import (
    CacheMark,
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Extra,
    Finished,
    Image,
    Json,
    Message,
    Reasoning,
    ReasoningDelta,
    ReasoningOptions,
    ResponseFormat,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def decoded(**fields: Any) -> CompletionRequest:
    return OPENAI_CHAT.decode_request(json.dumps({"model": "m", "messages": [USER]} | fields).encode())


def returned(**fields: Any) -> dict[str, Any]:
    """A request's fields after decoding and encoding, for a model whose servers take all of them."""
    body: dict[str, Any] = json.loads(OPENAI_CHAT.encode_request(decoded(**fields), model="claude or gemini"))
    return body | {"model": "m"}


def part_of(part: dict[str, Any]) -> Any:
    return decoded(messages=[{"role": "user", "content": [part]}]).messages[0].parts[0]


# ------------------------------------------------------------------------------------------- requests, carried


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Really."}, USER]},
        {"messages": [{"role": "user", "name": "ann", "content": "Hi", "x_meta": {"a": [1, None]}}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        {"type": "text", "text": "?", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}},
                        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "original"}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "x": 1}, "y": 2},
                    ],
                }
            ]
        },
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "Hm.",
                    "tool_calls": [CALL, CALL | {"id": "call_2", "x": 1}],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "1"},
                {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "1", "x": 2}], "z": 3},
                {"role": "assistant", "content": "I", "refusal": "may not"},
            ]
        },
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "ab",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1"},
                        {"type": "reasoning.summary", "summary": "b", "index": 1},
                        {"type": "reasoning.encrypted", "data": "e", "id": "r1"},
                    ],
                    "tool_calls": [CALL | {"extra_content": {"google": {"thought_signature": "s", "x": 1}}}],
                },
            ]
        },
        {
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {
                    "type": "function",
                    "function": {"name": "g", "description": "G", "parameters": {"type": "object"}, "strict": True},
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "function", "function": {"name": "h", "parameters": {}, "x": 1}, "y": 2},
            ],
            "tool_choice": {"type": "function", "function": {"name": "g"}},
            "parallel_tool_calls": False,
        },
        {"response_format": {"type": "json_object", "schema": {"type": "object"}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "description": "d", "schema": {"$ref": "#"}, "strict": True, "x": 1},
                "y": 2,
            }
        },
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"max_tokens": 6, "max_completion_tokens": 5},
        {"temperature": 0, "top_p": 0.5, "top_k": 40, "seed": 3, "presence_penalty": -1, "frequency_penalty": 1.5},
        {"logit_bias": {"50256": -100}, "logprobs": True, "top_logprobs": 3, "n": 2, "stop": ["a", "b"]},
        {"reasoning_effort": "high"},
        {"reasoning_effort": "default"},
        {"reasoning": {"max_tokens": 2000, "exclude": True}},
        {"user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "store": True, "verbosity": "low"},
        {"prompt_cache_key": "k", "safety_identifier": "s", "guided_regex": "a+", "chat_template_kwargs": {"t": False}},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    ],
)
def test_every_field_returns_as_it_was(fields: dict[str, Any]) -> None:
    assert returned(**fields) == {"model": "m", "messages": [USER]} | fields


@given(json_objects)
def test_fields_nobody_knows_return_as_they_were(unknown: dict[str, Json]) -> None:
    unknown = {f"x_{name}": value for name, value in unknown.items()}
    assert returned(**unknown) == {"model": "m", "messages": [USER]} | unknown


@pytest.mark.parametrize(
    ("fields", "normal"),
    [
        ({"stop": "a"}, {"stop": ["a"]}),
        ({"temperature": None, "tools": None, "stream": False}, {}),
        ({"tools": [], "stop": []}, {}),
        ({"modalities": ["text"]}, {}),
        ({"metadata": {"isthmus-labels": "phi"}}, {}),
        ({"metadata": {"isthmus-labels": "phi", "a": "b"}}, {"metadata": {"a": "b"}}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]}, {}),
        (
            {"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning": "Hm."}]},
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Hm."},
                ]
            },
        ),
    ],
)
def test_what_says_the_same_returns_in_one_form(fields: dict[str, Any], normal: dict[str, Any]) -> None:
    assert returned(**fields) == {"model": "m", "messages": [USER]} | normal


def test_an_image_by_value_is_taken_apart() -> None:
    url = "data:image/png;charset=utf-8;base64,QUJD"
    assert part_of({"type": "image_url", "image_url": {"url": url}}) == Image(data="QUJD", media_type="image/png")


def test_marks_go_to_models_whose_servers_take_them_and_to_no_others() -> None:
    marked = CompletionRequest(
        model="w",
        messages=(Message(role="user", parts=(Text(text="a", cache=CacheMark()), Text(text="b"))),),
        tools=(Tool(name="f", cache=CacheMark()),),
    )
    for model, taken in (("anthropic/claude-haiku-5-5", True), ("gpt-5.4-mini", False)):
        adapted = Adapted()
        sent = OPENAI_CHAT.encode_request(marked, model=model, adapted=adapted)
        assert (b"cache_control" in sent) == taken
        assert ("cache" in adapted.text) != taken


def test_proofs_of_google_go_to_its_own_models_and_to_no_others() -> None:
    call = ToolCall(id="c", name="f", arguments="{}", signature="proof", minted_by="gemini-generate")
    asked = CompletionRequest(model="w", messages=(Message(role="assistant", parts=(call,)),))
    for model, taken in (("google/gemini-3.8-flash", True), ("gpt-5.4-mini", False)):
        adapted = Adapted()
        sent = OPENAI_CHAT.encode_request(asked, model=model, adapted=adapted)
        assert (b"thought_signature" in sent) == taken
        assert ("message.signature" in adapted.text) != taken


def test_both_forms_of_cache_marks_are_marks() -> None:
    control = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    breakpoint_ = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    assert part_of(control).cache == CacheMark()
    assert part_of(breakpoint_).cache == CacheMark(ttl="12h")


def test_a_result_knows_the_name_of_its_tool() -> None:
    request = decoded(
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "tool", "tool_call_id": "call_0", "content": ""},
        ]
    )
    results = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    assert results == [
        ToolResult(call_id="call_1", name="f", parts=(Text(text="1"),)),
        ToolResult(call_id="call_0"),
    ]


# ---------------------------------------------------------------------------- requests from other dialects


def encoded(**fields: Any) -> dict[str, Any]:
    message = Message(role="user", parts=(Text(text="Hello"),))
    request = CompletionRequest(**({"model": "m", "messages": (message,)} | fields))
    body: dict[str, Any] = json.loads(OPENAI_CHAT.encode_request(request, model="gpt"))
    return body


@pytest.mark.parametrize(
    ("options", "effort"),
    [
        (ReasoningOptions(budget=0), "none"),
        (ReasoningOptions(budget=1_024), "low"),
        (ReasoningOptions(budget=8_000), "medium"),
        (ReasoningOptions(budget=32_000), "high"),
        (ReasoningOptions(budget=-1), None),
        (ReasoningOptions(effort="minimal", budget=32_000), "minimal"),
        (ReasoningOptions(show=True), None),
    ],
)
def test_a_budget_for_reasoning_is_said_as_the_nearest_effort(options: ReasoningOptions, effort: str | None) -> None:
    assert encoded(reasoning=options).get("reasoning_effort") == effort


def test_the_limit_goes_by_its_newer_name_where_reasoning_is_asked_for() -> None:
    assert encoded(max_output_tokens=5)["max_tokens"] == 5
    body = encoded(max_output_tokens=5, reasoning=ReasoningOptions(effort="low"))
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body


def test_several_results_in_one_message_become_messages_of_their_own() -> None:
    results = (
        ToolResult(call_id="a", parts=(Text(text="1"),)),
        ToolResult(call_id="b", parts=(Text(text="no such city"),), is_error=True),
        ToolResult(call_id="c", is_error=True),
    )
    messages = (Message(role="tool", parts=(*results, Text(text="And now?"))),)
    assert encoded(messages=messages)["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: no such city"},
        {"role": "tool", "tool_call_id": "c", "content": "Error:"},
        {"role": "user", "content": "And now?"},
    ]


def test_a_schema_without_a_name_gets_one() -> None:
    body = encoded(response_format=ResponseFormat(kind="json_schema", schema={"type": "object"}))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }


def test_a_field_of_another_dialect_is_refused_by_name() -> None:
    with pytest.raises(Unsupported) as caught:
        encoded(extra=Extra("other-dialect", {"mystery": 1}))
    assert caught.value.param == "mystery"
    part = Text(text="a", extra=Extra("other-dialect", {"mystery": 1}))
    with pytest.raises(Unsupported) as caught:
        encoded(messages=(Message(role="user", parts=(part,)),))
    assert caught.value.param == "messages[0].content[0].mystery"


def test_a_field_of_another_dialect_that_says_nothing_is_left_out() -> None:
    assert "mystery" not in encoded(extra=Extra("other-dialect", {"mystery": None, "list": []}))


# -------------------------------------------------------------------------------------------- requests, refused


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {"type": "content"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"messages": [USER, {"role": "user", "content": [{"type": "video_url"}]}]}, "messages[1].content[0]"),
        ({"messages": [{"role": "function", "name": "f", "content": "1"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio"),
    ],
)
def test_what_the_domain_cannot_carry_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        decoded(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": ["secret"]}, "messages[0]"),
        ({"messages": [{"content": "secret"}]}, "messages[0].role"),
        ({"messages": [{"role": "secret", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "secret"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:secret"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"messages": [{"role": "tool", "content": "secret"}]}, "messages[0].tool_call_id"),
        ({"temperature": "secret"}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"stop": [1]}, "stop"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"logit_bias": {"1": "secret"}}, "logit_bias"),
        ({"tool_choice": "secret"}, "tool_choice"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": "secret"}}]},
            "tools[0].function.parameters",
        ),
    ],
)
def test_what_is_wrong_is_named_and_never_echoed(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**fields)
    assert caught.value.param == param
    assert "secret" not in caught.value.sentence


# ---------------------------------------------------------------------------------------------- whole answers

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 7,
    "model": "gpt",
    "system_fingerprint": "fp",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "reasoning_content": "Hm.",
                "annotations": [],
                "tool_calls": [CALL],
                "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            },
            "logprobs": {
                "content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}],
                "refusal": None,
            },
            "finish_reason": "tool_calls",
            "content_filter_results": {"hate": {"filtered": False}},
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 1},
        "queue_time": 0.5,
    },
}


def answer(**choice: Any) -> dict[str, Any]:
    return ANSWER | {"choices": [ANSWER["choices"][0] | {"logprobs": None, "content_filter_results": {}} | choice]}


def decoded_answer(body: Any) -> Completion:
    return OPENAI_CHAT.decode_completion(json.dumps(body).encode())


def returned_answer(body: Any) -> dict[str, Any]:
    request = CompletionRequest(model="m", messages=())
    back: dict[str, Any] = json.loads(OPENAI_CHAT.encode_completion(decoded_answer(body), request))
    return back


@pytest.mark.parametrize(
    "body",
    [
        ANSWER,
        answer(finish_reason="abort"),
        answer(finish_reason="stop", stop_reason="END"),
        answer(finish_reason="stop", stop_reason=128_009),
        answer(message={"role": "assistant", "content": None, "refusal": "I may not."}, finish_reason="stop"),
    ],
)
def test_every_field_of_an_answer_returns_as_it_was(body: dict[str, Any]) -> None:
    assert returned_answer(body) == body


def test_reasoning_in_the_content_is_reasoning() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, {"type": "text", "text": "."}]},
        {"type": "text", "text": "Hi"},
    ]
    message = {"role": "assistant", "content": content}
    (choice,) = decoded_answer(answer(message=message)).choices
    assert choice.parts == (Reasoning(text="Hm."), Text(text="Hi"))
    assert events_of(chunk({"content": content}, "stop"))[1:3] == [ReasoningDelta(text="Hm."), TextDelta(text="Hi")]


def test_a_proof_of_a_text_stands_at_its_message() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "s"}}}
    body = answer(message={"role": "assistant", "content": "Hi", "refusal": None} | extra)
    assert decoded_answer(body).choices[0].parts == (Text(text="Hi", signature="s", minted_by="gemini-generate"),)
    assert returned_answer(body) == body


def test_the_stop_text_that_was_met_is_told() -> None:
    (choice,) = decoded_answer(answer(finish_reason="stop", stop_reason="END")).choices
    assert (choice.finish, choice.stop_sequence) == ("stop_sequence", "END")


def test_fields_of_another_dialects_answer_are_carried_in_a_field_of_their_own() -> None:
    completion = Completion(
        id="c",
        model="m",
        choices=(
            Choice(
                parts=(Text(text="a", extra=Extra("other", {"cited": 1})), Text(text="b"), Reasoning(text="Hm.")),
                finish="pause",
                extra=Extra("other", {"ratings": 2}),
            ),
        ),
        extra=Extra("other", {"container": 3}),
    )
    body = json.loads(OPENAI_CHAT.encode_completion(completion, CompletionRequest(model="m", messages=())))
    assert body["extra_content"] == {"other": {"container": 3}}
    (choice,) = body["choices"]
    assert choice["extra_content"] == {"other": {"ratings": 2, "parts": [{"part": 0, "cited": 1}]}}
    assert choice["message"]["content"] == "ab"
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"index": 0}]}',
        b'{"choices": [{"message": {"content": 3}}]}',
        b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [3]}}]}',
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        OPENAI_CHAT.decode_completion(body)


def test_an_error_with_status_200_is_still_an_error() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        decoded_answer({"error": {"message": "No credit left.", "code": 402}})
    assert (caught.value.upstream_status, caught.value.message) == (402, "No credit left.")


# ----------------------------------------------------------------------------------------------------- streams


def events_of(*chunks: Any, done: bool = True) -> list[Event]:
    decoder = OPENAI_CHAT.stream_decoder()
    wire = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return [*decoder.feed(wire + (b"data: [DONE]\n\n" if done else b"")), *decoder.close()]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": choices} | fields


BEGUN = Started(id="c", model="m", created=7)


def test_a_stream_as_servers_send_it_is_read() -> None:
    assert events_of(
        {"id": "", "model": "", "choices": [], "prompt_filter_results": []},
        chunk({"role": "assistant", "content": "", "refusal": None}, system_fingerprint="fp"),
        chunk({"reasoning": "Hm."}, usage=None),
        chunk({"content": "Hi"}),
        chunk({}, "stop"),
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 2}),
    ) == [
        Started(id="c", model="m", created=7, extra=Extra("openai-chat", {"system_fingerprint": "fp"})),
        ReasoningDelta(text="Hm."),
        TextDelta(text="Hi"),
        Finished(reason="stop"),
        Used(usage=Usage(input=3, output=2)),
    ]


def call(**fields: Any) -> dict[str, Any]:
    arguments, name = fields.pop("arguments", None), fields.pop("name", None)
    return fields | {"function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "deltas",
    [
        # OpenAI: id and name once, pieces by index
        [[call(index=0, id="a", name="f", arguments="")], [call(index=0, arguments="{}")],
         [call(index=1, id="b", name="g", arguments="")], [call(index=1, arguments="[]")]],
        # both calls whole in one chunk, no index
        [[call(id="a", name="f", arguments="{}"), call(id="b", name="g", arguments="[]")]],
        # every call has the index 0
        [[call(index=0, id="a", name="f", arguments="{}")], [call(index=0, id="b", name="g", arguments="[]")]],
        # id and name with every piece
        [[call(index=0, id="a", name="f", arguments="{")], [call(index=0, id="a", name="f", arguments="}")],
         [call(index=1, id="b", name="g", arguments="[]")]],
        # the name comes after the first piece
        [[call(index=0, id="a", arguments="{")], [call(index=0, name="f", arguments="}")],
         [call(index=1, id="b", name="g", arguments="[]")]],
    ],
)  # fmt: skip
def test_tool_calls_are_told_apart_however_they_are_numbered(deltas: list[list[dict[str, Any]]]) -> None:
    events = events_of(*(chunk({"tool_calls": calls}) for calls in deltas), chunk({}, "tool_calls"))
    text = {0: "", 1: ""}
    for event in events:
        if isinstance(event, ToolCallDelta):
            text[event.call] += event.arguments
    assert text == {0: "{}", 1: "[]"}
    assert [event for event in events if isinstance(event, ToolCallStarted)] == [
        ToolCallStarted(call=0, id="a", name="f"),
        ToolCallStarted(call=1, id="b", name="g"),
    ]


def test_a_tool_call_without_an_id_gets_one() -> None:
    (started,) = [
        event
        for event in events_of(chunk({"tool_calls": [call(index=0, name="f", arguments="{}")]}, "tool_calls"))
        if isinstance(event, ToolCallStarted)
    ]
    assert started.id == "call_c_0_0"


def test_a_stream_without_end_marker_ends_with_the_finish_of_its_choices() -> None:
    assert events_of(chunk({"content": "Hi"}, "stop"), done=False)[-1] == Finished(reason="stop")
    with pytest.raises(StreamInterrupted):
        events_of(chunk({"content": "Hi"}), done=False)
    with pytest.raises(StreamInterrupted):
        events_of(done=False)


def test_an_error_in_a_stream_is_raised_after_the_events_before_it() -> None:
    error = {"error": {"message": "Out of memory.", "code": 500}}
    with pytest.raises(UpstreamRefused) as caught:
        events_of(error)
    assert (caught.value.upstream_status, caught.value.message) == (500, "Out of memory.")
    decoder = OPENAI_CHAT.stream_decoder()
    wire = b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in (chunk({"content": "Hi"}), error))
    assert decoder.feed(wire) == [BEGUN, TextDelta(text="Hi")]
    with pytest.raises(UpstreamRefused):
        decoder.close()


@pytest.mark.parametrize("data", [b"data: {\n\n", b'data: {"choices": 3}\n\n', b"data: \xff\n\n"])
def test_a_stream_of_other_bytes_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        OPENAI_CHAT.stream_decoder().feed(data)


def test_usage_is_told_to_clients_that_asked_and_to_no_other() -> None:
    events: list[Event] = [BEGUN, TextDelta(text="Hi"), Used(usage=Usage(input=3)), Finished(reason="stop")]
    for asked in (True, False):
        encoder = OPENAI_CHAT.stream_encoder(CompletionRequest(model="m", messages=(), stream=True, stream_usage=asked))
        wire = b"".join(map(encoder.encode, events)) + encoder.close()
        assert (b'"usage"' in wire) is asked
        assert wire.endswith(b"data: [DONE]\n\n")


def test_a_failed_stream_ends_with_an_error_and_no_end_marker() -> None:
    encoder = OPENAI_CHAT.stream_encoder(CompletionRequest(model="m", messages=(), stream=True))
    wire = encoder.encode(BEGUN) + encoder.fail(StreamInterrupted("The offer died."), "req_1")
    assert b"The offer died." in wire
    assert b"[DONE]" not in wire


def test_no_headers_and_one_path() -> None:
    assert OPENAI_CHAT.request_path("m", stream=True) == "/chat/completions"
    assert list(OPENAI_CHAT.request_headers()) == []
    assert (
        ToolCall(id="a", name="f", arguments="{}")
        in decoded(messages=[{"role": "assistant", "tool_calls": [CALL | {"id": "a"}]}]).messages[0].parts
    )
