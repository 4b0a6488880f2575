"""What OpenAI's clients ask, sent on to a strict stand-in for Anthropic; and the rules of this wire format."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.fakes.anthropic_server import KEY, AnthropicServer, anthropic_server

from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES as DIALECT
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import StreamInterrupted, Unsupported, UpstreamMalformed, UpstreamRefused
from isthmus.domain.message import (
    Completion,
    CompletionRequest,
    Event,
    Finished,
    Image,
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
    Used,
)
from isthmus.domain.usage import Usage

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA, "strict": True}}


@pytest.fixture(scope="module")
def server() -> Iterator[AnthropicServer]:
    with anthropic_server() as running:
        yield running


def send(server: AnthropicServer, request: CompletionRequest) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    headers |= {name.decode(): value.decode() for name, value in DIALECT.request_headers()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        path = DIALECT.request_path("claude", stream=request.stream)
        connection.request("POST", path, DIALECT.encode_request(request, model="claude"), headers)
        response = connection.getresponse()
        told = [(name.lower().encode(), value.encode()) for name, value in response.getheaders()]
        return response.status, told, response.read()
    finally:
        connection.close()


def asked(**fields: Any) -> CompletionRequest:
    """A request as OpenAI's client sends it."""
    body = {"model": "triage", "messages": [{"role": "user", "content": "hello"}]} | fields
    return OPENAI_CHAT.decode_request(msgspec.json.encode(body))


def answer(server: AnthropicServer, request: CompletionRequest) -> Completion:
    status, _, body = send(server, request)
    assert status == 200, body
    return DIALECT.decode_completion(body)


def events(server: AnthropicServer, request: CompletionRequest) -> list[Event]:
    status, _, body = send(server, request)
    assert status == 200, body
    decoder = DIALECT.stream_decoder()
    return decoder.feed(body) + decoder.close()


def test_text_is_answered_with_usage_that_holds_the_cached_part(server: AnthropicServer) -> None:
    completion = answer(server, asked(temperature=0.5, stop=["x"], user="u", max_completion_tokens=50))
    assert completion.choices[0].parts == (Text(text="You said: hello"),)
    assert completion.choices[0].finish == "stop"
    assert completion.usage == Usage(input=19, cached=5, cache_written=3, output=7)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_results_sent_back(server: AnthropicServer, stream: bool) -> None:
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
    completion = answer(server, asked(messages=messages, tools=[TOOL, second], parallel_tool_calls=False))
    assert completion.choices[0].parts == (Text(text="The tools said: weather is fine; time is fine"),)


def test_images_by_value_and_by_address_arrive(server: AnthropicServer) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://images.example/x.png"}},
    ]
    completion = answer(server, asked(messages=[{"role": "user", "content": content}]))
    assert completion.choices[0].parts == (Text(text="I see 2 image(s) of 6, 0 bytes."),)


def test_json_follows_the_schema(server: AnthropicServer) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    completion = answer(server, asked(response_format=wanted))
    assert completion.choices[0].parts == (Text(text='{"city":"isthmus"}'),)


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_come_with_their_proof_and_go_back_with_it(server: AnthropicServer, stream: bool) -> None:
    request = asked(reasoning_effort="high", stream=stream)
    if stream:
        thoughts = [event for event in events(server, request) if isinstance(event, ReasoningDelta)]
        assert thoughts[-1].signature == "c2lnbmVk"
        return
    completion = answer(server, request)
    reasoning = completion.choices[0].parts[0]
    assert reasoning == Reasoning(text="They ask; I answer.", signature="c2lnbmVk", minted_by="anthropic-messages")
    # The way through an OpenAI client and back.
    message = msgspec.json.decode(OPENAI_CHAT.encode_completion(completion, request))["choices"][0]["message"]
    messages = [{"role": "user", "content": "hello"}, message, {"role": "user", "content": "and?"}]
    assert answer(server, asked(messages=messages)).choices[0].parts == (Text(text="You said: and?"),)
    assert server.requests[-1].body["messages"][1]["content"][0]["signature"] == "c2lnbmVk"


def test_a_stream_begins_with_its_message_and_ends_with_its_usage(server: AnthropicServer) -> None:
    told = events(server, asked(stream=True))
    assert told[0] == Started(id="msg_test", model="claude")
    assert "".join(event.text for event in told if isinstance(event, TextDelta)) == "You said: hello"
    assert told[-2:] == [Finished(reason="stop"), Used(usage=Usage(input=19, cached=5, cache_written=3, output=7))]


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("429", 429, "rate_limit_error"), ("529", 529, "overloaded_error")]
)
def test_faults_tell_code_and_time_to_wait(server: AnthropicServer, fault: str, status: int, code: str) -> None:
    told, headers, body = send(server, asked(messages=[{"role": "user", "content": f"[[fault:{fault}]]"}]))
    assert told == status
    found = DIALECT.decode_fault(told, headers, body)
    assert found.code == code
    assert found.retry_after == (2 if status == 429 else None)


def test_an_error_within_a_stream_is_raised_after_what_came_before(server: AnthropicServer) -> None:
    _, _, body = send(server, asked(stream=True, messages=[{"role": "user", "content": "[[fault:error-event]]"}]))
    decoder = DIALECT.stream_decoder()
    assert any(isinstance(event, TextDelta) for event in decoder.feed(body))
    with pytest.raises(UpstreamRefused) as caught:
        decoder.close()
    assert (caught.value.upstream_status, caught.value.upstream_code) == (529, "overloaded_error")


def test_what_is_not_of_the_dialect_is_said_so(server: AnthropicServer) -> None:
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
        ({"seed": 1}, "seed"),
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logit_bias": {"1": 1.0}}, "logit_bias"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 1.2}, "temperature"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"response_format": ResponseFormat(kind="json_object")}, "response_format"),
        ({"reasoning": ReasoningOptions(budget=100)}, "reasoning.budget"),
        ({"messages": (Message(role="user", name="ann", parts=(Text(text="x"),)),)}, "messages[0].name"),
        (
            {"messages": (Message(role="user", parts=(Image(data="AA==", media_type="image/tiff"),)),)},
            "messages[0].content[0]",
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


def test_values_that_say_nothing_are_no_reason_to_refuse() -> None:
    request = asked(n=1, presence_penalty=0, frequency_penalty=0, logit_bias={}, logprobs=False)
    assert set(msgspec.json.decode(DIALECT.encode_request(request, model="m"))) == {"model", "max_tokens", "messages"}


def test_a_limit_is_always_said_and_leaves_room_beside_the_budget() -> None:
    def limit(request: CompletionRequest) -> int:
        found: int = msgspec.json.decode(DIALECT.encode_request(request, model="m"))["max_tokens"]
        return found

    plain = CompletionRequest(model="m", messages=(USER,))
    assert limit(plain) == 4096
    assert limit(CompletionRequest(model="m", messages=(USER,), reasoning=ReasoningOptions(budget=2000))) == 6096


def test_redacted_thoughts_pass_both_ways() -> None:
    parts = (Reasoning(encrypted="b3BhcXVl", minted_by="anthropic-messages"), Text(text="x"))
    request = CompletionRequest(
        model="m", max_output_tokens=9, messages=(USER, Message(role="assistant", parts=parts), USER)
    )
    assert DIALECT.decode_request(DIALECT.encode_request(request, model="m")) == request
    encoder, decoder = DIALECT.stream_encoder(request), DIALECT.stream_decoder()
    stream: list[Event] = [
        Started(id="a", model="m"),
        ReasoningDelta(encrypted="b3BhcXVl", minted_by="anthropic-messages"),
        TextDelta(text="x"),
        Finished(reason="stop"),
    ]
    decoded = decoder.feed(b"".join(map(encoder.encode, stream)) + encoder.close())
    assert [event for event in decoded if not isinstance(event, Used)] == stream


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    request = CompletionRequest(model="m", messages=(USER,), tools=(Tool(name="now"),))
    wire = msgspec.json.decode(DIALECT.encode_request(request, model="m"))
    assert wire["tools"] == [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]


def test_the_body_passes_untouched_but_for_model_and_our_own_keys() -> None:
    body = b'{"model":"a", "max_tokens":1, "messages":[{"role":"user","content":"x"}], "new":{"model":"a"}}'
    facts = DIALECT.read_facts(body)
    assert DIALECT.retarget(body, facts, model="a") == body
    assert msgspec.json.decode(DIALECT.retarget(body, facts, model="b")) == msgspec.json.decode(body) | {"model": "b"}
    own = body[:-1] + b',"metadata":{"user_id":"u","isthmus-labels":"phi"}}'
    facts = DIALECT.read_facts(own)
    assert facts.labels == {"phi"}
    assert msgspec.json.decode(DIALECT.retarget(own, facts, model="a"))["metadata"] == {"user_id": "u"}
