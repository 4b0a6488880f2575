"""What OpenAI's clients ask, sent on to a strict stand-in for Gemini; and the rules of this wire format."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.fakes.gemini_server import KEY, GeminiServer, gemini_server

from isthmus.dialects.gemini_generate import GEMINI_GENERATE as DIALECT
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import StreamInterrupted, Unsupported, UpstreamMalformed, UpstreamRefused
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Finished,
    Image,
    Message,
    Reasoning,
    ReasoningOptions,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA, "strict": True}}


@pytest.fixture(scope="module")
def server() -> Iterator[GeminiServer]:
    with gemini_server() as running:
        yield running


def send(server: GeminiServer, request: CompletionRequest) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = {"x-goog-api-key": KEY, "content-type": "application/json"}
    headers |= {name.decode(): value.decode() for name, value in DIALECT.request_headers()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        path = DIALECT.request_path("gemini", stream=request.stream)
        connection.request("POST", path, DIALECT.encode_request(request, model="gemini"), headers)
        response = connection.getresponse()
        told = [(name.lower().encode(), value.encode()) for name, value in response.getheaders()]
        return response.status, told, response.read()
    finally:
        connection.close()


def asked(**fields: Any) -> CompletionRequest:
    """A request as OpenAI's client sends it."""
    body = {"model": "triage", "messages": [{"role": "user", "content": "hello"}]} | fields
    return OPENAI_CHAT.decode_request(msgspec.json.encode(body))


def answer(server: GeminiServer, request: CompletionRequest) -> Completion:
    status, _, body = send(server, request)
    assert status == 200, body
    return DIALECT.decode_completion(body)


def events(server: GeminiServer, request: CompletionRequest) -> list[Event]:
    status, _, body = send(server, request)
    assert status == 200, body
    decoder = DIALECT.stream_decoder()
    return decoder.feed(body) + decoder.close()


def test_text_is_answered_with_usage_that_holds_the_cached_part(server: GeminiServer) -> None:
    completion = answer(
        server,
        asked(temperature=1.5, stop=["x"], user="u", max_completion_tokens=50, seed=3, logprobs=True, top_logprobs=2),
    )
    assert completion.choices[0].parts == (Text(text="You said: hello"),)
    assert completion.choices[0].finish == "stop"
    assert completion.usage == Usage(input=19, cached=5, output=11, reasoning=4)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_results_sent_back(server: GeminiServer, stream: bool) -> None:
    second = {"type": "function", "function": {"name": "time", "parameters": SCHEMA}}
    messages: list[Any] = [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "call weather and time"},
    ]
    request = asked(messages=messages, tools=[TOOL, second], tool_choice="required", stream=stream)
    if stream:
        told = events(server, request)
        started = [event for event in told if isinstance(event, ToolCallStarted)]
        assert [(event.call, event.name) for event in started] == [(0, "weather"), (1, "time")]
        said = "".join(event.arguments for event in told if isinstance(event, ToolCallDelta) and event.call == 1)
        assert said == '{"city":"isthmus"}'
        assert isinstance(told[-2], Finished)
        assert told[-2].reason == "tool_calls"
        return
    calls = [part for part in answer(server, request).choices[0].parts if isinstance(part, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [
        ("weather", '{"city":"isthmus"}'),
        ("time", '{"city":"isthmus"}'),
    ]
    wire = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    messages.append({"role": "assistant", "content": None, "tool_calls": wire})
    messages += [{"role": "tool", "tool_call_id": call.id, "content": f"{call.name} is fine"} for call in calls]
    messages.append({"role": "user", "content": "so?"})
    completion = answer(server, asked(messages=messages, tools=[TOOL, second], parallel_tool_calls=True))
    assert completion.choices[0].parts == (Text(text="The tools said: weather is fine; time is fine"),)


def test_images_by_value_and_by_address_arrive(server: GeminiServer) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://images.example/x.png"}},
    ]
    completion = answer(server, asked(messages=[{"role": "user", "content": content}]))
    assert completion.choices[0].parts == (Text(text="I see 2 image(s) of 6, 0 bytes."),)


def test_json_follows_the_schema(server: GeminiServer) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    completion = answer(server, asked(response_format=wanted))
    assert completion.choices[0].parts == (Text(text='{"city":"isthmus"}'),)


def test_the_proof_of_a_call_goes_through_an_openai_client_and_back(server: GeminiServer) -> None:
    request = asked(messages=[{"role": "user", "content": "call"}], tools=[TOOL])
    completion = answer(server, request)
    call = completion.choices[0].parts[0]
    assert isinstance(call, ToolCall)
    assert call.signature == "c2lnbmVk"
    message = msgspec.json.decode(OPENAI_CHAT.encode_completion(completion, request))["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": call.id, "content": "fine"}
    answer(server, asked(messages=[{"role": "user", "content": "call"}, message, result], tools=[TOOL]))
    assert server.requests[-1].body["contents"][1]["parts"][0]["thoughtSignature"] == "c2lnbmVk"


def test_thoughts_are_shown_where_asked_for(server: GeminiServer) -> None:
    request = CompletionRequest(model="m", messages=(USER,), reasoning=ReasoningOptions(effort="low", show=True))
    assert answer(server, request).choices[0].parts[0] == Reasoning(text="They ask; I answer.")


def test_a_stream_begins_with_its_message_and_ends_with_its_usage(server: GeminiServer) -> None:
    told = events(server, asked(stream=True))
    assert told[0] == Started(id="resp_test", model="gemini")
    assert "".join(event.text for event in told if isinstance(event, TextDelta)) == "You said: hello"
    assert told[-2:] == [Finished(reason="stop"), Used(usage=Usage(input=19, cached=5, output=11, reasoning=4))]


@pytest.mark.parametrize(("fault", "status", "code"), [("429", 429, "RESOURCE_EXHAUSTED"), ("529", 529, "UNAVAILABLE")])
def test_faults_tell_code_and_time_to_wait(server: GeminiServer, fault: str, status: int, code: str) -> None:
    told, headers, body = send(server, asked(messages=[{"role": "user", "content": f"[[fault:{fault}]]"}]))
    assert told == status
    found = DIALECT.decode_fault(told, headers, body)
    assert found.code == code
    assert found.retry_after == (2 if status == 429 else None)


def test_an_error_within_a_stream_is_raised_after_what_came_before(server: GeminiServer) -> None:
    _, _, body = send(server, asked(stream=True, messages=[{"role": "user", "content": "[[fault:error-event]]"}]))
    decoder = DIALECT.stream_decoder()
    assert any(isinstance(event, TextDelta) for event in decoder.feed(body))
    with pytest.raises(UpstreamRefused) as caught:
        decoder.close()
    assert (caught.value.upstream_status, caught.value.upstream_code) == (529, "UNAVAILABLE")


def test_what_is_not_of_the_dialect_is_said_so(server: GeminiServer) -> None:
    mark = [{"role": "user", "content": "[[fault:malformed]]"}]
    with pytest.raises(UpstreamMalformed):
        DIALECT.decode_completion(send(server, asked(messages=mark))[2])
    decoder = DIALECT.stream_decoder()
    decoder.feed(send(server, asked(messages=mark, stream=True))[2])
    with pytest.raises((UpstreamMalformed, StreamInterrupted)):
        decoder.close()


USER = Message(role="user", parts=(Text(text="hi"),))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"1": 1.0}}, "logit_bias"),
        ({"parallel_tool_calls": False, "tools": (Tool(name="f"), Tool(name="g"))}, "parallel_tool_calls"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"messages": (Message(role="user", name="ann", parts=(Text(text="x"),)),)}, "messages[0].name"),
        (
            {"messages": (USER, Message(role="assistant", parts=(Reasoning(encrypted="AA=="),)))},
            "messages[1].content[0]",
        ),
        (
            {"messages": (USER, Message(role="tool", parts=(ToolResult(call_id="unknown"),)))},
            "messages[1].content[0]",
        ),
        (
            {"messages": (USER, Message(role="assistant", parts=(ToolCall(id="a", name="n", arguments="{"),)))},
            "messages[1].content[0]",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    request = CompletionRequest(**({"model": "m", "messages": (USER,)} | fields))
    with pytest.raises(Unsupported) as caught:
        DIALECT.encode_request(request, model="m")
    assert caught.value.param == param


def test_an_answer_that_the_provider_blocked_is_filtered() -> None:
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"m","responseId":"r"}'
    completion = DIALECT.decode_completion(body)
    assert completion.choices[0].finish == "content_filter"
    assert completion.extra is not None
    assert completion.extra.fields == {"promptFeedback": {"blockReason": "SAFETY"}}
    decoder = DIALECT.stream_decoder()
    told = decoder.feed(b"data: " + body + b"\n\n") + decoder.close()
    assert [type(event) for event in told] == [Started, Finished]


def test_why_an_answer_ended_is_kept_where_our_words_say_less() -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"RECITATION"}]}'
    completion = DIALECT.decode_completion(body)
    assert completion.choices[0].finish == "content_filter"
    again = msgspec.json.decode(DIALECT.encode_completion(completion, asked()))
    assert again["candidates"][0]["finishReason"] == "RECITATION"


def test_calls_without_ids_are_given_some_that_differ() -> None:
    part = b'{"functionCall":{"name":"now"}}'
    body = b'{"responseId":"r","candidates":[{"content":{"parts":[%s,%s]},"finishReason":"STOP"}]}' % (part, part)
    calls = DIALECT.decode_completion(body).choices[0].parts
    assert [call.id for call in calls if isinstance(call, ToolCall)] == ["call_r_0_0", "call_r_0_1"]
    event = b'data: {"responseId":"r","candidates":[{"content":{"parts":[%s]}}]}\n\n' % part
    told = DIALECT.stream_decoder().feed(event + event)
    assert [one.id for one in told if isinstance(one, ToolCallStarted)] == ["call_r_0_0", "call_r_0_1"]


def test_log_probabilities_pass_both_ways() -> None:
    tops = (TokenLogprob(token="a", logprob=-0.5), TokenLogprob(token="b", logprob=-1.5))
    choice = Choice(parts=(Text(text="a"),), finish="stop", logprobs=(TokenLogprob(token="a", logprob=-0.5, top=tops),))
    completion = Completion(id="r", model="m", choices=(choice,))
    assert DIALECT.decode_completion(DIALECT.encode_completion(completion, asked())) == completion


def test_images_in_results_of_tools_pass_both_ways() -> None:
    call = Message(role="assistant", parts=(ToolCall(id="a", name="see", arguments="{}"),))
    parts = (Text(text="x"), Image(data="AA==", media_type="image/png"), Image(url="https://images.example/x"))
    result = Message(role="tool", parts=(ToolResult(call_id="a", name="see", parts=parts),))
    request = CompletionRequest(model="", messages=(USER, call, result))
    assert DIALECT.decode_request(DIALECT.encode_request(request, model="m")) == request


def test_the_older_form_of_schemas_is_read_too() -> None:
    older = {"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": True}}}
    body = {
        "contents": [{"parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "t", "parameters": older}]}],
    }
    request = DIALECT.decode_request(msgspec.json.encode(body))
    assert request.tools[0].parameters == {"type": "object", "properties": {"type": {"type": ["string", "null"]}}}
