"""Sounds, documents and citations in OpenAI's dialect; whose thoughts are sent to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import InvalidRequest, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Audio,
    CacheMark,
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
    Part,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
)
from isthmus.domain.usage import Usage

USER = Message(role="user", parts=(Text(text="Hello"),))
REQUEST = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)
OWN = Extra("openai-chat", {})
PDF = "data:application/pdf;base64,AAAA"


def body_of(*parts: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": list(parts)}]}).encode()


def encoded(*messages: Message, notes: Adapted | None = None) -> list[dict[str, Any]]:
    request = CompletionRequest(model="m", messages=messages)
    body = OPENAI_CHAT.encode_request(request, model="claude", adapted=notes)  # whose servers take cache marks
    found: list[dict[str, Any]] = json.loads(body)["messages"]
    return found


# ------------------------------------------------------------------------------------------ sounds, documents


@pytest.mark.parametrize(
    ("wire", "part"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            Audio(data="AAAA", media_type="audio/wav"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}, "x": 1},
            Audio(data="AAAA", media_type="audio/mpeg", extra=Extra("openai-chat", {"x": 1})),
        ),
        (
            {"type": "audio_url", "audio_url": {"url": "https://a.example/a.ogg"}},
            Audio(url="https://a.example/a.ogg"),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}, "cache_control": {"type": "ephemeral"}},
            Document(data="AAAA", media_type="application/pdf", title="a.pdf", cache=CacheMark()),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, Document(file_id="file-1", extra=OWN)),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://a.example/a.pdf"}},
            Document(url="https://a.example/a.pdf", title="a.pdf"),
        ),
    ],
)
def test_a_part_is_read_and_returns_as_it_was(wire: dict[str, Any], part: Part) -> None:
    request = OPENAI_CHAT.decode_request(body_of(wire))
    assert request.messages[0].parts == (part,)
    assert encoded(*request.messages)[0]["content"] == [wire]


def test_a_sound_by_value_in_an_address_is_one_by_value() -> None:
    wire = {"type": "audio_url", "audio_url": {"url": "data:audio/ogg;base64,AAAA"}}
    (message,) = OPENAI_CHAT.decode_request(body_of(wire)).messages
    assert message.parts == (Audio(data="AAAA", media_type="audio/ogg"),)
    assert encoded(message)[0]["content"] == [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "ogg"}}]


@pytest.mark.parametrize(
    ("wire", "param"),
    [
        ({"type": "input_audio"}, "messages[0].content[0].input_audio"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, "messages[0].content[0].input_audio.format"),
        ({"type": "file", "file": {}}, "messages[0].content[0].file"),
        ({"type": "file", "file": {"file_id": "a", "file_data": PDF}}, "messages[0].content[0].file"),
        ({"type": "file", "file": {"file_data": "AAAA"}}, "messages[0].content[0].file.file_data"),
    ],
)
def test_what_is_wrong_is_named(wire: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OPENAI_CHAT.decode_request(body_of(wire))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Document(file_id="file_1", extra=Extra("anthropic-messages", {})), "messages[0].content[0]"),
        (Document(file_id="file_1"), "messages[0].content[0]"),
        (Document(text="Once.", citations=True), "messages[0].content[0].citations"),
        (Document(url="https://a.example/a.pdf", citations=True), "messages[0].content[0].citations"),
        (Audio(data="AAAA", media_type="video/mp4"), "messages[0].content[0]"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(part: Part, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        encoded(Message(role="user", parts=(part,)))
    assert caught.value.param == param


def test_media_are_needs_and_their_bytes_are_no_tokens() -> None:
    data = "A" * 40_000
    facts = OPENAI_CHAT.read_facts(
        body_of(
            {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}},
        )
    )
    assert facts.needs == {"audio", "documents"}
    assert facts.input_tokens < 2_000


def test_what_tools_answer_with_besides_text_is_said_after_the_last_result() -> None:
    calls = tuple(ToolCall(id=f"call_{at}", name="look", arguments="{}") for at in (1, 2))
    image = Image(url="https://a.example/a.png")
    results = (
        ToolResult(call_id="call_1", name="look", parts=(image,)),
        ToolResult(call_id="call_2", name="look", parts=(Text(text="dark"),)),
    )
    notes = Adapted()
    *_, first, second, after = encoded(
        USER, Message(role="assistant", parts=calls), Message(role="tool", parts=results), USER, notes=notes
    )
    assert (first["role"], first["content"]) == ("tool", "The result is attached to the next message.")
    assert (second["role"], second["content"]) == ("tool", "dark")
    assert after == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Attached to the result of look (call_1):"},
            {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}},
            {"type": "text", "text": "Hello"},
        ],
    }
    assert notes.text == "message.result: images and documents said by the user after it"
    # With nobody speaking after the results, a message is added.
    *_, last = encoded(USER, Message(role="assistant", parts=calls), Message(role="tool", parts=results))
    assert [part["type"] for part in last["content"]] == ["text", "image_url"]


# -------------------------------------------------------------------------------------------------- citations

ANNOTATION: dict[str, Any] = {
    "type": "url_citation",
    "url_citation": {
        "start_index": 0,
        "end_index": 4,
        "title": "A",
        "url": "https://a.example",
        "content": "four",
        "favicon": "f",
    },
}
CITATION = Citation(
    url="https://a.example",
    title="A",
    quote="four",
    start=0,
    end=4,
    extra=Extra("openai-chat", {"url_citation": {"favicon": "f"}}),
)


def answer(message: dict[str, Any]) -> Completion:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    return OPENAI_CHAT.decode_completion(json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode())


def told(completion: Completion) -> dict[str, Any]:
    body = OPENAI_CHAT.encode_completion(completion, REQUEST)
    ChatCompletion.model_validate_json(body)
    choice: dict[str, Any] = json.loads(body)["choices"][0]
    return choice


def test_annotations_are_citations_and_return_as_they_were() -> None:
    other = {"type": "file_citation", "file": "f"}
    completion = answer({"content": "Four.", "annotations": [ANNOTATION, other]})
    assert completion.choices[0].parts == (Text(text="Four.", citations=(CITATION,)),)
    body = json.loads(OPENAI_CHAT.encode_completion(answer({"content": "Four.", "annotations": [ANNOTATION]}), REQUEST))
    assert body["choices"][0]["message"]["annotations"] == [ANNOTATION]
    message = Message(role="assistant", parts=completion.choices[0].parts)
    assert encoded(USER, message)[1]["annotations"] == [ANNOTATION]


def test_citations_of_blocks_get_their_places_in_the_whole_text() -> None:
    other = Extra("anthropic-messages", {"type": "page_location", "start_page_number": 1})
    parts = (
        Text(text="It is "),
        Text(text="four", citations=(Citation(url="https://a.example"), Citation(title="T", extra=other))),
        Text(text="."),
    )
    choice = told(Completion(id="c", model="m", created=7, choices=(Choice(parts=parts, finish="stop"),)))
    (annotation,) = choice["message"]["annotations"]
    assert annotation["url_citation"] == {
        "start_index": 6,
        "end_index": 10,
        "title": "",
        "url": "https://a.example",
    }
    assert choice["extra_content"]["anthropic-messages"]["parts"] == [
        {"part": 1, "citation": {"title": "T", "type": "page_location", "start_page_number": 1}}
    ]


def test_citations_pass_through_streams() -> None:
    events: list[Event] = [
        Started(id="c", model="m", created=7),
        TextDelta(text="Four."),
        Cited(citation=CITATION),
        Cited(citation=Citation(url="https://b.example", title="B")),
        Cited(citation=Citation(title="T", extra=Extra("anthropic-messages", {"type": "page_location"}))),
        Finished(reason="stop"),
    ]
    encoder = OPENAI_CHAT.stream_encoder(REQUEST)
    wire = b"".join(map(encoder.encode, events)) + encoder.close()
    chunks = [event.removeprefix(b"data: ") for event in wire.split(b"\n\n")[:-2]]
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(chunk)
    decoder = OPENAI_CHAT.stream_decoder()
    placed = Citation(url="https://b.example", title="B", start=0, end=5, extra=OWN)
    assert [event for event in decoder.feed(wire) if isinstance(event, Cited)] == [
        Cited(citation=CITATION),
        Cited(citation=placed),
    ]
    assert b'"extra_content":{"anthropic-messages":{"citations":[{"title":"T","type":"page_location"}]}}' in wire


def test_a_citation_that_is_none_is_malformed() -> None:
    delta = {"annotations": [{"type": "url_citation", "url_citation": {"url": 3}}]}
    with pytest.raises(UpstreamMalformed):
        answer({"content": "x"} | delta)
    chunk = {"id": "c", "choices": [{"index": 0, "delta": delta}]}
    decoder = OPENAI_CHAT.stream_decoder()
    decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    with pytest.raises(UpstreamMalformed):
        decoder.close()


# --------------------------------------------------------------------------------------------------- thoughts


@pytest.mark.parametrize(
    "reasoning",
    [
        Reasoning(text="Hm.", signature="s", minted_by="anthropic-messages"),
        Reasoning(text="Hm.", encrypted="e", minted_by="openai-responses"),
        Reasoning(text="Hm.", signature="s", minted_by="openai-chat"),
        Reasoning(text="Hm."),
    ],
)
def test_thoughts_of_any_provider_come_back_from_clients_as_they_were(reasoning: Reasoning) -> None:
    parts = (reasoning, Text(text="4"))
    message = told(Completion(id="c", model="m", choices=(Choice(parts=parts, finish="stop"),)))["message"]
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}, message]}
    request = OPENAI_CHAT.decode_request(json.dumps(body).encode())
    assert request.messages[1].parts == parts
    encoder, decoder = OPENAI_CHAT.stream_encoder(REQUEST), OPENAI_CHAT.stream_decoder()
    delta = ReasoningDelta(
        text=reasoning.text, signature=reasoning.signature, encrypted=reasoning.encrypted, minted_by=reasoning.minted_by
    )
    events: list[Event] = [Started(id="c", model="m", created=7), delta, Finished(reason="stop")]
    wire = b"".join(map(encoder.encode, events))
    assert len(decoder.feed(wire)) == 3
    if reasoning.minted_by not in (None, "openai-chat"):
        assert f"isthmus:{reasoning.minted_by}:".encode() in wire
    # An offer of this dialect is sent none but its own.
    (_, said) = encoded(*request.messages)
    assert ("reasoning_content" in said) is (reasoning.minted_by in (None, "openai-chat"))


# ------------------------------------------------------------------------------------------------------ usage


def test_audio_tokens_are_parts_of_usage() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 3},
    }
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    body = json.dumps({"id": "c", "model": "m", "created": 7, "choices": [choice], "usage": usage}).encode()
    completion = OPENAI_CHAT.decode_completion(body)
    assert completion.usage == OPENAI_CHAT.read_usage(body) == Usage(input=9, output=4, audio_input=5, audio_output=3)
    assert json.loads(OPENAI_CHAT.encode_completion(completion, REQUEST))["usage"] == usage


def test_more_audio_tokens_than_tokens_are_all_of_them() -> None:
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 5}}
    body = {"id": "c", "model": "m", "choices": [{"message": {"content": "x"}}], "usage": usage}
    assert OPENAI_CHAT.read_usage(json.dumps(body).encode()) == Usage(input=2, output=1, audio_input=2)
