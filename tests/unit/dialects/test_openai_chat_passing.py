"""What happens to requests and streams that pass through to an offer of the same dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dialects.strategies import chunkings, json_objects

from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import InvalidRequest, UpstreamMalformed, UpstreamRefused
from isthmus.domain.label import Label
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"model": {"type": "string"}}}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 40_000}}


def body_of(**fields: Any) -> bytes:
    return json.dumps({"model": "triage", "messages": [USER]} | fields).encode()


def facts_of(**fields: Any) -> RequestFacts:
    return OPENAI_CHAT.read_facts(body_of(**fields))


# -------------------------------------------------------------------------------------------------------- facts


def test_a_plain_request_needs_nothing() -> None:
    facts = facts_of()
    assert facts == RequestFacts(model="triage", stream=False, messages=1, input_tokens=len(body_of()) // 4)


@pytest.mark.parametrize(
    ("fields", "need"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}, "json_schema"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        ({"logprobs": True}, "logprobs"),
        ({"n": 2}, "choices"),
        ({"reasoning_effort": "low"}, "reasoning"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, IMAGE]}]}, "vision"),
    ],
)
def test_each_need_is_seen(fields: dict[str, Any], need: str) -> None:
    assert facts_of(**fields).needs == {need}


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"response_format": {"type": "text"}},
        {"logprobs": False},
        {"n": 1},
        {"n": None},
        {"reasoning_effort": "none"},
        {"messages": [{"role": "user", "content": '{"image_url": "as text"}'}]},
        {"metadata": {"image_url": "x"}},
    ],
)
def test_what_only_looks_like_a_need_is_none(fields: dict[str, Any]) -> None:
    assert facts_of(**fields).needs == frozenset()


def test_base64_of_images_is_not_counted_as_text() -> None:
    facts = facts_of(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, IMAGE]}])
    assert 765 < facts.input_tokens < 900


def test_stream_limits_and_metadata_are_read() -> None:
    facts = facts_of(
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=5,
        max_completion_tokens=7,
        metadata={
            "isthmus-labels": "phi, internal",
            "isthmus-workload": "triage",
            "isthmus-conversation": "c1",
            "ticket": "3",
        },
    )
    assert (facts.stream, facts.stream_usage, facts.max_output_tokens) == (True, True, 7)
    assert (facts.labels, facts.workload, facts.conversation) == (
        frozenset({Label("phi"), Label("internal")}),
        "triage",
        "c1",
    )


@pytest.mark.parametrize(
    ("body", "param", "sentence"),
    [
        (b"", None, "The body is not valid JSON."),
        (b'{"model": "a"', None, "The body is not valid JSON."),
        (b"[1]", None, "The body must be an object, not a list."),
        (b'{"messages": [{}]}', "model", "model is missing."),
        (b'{"model": "a"}', "messages", "messages is missing."),
        (b'{"model": "", "messages": [{}]}', "model", "model must name a workload or an offer."),
        (body_of(messages=[]), "messages", "messages must be a list with at least one message."),
        (body_of(messages="secret"), "messages", "messages must be a list, not a string."),
        (body_of(model=3), "model", "model must be a string, not a whole number."),
        (body_of(n=0), "n", "n must be at least 1."),
        (body_of(max_tokens="secret"), "max_tokens", "max_tokens must be a whole number, not a string."),
        (
            body_of(stream_options={"include_usage": "secret"}),
            "stream_options.include_usage",
            "stream_options.include_usage must be true or false, not a string.",
        ),
        (
            body_of(metadata={"isthmus-labels": "Secret!"}),
            "metadata.isthmus-labels",
            "metadata.isthmus-labels must be label names separated by commas, each 1 to 63 of a-z, 0-9, '.', '_', '-', "
            "beginning with a-z or 0-9.",
        ),
        (
            body_of(metadata={"isthmus-conversation": "s" * 201}),
            "metadata.isthmus-conversation",
            "metadata.isthmus-conversation must have at most 200 characters.",
        ),
    ],
)
def test_errors_name_the_field_and_never_its_content(body: bytes, param: str | None, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OPENAI_CHAT.read_facts(body)
    assert (caught.value.param, caught.value.message) == (param, sentence)


# ----------------------------------------------------------------------------------------------------- retarget


def retargeted(body: bytes, model: str) -> bytes:
    return OPENAI_CHAT.retarget(body, OPENAI_CHAT.read_facts(body), model=model)


@pytest.mark.parametrize("fields", [{}, {"stream": True, "stream_options": {"include_usage": True}}])
def test_a_body_in_which_nothing_changes_is_the_same_object(fields: dict[str, Any]) -> None:
    body = body_of(**fields)
    assert retargeted(body, "triage") is body


@given(json_objects, st.booleans(), st.booleans(), st.booleans())
def test_only_model_usage_and_our_own_keys_change(
    unknown: dict[str, Any], stream: bool, ascii_only: bool, own_keys: bool
) -> None:
    before: dict[str, Any] = {f"x_{name}": value for name, value in unknown.items()} | {
        "model": "triage",
        "messages": [USER, {"role": "user", "content": 'not "model": "triage" but text'}],
        "stream": stream,
        "metadata": {"ticket": "3"} | ({"isthmus-labels": "phi"} if own_keys else {}),
    }
    body = json.dumps(before, ensure_ascii=ascii_only).encode()
    after = before | {"model": "gpt", "metadata": {"ticket": "3"}}
    if stream:
        after["stream_options"] = {"include_usage": True}
    assert json.loads(retargeted(body, "gpt")) == after


@pytest.mark.parametrize(
    "before",
    [
        {"tools": [TOOL], "model": "triage", "messages": [USER]},
        {"x": {"model": "triage"}, "model": "triage", "messages": [USER]},
        {"model": "triage", "x": "model", "messages": [USER]},
        {"stop": '"model":"triage"', "model": "triage", "messages": [USER]},
    ],
)
def test_a_model_named_elsewhere_stays_as_it_is(before: dict[str, Any]) -> None:
    assert json.loads(retargeted(json.dumps(before).encode(), "gpt")) == before | {"model": "gpt"}


def test_a_key_spelled_with_escapes_is_the_same_key() -> None:
    body = rb'{"x": {"model": "triage"}, "mod\u0065l": "triage", "messages": [{"role": "user", "content": "Hi"}]}'
    assert json.loads(retargeted(body, "gpt")) == {
        "x": {"model": "triage"},
        "model": "gpt",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_other_stream_options_stay() -> None:
    body = body_of(stream=True, stream_options={"include_obfuscation": False})
    assert json.loads(retargeted(body, "triage"))["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }


def test_metadata_that_was_only_for_isthmus_is_gone() -> None:
    assert "metadata" not in json.loads(retargeted(body_of(metadata={"isthmus-workload": "x"}), "triage"))


# -------------------------------------------------------------------------------------------------------- watch

TOLD = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
USED = Usage(input=9, output=4)


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk"} | fields).encode() + b"\n\n"


def delta(text: str, finish: str | None = None, **fields: Any) -> bytes:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **fields)


USAGE_EVENT = chunk(choices=[], usage=TOLD)
DONE = b"data: [DONE]\n\n"


def watched(pieces: list[bytes], *, asked: bool, several: bool = False) -> tuple[bytes, Usage | None, bool]:
    needs = frozenset({"choices"}) if several else frozenset()
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True, stream_usage=asked, needs=needs))  # type: ignore[arg-type]
    out = b"".join([*map(watch.feed, pieces), watch.close()])
    return out, watch.usage, watch.complete


STREAMS = [
    [delta("He", usage=None), delta("llo", "stop", usage=None), USAGE_EVENT, DONE],
    [b": keep-alive\n\n", delta("usage {"), delta("", "stop"), USAGE_EVENT, b"data: [DONE]"],
    [delta('"usage": {"x'), delta("", "stop"), USAGE_EVENT],
    [delta("He", usage=TOLD | {"completion_tokens": 1}), delta("llo", "stop", usage=TOLD), DONE],
    [delta("x" * 9000), delta("", "length"), USAGE_EVENT, DONE],
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("events", STREAMS)
@given(data=st.data())
def test_usage_is_read_off_and_taken_out_only_where_it_was_not_asked_for(
    events: list[bytes], end: bytes, data: st.DataObject
) -> None:
    events = [event.replace(b"\n", end) for event in events]
    pieces = data.draw(chunkings(b"".join(events)))
    assert watched(pieces, asked=True) == (b"".join(events), USED, True)
    rest = [event for event in events if b'"choices": []' not in event]
    assert watched(pieces, asked=False) == (b"".join(rest), USED, True)


def test_a_whole_event_is_never_held_back() -> None:
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True))
    first, second = delta("He"), delta("llo")
    assert watch.feed(first + second[:10]) == first
    assert watch.feed(second[10:]) == second
    assert watch.feed(USAGE_EVENT) == b""


def test_an_endless_event_is_let_through() -> None:
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True))
    sent = [b"data: " + b"x" * 100_000] * 30
    assert b"".join([*map(watch.feed, sent), watch.close()]) == b"".join(sent)


@pytest.mark.parametrize(
    ("pieces", "several", "complete"),
    [
        ([delta("Hi")], False, False),
        ([delta("Hi", "stop")], False, True),
        ([delta("Hi", "stop")], True, False),
        ([delta("Hi", "stop"), DONE], True, True),
        ([], False, False),
    ],
)
def test_a_stream_is_complete_at_its_end_marker_or_the_finish_of_its_only_choice(
    pieces: list[bytes], several: bool, complete: bool
) -> None:
    assert watched(pieces, asked=True, several=several)[2] is complete


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (TOLD, USED),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(input=9, output=4, cached=5, cache_written=2, reasoning=3),
        ),
        (TOLD | {"prompt_cache_hit_tokens": 8}, Usage(input=9, output=4, cached=8)),
        (TOLD | {"cached_tokens": 7}, Usage(input=9, output=4, cached=7)),
        # Reasoning beside the completion instead of in it (xAI).
        (
            TOLD | {"total_tokens": 43, "completion_tokens_details": {"reasoning_tokens": 30}},
            Usage(input=9, output=34, reasoning=30),
        ),
        (
            TOLD | {"total_tokens": 16, "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(input=9, output=7, reasoning=3),
        ),
        # Counts that contradict each other are read, not raised.
        (TOLD | {"prompt_tokens_details": {"cached_tokens": 50}}, Usage(input=9, output=4, cached=9)),
        ({"prompt_tokens": -1, "completion_tokens": None}, Usage()),
        # One count that cannot be read costs no other.
        (TOLD | {"prompt_tokens": 9.0, "prompt_tokens_details": {"cached_tokens": "x"}}, USED),
        (
            TOLD | {"prompt_tokens_details": [], "completion_tokens_details": {"reasoning_tokens": 3.0}},
            Usage(input=9, output=4, reasoning=3),
        ),
        (None, None),
        ("text", None),
    ],
)
def test_usage_is_read_in_every_form_seen(told: Any, usage: Usage | None) -> None:
    assert (
        OPENAI_CHAT.read_usage(json.dumps({"id": "c", "choices": [{"message": {}}], "usage": told}).encode()) == usage
    )


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"choices": []}, UpstreamMalformed),
        ({}, UpstreamMalformed),
        ({"error": {"message": "boom"}}, UpstreamRefused),
        ({"error": "boom", "choices": []}, UpstreamRefused),
    ],
)
def test_an_answer_without_a_choice_is_none_though_it_tells_usage(fields: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        OPENAI_CHAT.read_usage(json.dumps(fields | {"usage": TOLD}).encode())


ERROR_EVENT = chunk(error={"message": "boom", "code": 429}, choices=[])


@pytest.mark.parametrize("asked", [True, False])
@given(data=st.data())
def test_an_error_event_anywhere_ends_the_stream_with_an_error(asked: bool, data: st.DataObject) -> None:
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True, stream_usage=asked))
    before = delta("He") + delta('"error": {"x')
    passed = b""
    with pytest.raises(UpstreamRefused) as caught:  # noqa: PT012 - where it is raised depends on the cuts
        for piece in data.draw(chunkings(before + ERROR_EVENT + DONE)):
            passed += watch.feed(piece)
        watch.close()
    assert (passed, caught.value.status, watch.complete) == (before, 429, False)


def test_text_about_errors_is_no_error() -> None:
    events = [delta('"error"'), delta("error", error=None), delta("", "stop"), DONE]
    assert watched(events, asked=True) == (b"".join(events), None, True)


def test_comments_alone_are_no_beginning() -> None:
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True, stream_usage=True))
    comment = b": PROCESSING\n\n"
    assert watch.feed(comment) + watch.feed(b"\n") + watch.feed(comment[:5]) + watch.feed(comment[5:]) == b""
    assert watch.feed(delta("Hi")) == comment + b"\n" + comment + delta("Hi")
    assert watch.feed(comment) == comment


def test_an_event_that_is_cut_off_never_reaches_the_client() -> None:
    watch = OPENAI_CHAT.usage_watch(RequestFacts(model="m", stream=True, stream_usage=True))
    assert watch.feed(delta("He") + b'data: {"choices": [') == delta("He")


def test_usage_is_read_however_much_follows_it() -> None:
    events = [delta("Hi", usage=TOLD), *[delta("x" * 500)] * 40, delta("", "stop"), DONE]
    assert watched(events, asked=True) == (b"".join(events), USED, True)


# ------------------------------------------------------------------------------------ what a body says, it says once

MESSAGES = b'"messages": [{"role": "user", "content": "Hi"}]'
TWICE = [
    (b'{"model": "a", "model": "b", ' + MESSAGES + b"}", "model"),
    (b'{"model": "a", "mod\\u0065l": "a", ' + MESSAGES + b"}", "model"),
    (b'{"model": "a", "metadata": {"isthmus-labels": "phi"}, "metadata": {"x": "y"}, ' + MESSAGES + b"}", "metadata"),
    (b'{"model": "a", "metadata": {"isthmus-labels": "phi"}, "metadat\\u0061": null, ' + MESSAGES + b"}", "metadata"),
]


@pytest.mark.parametrize(("body", "param"), TWICE)
def test_a_field_said_twice_never_leaves(body: bytes, param: str) -> None:
    for leave in (lambda: retargeted(body, "a"), lambda: OPENAI_CHAT.decode_request(body)):
        with pytest.raises(InvalidRequest) as caught:
            leave()
        assert (caught.value.param, caught.value.message) == (param, f"{param} is said twice.")


def test_labels_said_twice_are_refused_before_anything_is_decided() -> None:
    body = b'{"model": "a", "metadata": {"isthmus-labels": "phi", "isthmus-l\\u0061bels": "x"}, ' + MESSAGES + b"}"
    with pytest.raises(InvalidRequest) as caught:
        OPENAI_CHAT.read_facts(body)
    assert caught.value.param == "metadata.isthmus-labels"


def test_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="UTF-8"):
        OPENAI_CHAT.read_facts(b'{"model": "a", "messages": [{"role": "user", "content": "\xff"}]}')


def test_an_empty_workload_or_conversation_is_none() -> None:
    facts = facts_of(metadata={"isthmus-workload": "", "isthmus-conversation": ""})
    assert (facts.workload, facts.conversation) == (None, None)
