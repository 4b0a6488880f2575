"""Ways of real vendors that are in no documentation of the dialect they speak: all were seen in recorded exchanges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.dialects.openai_responses import OPENAI_RESPONSES
from isthmus.domain.errors import Unsupported, UpstreamMalformed
from isthmus.domain.message import CompletionRequest, Extra, Message, Reasoning, Text, ToolChoice
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage

STREAMS = RequestFacts(model="m", stream=True, stream_usage=True)


def chat(**more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]} | more).encode()


def answered(message: Any = None, *, finish: str = "stop", **more: Any) -> bytes:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if message is not None:
        choice["message"] = {"role": "assistant"} | message
    return json.dumps({"id": "c", "model": "m", "created": 1, "choices": [choice]} | more).encode()


# ---- requests


def test_mistral_s_client_leaves_out_that_a_tool_is_a_function() -> None:
    request = OPENAI_CHAT.decode_request(chat(tools=[{"function": {"name": "f", "parameters": {"type": "object"}}}]))
    assert [tool.name for tool in request.tools] == ["f"]


def test_mistral_calls_a_demanded_call_any() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert OPENAI_CHAT.decode_request(chat(tools=tools, tool_choice="any")).tool_choice == ToolChoice(mode="required")


@pytest.mark.parametrize("kind", ["document_url", "file_url"])
def test_documents_in_mistral_s_and_perplexity_s_words_are_refused_by_their_place(kind: str) -> None:
    content = [{"type": "text", "text": "read"}, {"type": kind, kind: "https://example.test/a.pdf"}]
    with pytest.raises(Unsupported) as caught:
        OPENAI_CHAT.decode_request(chat(messages=[{"role": "user", "content": content}]))
    assert caught.value.param == "messages[0].content[1]"


def test_where_the_system_alone_speaks_it_is_a_user_at_anthropic() -> None:
    request = CompletionRequest(model="m", messages=(Message(role="system", parts=(Text(text="be a potato"),)),))
    said = json.loads(ANTHROPIC_MESSAGES.encode_request(request, model="m"))
    assert said["messages"] == [{"role": "user", "content": "be a potato"}]
    assert "system" not in said


def test_where_the_system_alone_speaks_it_is_a_user_at_google() -> None:
    request = CompletionRequest(model="m", messages=(Message(role="system", parts=(Text(text="be a potato"),)),))
    said = json.loads(GEMINI_GENERATE.encode_request(request, model="m"))
    assert said == {"contents": [{"role": "user", "parts": [{"text": "be a potato"}]}]}


def test_ruby_clients_return_thoughts_under_both_names() -> None:
    turn = {"role": "assistant", "content": "4", "reasoning": "two and two", "reasoning_content": "two and two"}
    question = {"role": "user", "content": "hi"}
    request = OPENAI_CHAT.decode_request(chat(messages=[question, turn, question]))
    assert request.messages[1] == Message(role="assistant", parts=(Reasoning(text="two and two"), Text(text="4")))
    [choice] = OPENAI_CHAT.decode_completion(answered(turn)).choices
    assert choice.extra == Extra("openai-chat", {"message": {"reasoning": "two and two"}})


def test_mistral_s_client_says_of_each_answer_that_it_is_not_the_beginning_of_one() -> None:
    turn: dict[str, Any] = {"role": "assistant", "content": "yes", "prefix": False}
    turns: list[dict[str, Any]] = [{"role": "user", "content": "hi"}, turn]
    request = OPENAI_CHAT.decode_request(chat(messages=turns))
    assert b"prefix" not in OPENAI_RESPONSES.encode_request(request, model="m")
    begun = OPENAI_CHAT.decode_request(chat(messages=[turns[0], turns[1] | {"prefix": True}]))
    with pytest.raises(Unsupported):
        OPENAI_RESPONSES.encode_request(begun, model="m")


# ---- answers


def test_snowflake_says_audio_and_function_call_with_nothing_in_them() -> None:
    message = {
        "content": "hello",
        "audio": {"data": "", "expires_at": 0, "id": "", "transcript": ""},
        "function_call": {"arguments": "", "name": ""},
    }
    [choice] = OPENAI_CHAT.decode_completion(answered(message)).choices
    assert choice.parts == (Text(text="hello"),)


@pytest.mark.parametrize("field", [{"audio": {"data": "AAAA"}}, {"function_call": {"name": "f", "arguments": "{}"}}])
def test_audio_and_a_call_of_the_older_form_are_not_passed_over(field: dict[str, Any]) -> None:
    with pytest.raises((Unsupported, UpstreamMalformed)):
        OPENAI_CHAT.decode_completion(answered({"content": "hello"} | field))


def test_azure_sends_no_message_where_its_filter_held_the_answer_back() -> None:
    body = answered(finish="content_filter", usage={"prompt_tokens": 15, "completion_tokens": 19, "total_tokens": 34})
    [choice] = OPENAI_CHAT.decode_completion(body).choices
    assert (choice.parts, choice.finish) == ((), "content_filter")
    assert OPENAI_CHAT.read_usage(body) == Usage(input=15, output=19)
    with pytest.raises(UpstreamMalformed):
        OPENAI_CHAT.decode_completion(answered(finish="stop"))


def test_arguments_of_openai_s_search_for_tools_are_an_object() -> None:
    item = {"type": "tool_search_call", "id": "ts", "arguments": {"paths": ["a"]}, "status": "completed"}
    response: dict[str, Any] = {"id": "resp_1", "model": "m", "created_at": 1, "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"arguments": None}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response | {"status": "completed", "output": [item]}},
    ]
    decoder = OPENAI_RESPONSES.stream_decoder()
    data = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    assert decoder.feed(data.encode())
    decoder.close()


def test_openai_tells_the_tier_with_the_first_event_of_a_stream() -> None:
    response = {"id": "resp_1", "model": "m", "created_at": 1, "output": [], "service_tier": "default"}
    events = [
        {"type": "response.created", "response": response | {"status": "in_progress"}},
        {"type": "response.completed", "response": response | {"status": "completed"}},
    ]
    decoder = OPENAI_RESPONSES.stream_decoder()
    told = [event for one in events for event in decoder.feed(f"data: {json.dumps(one)}\n\n".encode())]
    encoder = OPENAI_RESPONSES.stream_encoder(CompletionRequest(model="m", messages=(), stream=True))
    for said in (encoder.encode(told[0]), b"".join(map(encoder.encode, told[1:])) + encoder.close()):
        assert b'"service_tier":"default"' in said


def test_arguments_of_a_function_s_call_are_text() -> None:
    item = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": {"a": 1}}
    response: dict[str, Any] = {"id": "resp_1", "model": "m", "created_at": 1, "status": "in_progress", "output": []}
    decoder = OPENAI_RESPONSES.stream_decoder()
    decoder.feed(f"data: {json.dumps({'type': 'response.created', 'response': response})}\n\n".encode())
    ended = {"type": "response.output_item.done", "output_index": 0, "item": item}
    decoder.feed(f"data: {json.dumps(ended)}\n\n".encode())  # what came before the error is not lost
    with pytest.raises(UpstreamMalformed):
        decoder.feed(b"")


def test_perplexity_says_all_of_the_answer_again_in_each_event_and_never_done() -> None:
    long = "x" * 20_000
    chunk = {"id": "c", "model": "m", "object": "chat.completion.chunk"}
    pieces = [
        {"index": 0, "message": {"content": long}, "delta": {"content": "x"}, "finish_reason": None},
        {"index": 0, "message": {"content": long}, "delta": {"content": ""}, "finish_reason": "stop"},
    ]
    for pause in (b"\r\n\r\n", b"\n\n"):
        events = [b"data: " + json.dumps(chunk | {"choices": [piece]}).encode() + pause for piece in pieces]
        watch = OPENAI_CHAT.usage_watch(STREAMS)
        assert watch.feed(events[0]) == events[0]
        assert not watch.complete
        assert watch.feed(events[1]) + watch.close() == events[1]
        assert watch.complete


def test_google_signs_pictures() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "c2lnbmVk"}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    completion = GEMINI_GENERATE.decode_completion(json.dumps({"candidates": [candidate]}).encode())
    asked = CompletionRequest(model="m", messages=())
    handed = json.loads(GEMINI_GENERATE.encode_completion(completion, asked))
    assert handed["candidates"][0]["content"]["parts"] == [part]
    for client in (ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES):  # whose client may not have asked for any
        assert b"AAAA" in client.encode_completion(completion, asked)
    turn = Message(role="assistant", parts=completion.choices[0].parts)
    returned = CompletionRequest(model="m", messages=(Message(role="user", parts=(Text(text="draw"),)), turn))
    assert part in json.loads(GEMINI_GENERATE.encode_request(returned, model="m"))["contents"][1]["parts"]
    assert b"c2lnbmVk" not in OPENAI_CHAT.encode_request(returned, model="m")


# ---- usage


def test_google_s_endpoint_of_openai_s_dialect_tells_thoughts_in_the_total_alone() -> None:
    body = answered({"content": "x"}, usage={"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109})
    assert OPENAI_CHAT.read_usage(body) == Usage(input=35, output=74, reasoning=62)


def test_mistral_counts_sound_beside_the_prompt() -> None:
    details = {"cached_tokens": 0, "audio_tokens": 375}
    usage = {"prompt_tokens": 9, "completion_tokens": 248, "total_tokens": 632, "prompt_tokens_details": details}
    body = answered({"content": "x"}, usage=usage)
    assert OPENAI_CHAT.read_usage(body) == Usage(input=384, output=248, audio_input=375)


def test_what_gemini_s_tools_read_is_told_once() -> None:
    usage = {"promptTokenCount": 15, "toolUsePromptTokenCount": 288, "candidatesTokenCount": 40, "totalTokenCount": 343}
    candidate = {"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP"}
    completion = GEMINI_GENERATE.decode_completion(
        json.dumps({"responseId": "r", "modelVersion": "m", "candidates": [candidate], "usageMetadata": usage}).encode()
    )
    assert completion.usage == Usage(input=303, output=40)
    handed = json.loads(GEMINI_GENERATE.encode_completion(completion, CompletionRequest(model="m", messages=())))
    assert {name: handed["usageMetadata"][name] for name in usage} == usage
