"""Anthropic's clients, served by offers of another dialect: what they ask, what they are told, what they return."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message as WireMessage
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from isthmus.dialects import sse
from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES as DIALECT
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import (
    InvalidKey,
    InvalidRequest,
    IsthmusError,
    NoHealthyOffer,
    PerimeterDenied,
    StreamInterrupted,
    TooLarge,
    UnknownModel,
    Unsupported,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
)
from isthmus.domain.message import (
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
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage

REQUEST = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)
MARK = {"type": "ephemeral"}

CODING_AGENT: dict[str, Any] = {
    "model": "triage",
    "max_tokens": 32_000,
    "stream": True,
    "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "system": [
        {"type": "text", "text": "You are an agent."},
        {"type": "text", "text": "Be careful.", "cache_control": MARK},
    ],
    "tools": [
        {
            "name": "Read",
            "description": "Read a file.",
            "input_schema": {"$schema": "s", "type": "object", "properties": {"path": {"type": "string"}}},
            "input_examples": [{"path": "a.txt"}],
            "eager_input_streaming": True,
        },
        {"name": "Later", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Read it."}, {"type": "text", "text": "Please."}]},
        {"role": "system", "content": "Today is Monday.", "output_config": {"effort": "medium"}},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "EqQBCg=="},
                {"type": "redacted_thinking", "data": "b3BhcXVl"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.txt"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "cache_control": MARK,
                    "content": [
                        {"type": "text", "text": "One page."},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                        },
                    ],
                },
                {"type": "text", "text": "Go on."},
            ],
        },
    ],
}


def decoded(**fields: Any) -> CompletionRequest:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]} | fields
    return DIALECT.decode_request(json.dumps(body).encode())


def sent(request: CompletionRequest, notes: Adapted | None = None) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(OPENAI_CHAT.encode_request(request, model="gpt", adapted=notes))
    return said


def said_by_user(*blocks: dict[str, Any]) -> CompletionRequest:
    return decoded(messages=[{"role": "user", "content": list(blocks)}])


def streamed(*events: Event) -> bytes:
    encoder = DIALECT.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, events)) + encoder.close()


def accumulated(wire: bytes) -> WireMessage:
    """The message that the official client makes of a stream; every event is checked against its schema first."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    snapshot: Any = None
    pieces: dict[int, bytes] = {}
    for frame in sse.Frames().feed(wire):
        snapshot = accumulate_event(
            event=adapter.validate_json(frame.data), current_snapshot=snapshot, json_bufs=pieces
        )
    return WireMessage.model_validate(snapshot.to_dict())


# --------------------------------------------------------------------------------------------------- requests


def test_a_coding_agent_is_served_by_an_offer_of_openais_dialect() -> None:
    notes = Adapted()
    said = sent(DIALECT.decode_request(json.dumps(CODING_AGENT).encode()), notes)
    assert [message["role"] for message in said["messages"]] == [
        "system",
        "user",
        "system",
        "assistant",
        "tool",
        "user",
    ]
    assistant, result, user = said["messages"][3:]
    assert assistant["content"] == "I look."
    assert "reasoning_content" not in assistant
    assert "reasoning_details" not in assistant
    assert assistant["tool_calls"][0]["function"] == {"name": "Read", "arguments": '{"path":"a.txt"}'}
    assert result["tool_call_id"] == "toolu_1"
    assert result["content"] == "One page."
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]
    assert said["reasoning_effort"] == "high"
    assert [tool["function"]["name"] for tool in said["tools"]] == ["Read", "Later"]
    assert said["user"] == CODING_AGENT["metadata"]["user_id"]
    for field in ("context_management", "tools.input_examples", "tools.defer_loading", "message.reasoning"):
        assert f"{field}: left out" in notes.text


def test_an_adaptive_thinker_may_be_served_by_a_model_that_cannot_reason() -> None:
    def needs(thinking: dict[str, Any]) -> frozenset[str]:
        return DIALECT.read_facts(json.dumps(CODING_AGENT | {"thinking": thinking}).encode()).needs

    assert needs({"type": "adaptive"}) == {"tools", "vision"}
    assert needs({"type": "enabled", "budget_tokens": 2000}) == {"tools", "vision", "reasoning"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"type": "url", "name": "n", "url": "https://mcp.example"}]}, "mcp_servers"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"compaction": {"type": "enabled"}}, "compaction"),
        ({"top_k": 3, "thread": {"id": "t"}}, "thread"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        (
            {"tools": [{"name": "f", "input_schema": {}, "allowed_callers": ["code_execution_20260120"]}]},
            "tools[0].allowed_callers",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "document", "source": {"type": "url", "url": "u"}, "citations": {"enabled": True}}
                        ],
                    }
                ]
            },
            "messages[0].content[0].citations",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "search_result", "source": "s", "content": []}]}]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_changes_the_answer_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(decoded(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {"container": None, "mcp_servers": [], "speed": "standard"},
        {"tools": [], "stop_sequences": []},
        {"metadata": {}},
    ],
)
def test_what_says_nothing_leaves_no_note(fields: dict[str, Any]) -> None:
    notes = Adapted()
    assert sent(decoded(**fields), notes) == sent(decoded())
    assert not notes


DOCUMENTS: list[tuple[dict[str, Any], Document]] = [
    (
        {"source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}, "title": "a.pdf"},
        Document(data="AAAA", media_type="application/pdf", title="a.pdf"),
    ),
    (
        {"source": {"type": "url", "url": "https://a.example/a.pdf"}, "citations": {"enabled": True}},
        Document(url="https://a.example/a.pdf", citations=True),
    ),
    (
        {"source": {"type": "text", "media_type": "text/plain", "data": "Once."}, "context": "A tale."},
        Document(text="Once.", context="A tale."),
    ),
    (
        {"source": {"type": "file", "file_id": "file_1"}},
        Document(file_id="file_1", extra=Extra("anthropic-messages", {})),
    ),
]


@pytest.mark.parametrize(("fields", "document"), DOCUMENTS)
def test_a_document_is_read_and_returns_as_it_was(fields: dict[str, Any], document: Document) -> None:
    block = {"type": "document"} | fields
    request = said_by_user(block)
    assert request.messages[0].parts == (document,)
    body = json.loads(DIALECT.encode_request(request, model="m"))
    assert body["messages"][0]["content"] == [block]


def test_a_document_in_blocks_is_one_text_unless_its_blocks_are_to_be_cited() -> None:
    source = {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert said_by_user({"type": "document", "source": source}).messages[0].parts == (Document(text="a\n\nb"),)
    with pytest.raises(Unsupported) as caught:
        said_by_user({"type": "document", "source": source, "citations": {"enabled": True}})
    assert caught.value.param == "messages[0].content[0].source.content"


def test_documents_are_told_to_offers_of_openais_dialect() -> None:
    text = {"source": {"type": "text", "media_type": "text/plain", "data": "Once."}, "title": "T", "context": "C"}
    pdf = {"source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}
    said = sent(said_by_user({"type": "document"} | text, {"type": "document"} | pdf))
    assert said["messages"][0]["content"] == [
        {"type": "text", "text": "<document>\n<title>T</title>\n<context>C</context>\nOnce.\n</document>"},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ]


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ({"type": "base64", "media_type": "application/pdf", "data": "A" * 4000}, {"documents"}),
        ({"type": "text", "media_type": "text/plain", "data": "A" * 4000}, set()),
    ],
)
def test_a_document_that_is_no_text_is_a_need_and_its_bytes_are_no_tokens(
    source: dict[str, Any], needs: set[str]
) -> None:
    nested = [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": source}]}]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": nested}]}
    facts = DIALECT.read_facts(json.dumps(body).encode())
    assert facts.needs == needs
    assert facts.input_tokens < 1_700


# ----------------------------------------------------------------------------------------------------- answers

WEB = Citation(url="https://a.example", title="A", quote="four", start=0, end=4, extra=Extra("openai-chat", {}))
PAGE = {
    "type": "page_location",
    "cited_text": "four",
    "document_index": 0,
    "document_title": "T",
    "start_page_number": 1,
    "end_page_number": 2,
    "file_id": None,
}


def completion(*parts: Any, **fields: Any) -> Completion:
    choice = Choice(parts=parts, finish="stop")
    return Completion(**({"id": "c", "model": "m", "choices": (choice,)} | fields))


def told(answer: Completion) -> dict[str, Any]:
    body = DIALECT.encode_completion(answer, REQUEST)
    WireMessage.model_validate_json(body)
    said: dict[str, Any] = json.loads(body)
    return said


def test_citations_of_another_dialect_are_links() -> None:
    (block,) = told(completion(Text(text="Four.", citations=(WEB,))))["content"]
    assert block["citations"] == [
        {
            "type": "web_search_result_location",
            "url": "https://a.example",
            "title": "A",
            "cited_text": "four",
            "encrypted_index": "",
        }
    ]
    # Returned in the history, they are known not to be the provider's.
    request = decoded(messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": [block]}])
    assert json.loads(DIALECT.encode_request(request, model="m"))["messages"][1]["content"] == [
        {"type": "text", "text": "Four."}
    ]


def test_citations_of_a_document_survive_and_are_told_to_openais_clients_beside_the_message() -> None:
    body = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Four.", "citations": [PAGE]}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    answer = DIALECT.decode_completion(json.dumps(body).encode())
    assert told(answer)["content"] == body["content"]
    (choice,) = json.loads(OPENAI_CHAT.encode_completion(answer, REQUEST))["choices"]
    (part,) = choice["extra_content"]["anthropic-messages"]["parts"]
    assert part["part"] == 0
    assert part["citation"]["title"] == "T"
    assert part["citation"]["start_page_number"] == 1


def test_a_citation_in_a_stream_covers_its_block_of_text() -> None:
    found = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "q"}
    citation = Citation(
        url="https://a.example",
        title="A",
        quote="q",
        extra=Extra("anthropic-messages", {"type": found["type"], "encrypted_index": "x"}),
    )
    wire = streamed(
        Started(id="a", model="m"),
        TextDelta(text="It is "),
        Cited(citation=citation),
        TextDelta(text="four"),
        Cited(citation=citation),
        TextDelta(text="."),
        Finished(reason="stop"),
    )
    message = accumulated(wire)
    assert [(block.type, getattr(block, "text", "")) for block in message.content] == [
        ("text", "It is "),
        ("text", "four"),
        ("text", "."),
    ]
    decoder = DIALECT.stream_decoder()
    cited = [event.citation for event in decoder.feed(wire) if isinstance(event, Cited)]
    assert [(citation.start, citation.end) for citation in cited] == [(0, 6), (6, 10)]


def test_a_citation_after_the_text_is_told_at_the_end() -> None:
    wire = streamed(
        Started(id="a", model="m"),
        TextDelta(text="x"),
        ToolCallStarted(call=0, id="t", name="f"),
        ToolCallDelta(call=0, arguments="{}"),
        Cited(citation=WEB),
        Finished(reason="tool_calls"),
    )
    assert accumulated(wire).stop_reason == "tool_use"
    assert b'"extra_content":{"openai-chat":{"citations":[{"title":"A","quote":"four"}]}}' in wire


def test_what_an_answer_cannot_hold_is_told_beside_it() -> None:
    image = Image(data="AAAA", media_type="image/png")
    said = told(completion(Text(text="x", extra=Extra("openai-chat", {"rating": 1})), image))
    assert [block["type"] for block in said["content"]] == ["text"]
    assert said["extra_content"] == {
        "openai-chat": {"parts": [{"part": 0, "rating": 1}]},
        "isthmus": {"parts": [{"part": 1, "type": "image", "data": "AAAA", "media_type": "image/png"}]},
    }


@pytest.mark.parametrize(
    "reasoning",
    [
        Reasoning(text="Hm.", signature="s", minted_by="gemini-generate"),
        Reasoning(text="Hm.", encrypted="e", minted_by="openai-responses"),
        Reasoning(text="Hm.", signature="s", encrypted="e", minted_by="openai-responses"),
        Reasoning(encrypted="e", minted_by="openai-responses"),
        Reasoning(text="Hm.", signature="s", minted_by="anthropic-messages"),
        Reasoning(text="Hm."),
    ],
)
def test_thoughts_of_any_provider_come_back_from_clients_as_they_were(reasoning: Reasoning) -> None:
    blocks = told(completion(reasoning, Text(text="4")))["content"]
    request = decoded(messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": blocks}])
    assert request.messages[1].parts[0] == reasoning
    event = ReasoningDelta(
        text=reasoning.text,
        signature=reasoning.signature,
        encrypted=reasoning.encrypted,
        minted_by=reasoning.minted_by,
    )
    wire = streamed(Started(id="a", model="m"), event, TextDelta(text="4"), Finished(reason="stop"))
    assert [block.to_dict() for block in accumulated(wire).content][:1] == blocks[:1]
    # Anthropic is sent its own alone.
    body = json.loads(DIALECT.encode_request(request, model="m"))
    own = reasoning.minted_by == "anthropic-messages"
    assert ("thinking" in [block["type"] for block in body["messages"][1]["content"] if isinstance(block, dict)]) is own


def test_the_official_client_reads_a_whole_stream() -> None:
    message = accumulated(
        streamed(
            Started(id="", model="m"),
            Used(usage=Usage(input=9, cached=4)),
            ReasoningDelta(text="Hm"),
            ReasoningDelta(text=".", signature="s", minted_by="anthropic-messages"),
            TextDelta(text="I "),
            TextDelta(text="look."),
            ToolCallStarted(call=0, id="call_1", name="f"),
            ToolCallDelta(call=0, arguments='{"a":'),
            ToolCallDelta(call=0, arguments="1}"),
            ToolCallStarted(call=1, id="call_2", name="g"),
            ToolCallDelta(call=1, arguments="{}"),
            Finished(reason="tool_calls"),
            Used(usage=Usage(input=9, cached=4, output=7, reasoning=2)),
        )
    )
    assert message.id.startswith("msg_")
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[2].to_dict()["input"] == {"a": 1}
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens) == (5, 4, 7)


def test_two_answers_without_an_id_are_two() -> None:
    answer = completion(Text(text="x"), id="")
    assert told(answer)["id"] != told(answer)["id"]


def test_details_of_usage_are_kept_in_streams_as_in_whole_answers() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    }
    start = {"id": "a", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    wire = b"".join(
        sse.frame(json.dumps(event).encode(), str(event["type"]).encode())
        for event in (
            {"type": "message_start", "message": start | {"stop_reason": None, "stop_sequence": None}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 2},
            },
            {"type": "message_stop"},
        )
    )
    decoder = DIALECT.stream_decoder()
    events = decoder.feed(wire) + decoder.close()
    again = json.loads(next(f.data for f in sse.Frames().feed(streamed(*events)) if f.event == b"message_delta"))
    assert again["usage"] == usage
    whole = start | {"stop_reason": "end_turn", "stop_sequence": None}
    assert told(DIALECT.decode_completion(json.dumps(whole).encode()))["usage"] == usage


# ------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (Unsupported("x"), "invalid_request_error"),
        (InvalidKey("x"), "authentication_error"),
        (PerimeterDenied("x"), "permission_error"),
        (UnknownModel("x"), "not_found_error"),
        (TooLarge("x"), "request_too_large"),
        (UpstreamRefused("x", status=429), "rate_limit_error"),
        (UpstreamMalformed("x"), "api_error"),
        (UpstreamTimeout("x", phase="total"), "timeout_error"),
        (NoHealthyOffer("x"), "overloaded_error"),
        (UpstreamRefused("x", status=529), "overloaded_error"),
        (StreamInterrupted("x"), "api_error"),
    ],
)
def test_errors_have_the_names_that_anthropic_gives_them(error: IsthmusError, kind: str) -> None:
    body = json.loads(DIALECT.encode_error(error, "req_1"))
    assert body == {"type": "error", "error": {"type": kind, "message": error.sentence}, "request_id": "req_1"}
    (frame,) = sse.Frames().feed(DIALECT.stream_error(error, "req_1"))
    assert frame.event == b"error"
    assert json.loads(frame.data) == body


def test_a_call_with_an_id_of_another_style_is_answered_by_the_same_one() -> None:
    call = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "4"},
    ]
    request = OPENAI_CHAT.decode_request(json.dumps({"model": "m", "messages": messages}).encode())
    _, asked, answered = json.loads(DIALECT.encode_request(request, model="m"))["messages"]
    identity = asked["content"][0]["id"]
    assert identity == answered["content"][0]["tool_use_id"]
    assert identity.replace("_", "").isalnum()
    assert isinstance(request.messages[1].parts[0], ToolCall)
