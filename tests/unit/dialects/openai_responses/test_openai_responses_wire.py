"""What clients of `openai-responses` send and are sent, and what its offers send, case by case."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from typing_extensions import override

from isthmus.dialects import sse
from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gather import gather
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.dialects.openai_responses import OPENAI_RESPONSES as DIALECT
from isthmus.domain.errors import InvalidRequest, IsthmusError, StreamInterrupted, Unsupported, UpstreamRefused
from isthmus.domain.message import (
    Audio,
    Choice,
    Citation,
    Cited,
    Completion,
    CompletionRequest,
    Document,
    Event,
    Extra,
    Finished,
    Image,
    Message,
    Reasoning,
    ReasoningDelta,
    ReasoningOptions,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage

NAME = "openai-responses"
FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}
CRM = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [FUNCTION]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
SEARCH = {"type": "web_search", "external_web_access": True}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hello"} | fields).encode()


def decoded(**fields: Any) -> CompletionRequest:
    return DIALECT.decode_request(body(**fields))


def sent(request: CompletionRequest, adapted: Adapted | None = None) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(DIALECT.encode_request(request, model="m", adapted=adapted))
    return said


def user(*parts: Any) -> CompletionRequest:
    return CompletionRequest(model="m", messages=(Message(role="user", parts=parts),))


def answered(request: CompletionRequest, *parts: Any, finish: Any = "stop") -> dict[str, Any]:
    completion = Completion(id="a1", model="m", choices=(Choice(parts=parts, finish=finish),))
    wire = DIALECT.encode_completion(completion, request)
    Response.model_validate_json(wire, strict=True)
    told: dict[str, Any] = json.loads(wire)
    return told


# ---------------------------------------------------------------------------------------------------- requests


def test_a_text_is_what_the_user_says() -> None:
    assert decoded().messages == (Message(role="user", parts=(Text(text="Hello"),)),)


def test_instructions_are_said_by_the_system_before_all_else() -> None:
    request = decoded(instructions="Be brief.", input=[{"role": "system", "content": "Be kind."}])
    assert [(message.role, message.parts) for message in request.messages] == [
        ("system", (Text(text="Be brief."),)),
        ("system", (Text(text="Be kind."),)),
    ]
    assert sent(request)["instructions"] == "Be brief."


def test_items_of_the_model_are_one_turn() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}]}
    turn = decoded(input=[{"role": "user", "content": "Hi"}, thought, said, CALL, RESULT]).messages
    assert [message.role for message in turn] == ["user", "assistant", "tool"]
    assert turn[1].parts == (
        Reasoning(text="Hm."),
        Text(text="Let me look."),
        ToolCall(id="call_1", name="look", arguments="{}"),
    )
    assert turn[2].parts == (ToolResult(call_id="call_1", name="look", parts=(Text(text="4"),)),)


def test_pictures_sound_and_documents_are_read_and_said() -> None:
    content = [
        {"type": "input_text", "text": "See."},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "image_url": "https://a.test/a.png", "detail": "original"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "file_url": "https://a.test/a.pdf"},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ]
    request = decoded(input=[{"role": "user", "content": content}])
    assert request.messages[0].parts == (
        Text(text="See."),
        Image(data="AAAA", media_type="image/png", detail="low"),
        Image(url="https://a.test/a.png", extra=Extra(NAME, {"detail": "original"})),
        Document(data="AAAA", media_type="application/pdf", title="a.pdf"),
        Document(url="https://a.test/a.pdf"),
        Document(file_id="file_1", extra=Extra(NAME, {})),
        Audio(data="AAAA", media_type="audio/mpeg"),
    )
    assert sent(request)["input"][0]["content"] == content
    assert DIALECT.read_facts(body(input=[{"role": "user", "content": content}])).needs == {
        "vision",
        "documents",
        "audio",
    }


def test_bare_base64_is_of_the_type_that_its_name_tells() -> None:
    file = {"type": "input_file", "filename": "a.csv", "file_data": "AAAA"}
    [part] = decoded(input=[{"role": "user", "content": [file]}]).messages[0].parts
    assert part == Document(data="AAAA", media_type="text/csv", title="a.csv")


def test_media_count_by_what_they_cost_and_not_by_their_bytes() -> None:
    def estimate(size: int) -> int:
        image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * size}
        return DIALECT.read_facts(body(input=[{"role": "user", "content": [image]}])).input_tokens

    assert abs(estimate(40_000) - estimate(400)) <= 1
    assert estimate(4) > 700


def test_a_custom_tool_is_a_function_with_one_text_and_its_calls_come_back_as_its_own() -> None:
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"}
    result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."}
    request = decoded(tools=[PATCH], input=[{"role": "user", "content": "Hi"}, call, result])
    [tool] = request.tools
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["input"]
    assert GRAMMAR["definition"] in tool.parameters["properties"]["input"]["description"]
    assert request.messages[1].parts[0].arguments == '{"input":"*** Begin"}'  # type: ignore[union-attr]
    assert sent(request)["tools"] == [PATCH]
    assert sent(request)["input"][1:] == [call, result]
    to_chat = json.loads(OPENAI_CHAT.encode_request(request, model="m"))
    assert to_chat["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"input":"*** Begin"}'
    [item] = answered(request, ToolCall(id="c2", name="apply_patch", arguments='{"input":"a"}'))["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", "a")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"input":"a"}', "a"), ('{"patch":"a"}', "a"), ('"a"', "a"), ("a", "a"), ('{"input":1}', '{"input":1}')],
)
def test_the_input_of_a_custom_tool_is_found_where_models_put_it(arguments: str, text: str) -> None:
    [item] = answered(decoded(tools=[PATCH]), ToolCall(id="c", name="apply_patch", arguments=arguments))["output"]
    assert item["input"] == text


def test_tools_of_a_namespace_have_its_name_before_theirs_elsewhere() -> None:
    called = CALL | {"namespace": "crm"}
    request = decoded(tools=[CRM], input=[{"role": "user", "content": "Hi"}, called, RESULT])
    assert [tool.name for tool in request.tools] == ["crm__look"]
    assert request.messages[2].parts[0].name == "crm__look"  # type: ignore[union-attr]
    said = sent(request)
    assert said["tools"] == [CRM | {"tools": [FUNCTION | {"strict": None}]}]
    assert (said["input"][1]["name"], said["input"][1]["namespace"]) == ("look", "crm")
    to_chat = json.loads(OPENAI_CHAT.encode_request(request, model="m"))
    assert to_chat["tools"][0]["function"]["name"] == "crm__look"
    [item] = answered(request, ToolCall(id="c", name="crm__look", arguments="{}"))["output"]
    assert (item["name"], item["namespace"]) == ("look", "crm")


def test_tools_told_on_the_way_are_tools() -> None:
    told = {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}
    assert [tool.name for tool in decoded(input=[told, {"role": "user", "content": "Hi"}]).tools] == ["look"]


def test_searches_offered_unasked_are_left_out_elsewhere_and_that_is_told() -> None:
    request = decoded(tools=[FUNCTION, SEARCH])
    assert SEARCH in sent(request)["tools"]
    for other in (OPENAI_CHAT, ANTHROPIC_MESSAGES):
        adapted = Adapted()
        assert len(json.loads(other.encode_request(request, model="m", adapted=adapted))["tools"]) == 1
        assert "tools.web_search: left out" in adapted.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0].type"),
        ({"tools": [FUNCTION, {"type": "mcp", "server_label": "a"}]}, "tools[1].type"),
        ({"tools": [{"type": "local_shell"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
    ],
)
def test_what_cannot_be_done_here_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        decoded(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 3}, "input"),
        ({"input": [{"role": "robot", "content": "Hi"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "u"}]}]},
            "input[0].content[0]",
        ),
        ({"tool_choice": 3}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_what_is_no_request_is_told_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**fields)
    assert caught.value.param == param


def test_a_choice_among_some_tools_is_one_among_no_others() -> None:
    chosen = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}
    request = decoded(tools=[FUNCTION, FUNCTION | {"name": "leap"}], tool_choice=chosen)
    assert [tool.name for tool in request.tools] == ["look"]
    assert request.tool_choice is not None
    assert request.tool_choice.mode == "required"


def test_options_are_said_as_they_were() -> None:
    options = {
        "reasoning": {"effort": "high", "summary": "detailed", "context": "all_turns"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "a", "schema": {}, "strict": True}},
        "include": ["message.output_text.logprobs", "file_search_call.results", "reasoning.encrypted_content"],
        "top_logprobs": 3,
        "safety_identifier": "s",
        "truncation": "auto",
        "max_tool_calls": 3,
    }
    said = sent(decoded(**options))
    assert sorted(said.pop("include")) == sorted(options.pop("include"))  # type: ignore[call-overload]
    assert {name: said[name] for name in options} == options


def test_strictness_that_is_not_said_is_none_elsewhere() -> None:
    [from_here] = sent(decoded(tools=[FUNCTION]))["tools"]
    assert from_here["strict"] is None
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    chat["tools"] = [{"type": "function", "function": {"name": "look"}}]
    [from_chat] = sent(OPENAI_CHAT.decode_request(json.dumps(chat).encode()))["tools"]
    assert from_chat["strict"] is False


def test_what_chat_calls_the_same_is_said_from_there() -> None:
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "verbosity": "low", "prompt_cache_key": "k"}
    said = sent(OPENAI_CHAT.decode_request(json.dumps(chat).encode()))
    assert (said["text"], said["prompt_cache_key"]) == ({"verbosity": "low"}, "k")


@pytest.mark.parametrize(("name", "value"), [("stop", ("a",)), ("seed", 1), ("top_k", 3), ("n", 2)])
def test_what_the_dialect_has_no_word_for_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(CompletionRequest(model="m", messages=user(Text(text="Hi")).messages, **{name: value}))
    assert caught.value.param == name


def test_a_budget_is_said_as_the_nearest_effort_and_that_is_told() -> None:
    adapted = Adapted()
    request = CompletionRequest(
        model="m", messages=user(Text(text="Hi")).messages, reasoning=ReasoningOptions(budget=8_000)
    )
    assert sent(request, adapted)["reasoning"] == {"effort": "medium"}
    assert adapted.text == "reasoning.budget: said as effort medium"


def test_a_failed_tool_is_told_in_words() -> None:
    adapted = Adapted()
    result = ToolResult(call_id="c", parts=(Text(text="no such file"),), is_error=True)
    request = CompletionRequest(model="m", messages=(Message(role="tool", parts=(result,)),))
    assert sent(request, adapted)["input"][0]["output"] == "Error: no such file"
    assert "message.result.is_error" in adapted.text


def test_what_is_said_of_a_document_stands_before_it() -> None:
    adapted = Adapted()
    content = sent(user(Document(text="x", context="Notes.")), adapted)["input"][0]["content"]
    assert [part["type"] for part in content] == ["input_text", "input_file"]
    assert content[1] == {
        "type": "input_file",
        "filename": "document.txt",
        "file_data": "data:text/plain;base64,eA==",
    }
    with pytest.raises(Unsupported):
        sent(user(Document(text="x", citations=True)))
    with pytest.raises(Unsupported):
        sent(user(Document(file_id="f", extra=Extra("anthropic-messages", {}))))


# ------------------------------------------------------------------------------------------------------ proofs


def test_encrypted_thoughts_return_to_their_own_provider_without_an_id() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    request = decoded(input=[{"role": "user", "content": "Hi"}, thought, CALL, RESULT])
    assert sent(request)["input"][1] == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    assert "reasoning.encrypted_content" in sent(request)["include"]


def test_proofs_of_another_provider_return_to_it_through_clients_of_this_dialect() -> None:
    parts = (
        Reasoning(text="Hm.", signature="SIG", minted_by="anthropic-messages"),
        Reasoning(encrypted="RED", minted_by="anthropic-messages"),
        ToolCall(id="call_1", name="look", arguments="{}", signature="TS", minted_by="gemini-generate"),
    )
    answer = answered(decoded(), *parts, finish="tool_calls")
    again = decoded(input=[{"role": "user", "content": "Hi"}, *answer["output"], RESULT])
    assert again.messages[1].parts == parts
    adapted = Adapted()
    assert [item["type"] for item in sent(again, adapted)["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert "message.reasoning: left out, made by anthropic-messages" in adapted.text
    assert "message.signature: left out, made by gemini-generate" in adapted.text


def test_the_proof_of_a_text_follows_it_where_the_client_asked_for_proofs() -> None:
    text = Text(text="Hi.", signature="TS", minted_by="gemini-generate")
    asking = decoded(include=["reasoning.encrypted_content"])
    answer = answered(asking, text)
    assert decoded(input=[{"role": "user", "content": "Hi"}, *answer["output"]]).messages[1].parts == (text,)
    assert len(answered(decoded(), text)["output"]) == 1


def test_a_passing_body_loses_what_its_offer_would_refuse() -> None:
    foreign = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "isthmus:gemini-generate:call:x"}
    [ours] = answered(decoded(), Reasoning(encrypted="gAAA", minted_by=NAME))["output"]
    theirs = {"type": "reasoning", "id": "rs_7", "summary": [], "encrypted_content": "gBBB"}
    kept_nowhere = {"type": "reasoning", "id": "rs_8", "summary": [{"type": "summary_text", "text": "Hm."}]}
    told = body(
        input=[{"role": "user", "content": "isthmus"}, foreign, ours, theirs, kept_nowhere],
        previous_response_id="resp_1",
        metadata={"isthmus-labels": "pii", "a": "b"},
        store=True,
    )
    said = json.loads(DIALECT.retarget(told, DIALECT.read_facts(told), model="gpt"))
    assert said == {
        "model": "gpt",
        "input": [
            {"role": "user", "content": "isthmus"},
            {name: value for name, value in ours.items() if name != "id"},
            theirs,
        ],
        "metadata": {"a": "b"},
        "store": False,
    }


@pytest.mark.parametrize(
    ("reasoning", "asks"),
    [
        (None, False),
        ({"effort": "none"}, False),
        ({"effort": None}, False),
        ({"effort": "low"}, True),
        ({"summary": "auto"}, True),
    ],
)
def test_thoughts_are_asked_for_encrypted_where_a_passing_request_shows_that_the_model_thinks(
    reasoning: Any, asks: bool
) -> None:
    told = body(reasoning=reasoning, include=["message.output_text.logprobs"], store=False)
    said = json.loads(DIALECT.retarget(told, DIALECT.read_facts(told), model="m"))
    assert ("reasoning.encrypted_content" in said["include"]) == asks
    assert "message.output_text.logprobs" in said["include"]


def test_a_mark_that_was_never_written_is_refused() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "isthmus:gemini-generate:x"}
    with pytest.raises(InvalidRequest):
        decoded(input=[thought])


# ------------------------------------------------------------------------------------------------------- facts


def test_facts_tell_the_earlier_answer_and_what_metadata_declares() -> None:
    facts = DIALECT.read_facts(
        body(previous_response_id="resp_1", metadata={"isthmus-labels": "pii, phi", "isthmus-workload": "triage"})
    )
    assert (facts.previous, sorted(facts.labels), facts.workload) == ("resp_1", ["phi", "pii"], "triage")


@pytest.mark.parametrize("fields", [{"conversation": "c"}, {"prompt": {"id": "p"}}, {"background": True}])
def test_facts_refuse_what_nobody_here_can_look_at(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as caught:
        DIALECT.read_facts(body(**fields))
    assert caught.value.param == next(iter(fields))


# ----------------------------------------------------------------------------------------------------- answers


def test_a_cut_answer_is_incomplete_and_its_last_item_with_it() -> None:
    answer = answered(decoded(), Text(text="Hel"), finish="length")
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert answer["output"][0]["status"] == "incomplete"


def test_an_answer_tells_what_was_asked() -> None:
    request = decoded(instructions="Be brief.", tools=[FUNCTION], tool_choice="required", temperature=0.5, store=False)
    answer = answered(request, Text(text="Hi"))
    assert (answer["instructions"], answer["tool_choice"], answer["temperature"]) == ("Be brief.", "required", 0.5)
    assert (answer["tools"], answer["store"]) == ([FUNCTION | {"strict": None}], False)


def test_a_source_that_is_no_page_is_cited_by_its_name() -> None:
    [item] = answered(decoded(), Text(text="Hi", citations=(Citation(title="Report", quote="hi"),)))["output"]
    assert item["content"][0]["annotations"] == [
        {"type": "file_citation", "file_id": "", "filename": "Report", "index": 2, "quote": "hi"}
    ]


def test_a_failed_answer_is_an_error() -> None:
    failed = {
        "id": "resp_1",
        "status": "failed",
        "output": [],
        "error": {"code": "rate_limit_exceeded", "message": "No"},
    }
    for read in (DIALECT.decode_completion, DIALECT.read_usage):
        with pytest.raises(UpstreamRefused) as caught:
            read(json.dumps(failed).encode())
        assert (caught.value.status, caught.value.message) == (429, "No")


def test_items_of_tools_that_the_provider_runs_are_passed_over() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    said["content"] = [{"type": "output_text", "text": "Hi", "annotations": []}]  # type: ignore[assignment]
    answer = {"id": "resp_1", "model": "m", "status": "completed", "output": [search, said]}
    assert DIALECT.decode_completion(json.dumps(answer).encode()).choices[0].parts == (Text(text="Hi"),)


# ----------------------------------------------------------------------------------------------------- streams


def stream(request: CompletionRequest, *events: Event) -> bytes:
    encoder = DIALECT.stream_encoder(request)
    return b"".join(encoder.encode(event) for event in events) + encoder.close()


def through_the_client(wire: bytes) -> Any:
    """What the official client's accumulating stream makes of the bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(wire)))
            self.end_headers()
            self.wfile.write(wire)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            with (
                openai.OpenAI(api_key="k", base_url=base_url, max_retries=0) as client,
                client.responses.stream(model="m", input="Hello") as answer,
            ):
                return answer.get_final_response()
        finally:
            thread.join()


EVERYTHING: tuple[Event, ...] = (
    Started(id="resp_1", model="m", created=1),
    ReasoningDelta(text="H"),
    ReasoningDelta(text="m.", encrypted="gAAA", minted_by=NAME),
    TextDelta(text="Let me "),
    TextDelta(text="look."),
    Cited(citation=Citation(url="https://a.test", title="A", start=0, end=4)),
    RefusalDelta(text="Not this."),
    ToolCallStarted(call=0, id="c0", name="crm__look"),
    ToolCallStarted(call=1, id="c1", name="apply_patch"),
    ToolCallDelta(call=1, arguments='{"input":'),
    ToolCallDelta(call=0, arguments='{"a":1}'),
    ToolCallDelta(call=1, arguments='"x"}'),
    Finished(reason="tool_calls"),
    Used(usage=Usage(input=3, cached=1, output=5, reasoning=2)),
)


def test_the_official_client_gathers_a_stream_of_everything() -> None:
    answer = through_the_client(stream(decoded(tools=[CRM, PATCH], stream=True), *EVERYTHING))
    thought, said, look, patch = answer.output
    assert (thought.summary[0].text, thought.encrypted_content) == ("Hm.", "gAAA")
    assert [part.type for part in said.content] == ["output_text", "refusal"]
    assert (answer.output_text, said.content[0].annotations[0].url) == ("Let me look.", "https://a.test")
    assert (look.name, look.namespace, look.arguments) == ("look", "crm", '{"a":1}')
    assert (patch.type, patch.input) == ("custom_tool_call", "x")
    assert answer.usage.output_tokens_details.reasoning_tokens == 2


def test_a_stream_gathered_is_the_answer_that_was_streamed() -> None:
    wire = stream(decoded(tools=[CRM, PATCH], stream=True), *EVERYTHING)
    decoder = DIALECT.stream_decoder()
    told = gather([*decoder.feed(wire), *decoder.close()])
    whole = DIALECT.decode_completion(json.dumps(json.loads(last(wire))["response"]).encode())
    assert [part.text for part in told.choices[0].parts if isinstance(part, Text | Reasoning)] == [
        part.text for part in whole.choices[0].parts if isinstance(part, Text | Reasoning)
    ]
    assert (told.id, told.usage, told.choices[0].finish) == (whole.id, whole.usage, whole.choices[0].finish)


def test_the_official_client_raises_where_a_stream_fails() -> None:
    encoder = DIALECT.stream_encoder(decoded(stream=True))
    wire = encoder.encode(EVERYTHING[0]) + encoder.encode(TextDelta(text="Hel"))
    wire += encoder.fail(StreamInterrupted("It broke off."), "req_1")
    with pytest.raises(openai.APIError, match="It broke off"):
        through_the_client(wire)
    assert last(wire, b"response.failed")
    with pytest.raises(openai.APIError):
        through_the_client(encoder.encode(EVERYTHING[0]) + DIALECT.stream_error(StreamInterrupted("Oh."), "req_1"))


def test_an_error_in_a_stream_is_raised_after_what_came_before() -> None:
    encoder = DIALECT.stream_encoder(decoded(stream=True))
    begun = encoder.encode(EVERYTHING[0]) + encoder.encode(TextDelta(text="Hel"))
    for error in (
        b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"No","sequence_number":9}\n\n',
        b'data: {"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"No"}}}\n\n',
    ):
        decoder, watch = DIALECT.stream_decoder(), DIALECT.usage_watch(DIALECT.read_facts(body(stream=True)))
        assert TextDelta(text="Hel") in decoder.feed(begun + error)
        assert watch.feed(begun + error) == begun
        for close in (decoder.close, watch.close):
            with pytest.raises(UpstreamRefused) as caught:
                close()
            assert caught.value.status == 429


def test_a_server_that_streams_only_whole_items_is_understood() -> None:
    items = [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}], "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
    ]
    told: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": "resp_1", "model": "m"}}]
    told += [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(items)]
    told.append(
        {"type": "response.completed", "response": {"id": "resp_1", "output": items, "usage": {"input_tokens": 1}}}
    )
    decoder = DIALECT.stream_decoder()
    wire = b"".join(sse.frame(json.dumps(event).encode()) for event in told) + b"data: [DONE]\n\n"
    assert [*decoder.feed(wire), *decoder.close()] == [
        Started(id="resp_1", model="m"),
        ReasoningDelta(text="Hm."),
        TextDelta(text="Hi"),
        ToolCallStarted(call=0, id="c", name="look"),
        ToolCallDelta(call=0, arguments="{}"),
        Finished(reason="tool_calls"),
        Used(usage=Usage(input=1)),
    ]


def test_paragraphs_of_a_summary_are_kept_apart() -> None:
    told: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": "resp_1", "model": "m"}}]
    for at, text in enumerate(["One.", "Two."]):
        told.append({"type": "response.reasoning_summary_text.delta", "summary_index": at, "delta": text})
    decoder = DIALECT.stream_decoder()
    events = decoder.feed(b"".join(sse.frame(json.dumps(event).encode()) for event in told))
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "One.\n\nTwo."


def test_errors_are_told_as_every_openai_api_tells_them() -> None:
    error: IsthmusError = InvalidRequest("No.", param="input")
    told = json.loads(DIALECT.encode_error(error, "req_1"))["error"]
    assert (told["type"], told["param"], told["code"]) == ("invalid_request_error", "input", "invalid_request")


def last(wire: bytes, event: bytes = b"response.completed") -> bytes:
    return [frame.data for frame in sse.Frames().feed(wire) if frame.event == event][-1]
