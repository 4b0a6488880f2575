"""Every text of a body is seen, whatever field it stands in."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.domain.errors import InvalidRequest
from isthmus.perimeter.passages import passages, replaced, where

CANARY = "canary-7f3a"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", max_size=6), inner, max_size=3),
    max_leaves=12,
)


@st.composite
def bodies_with_a_canary(draw: st.DrawFn) -> dict[str, Any]:
    """A body with the canary somewhere: as a text, inside one, or as a name."""
    holder: Any = draw(st.sampled_from([CANARY, f"so {CANARY} it is", {CANARY: 1}]))
    for _ in range(draw(st.integers(0, 5))):
        beside = draw(json_values)
        holder = draw(st.sampled_from([[beside, holder], {"content": holder, "x": beside}, {"text": holder}]))
    field = draw(st.sampled_from(["messages", "contents", "input", "tools", "system", "metadata", "unknown_field"]))
    return {"model": "m", field: draw(st.sampled_from([holder, [holder], [{"role": "user", "content": holder}]]))}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(bodies_with_a_canary())
def test_no_text_is_overlooked(body: dict[str, Any]) -> None:
    assert any(CANARY in passage.text for passage in passages(body).texts)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(bodies_with_a_canary())
def test_a_text_is_replaced_where_it_stands_and_nowhere_else(body: dict[str, Any]) -> None:
    found = [passage for passage in passages(body).texts if not passage.fixed and passage.message is not None]
    for passage in found:
        again = replaced(body, {passage.path: "other"})
        texts = {other.path: other.text for other in passages(again).texts}
        assert texts.pop(passage.path) == "other"
        before = {other.path: other.text for other in passages(body).texts}
        before.pop(passage.path)
        assert texts == before


def test_a_place_is_told_without_words_that_a_client_made_up() -> None:
    assert where(("messages", 2, "content", 0, "text")) == "messages[2].content[0].text"
    assert where(("tools", 0, "my secret name is")) == "tools[0].(a name)"


def test_what_frames_a_conversation_is_told_from_what_is_said() -> None:
    body = {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}],
        "tools": [{"function": {"name": "look", "description": "looks"}}],
    }
    frames = {passage.text: passage.frame for passage in passages(body).texts}
    assert frames["be brief"]
    assert frames["looks"]
    assert not frames["hello"]


def test_messages_of_one_role_that_follow_one_another_are_one_run() -> None:
    body = {"messages": [{"role": role, "content": "x"} for role in ("user", "user", "assistant", "user")]}
    assert [p.message for p in passages(body).texts if p.text == "x"] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"fileData": {"fileUri": "gs://x", "mimeType": "image/png"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        {"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"},
        [1, 2, 3],
    ],
)
@pytest.mark.parametrize("field", ["messages", "contents", "input"])
def test_what_cannot_be_read_is_told(part: dict[str, Any] | list[int], field: str) -> None:
    if isinstance(part, list):
        assert passages({"input": part}).unreadable == [("input",)]
        assert passages({"input": ["text", part]}).unreadable == [("input", 1)]
        return
    found = passages({field: [{"role": "user", "content": [part]}]})
    assert found.unreadable
    assert not any(passage.text == "AAAA" for passage in found.texts)


@pytest.mark.parametrize("name", ["encrypted_content", "signature", "thoughtSignature"])
def test_what_a_provider_wants_back_unchanged_is_looked_at_and_never_replaced_in(name: str) -> None:
    found = passages({"messages": [{"role": "assistant", "content": [{"type": "x", name: "a canary"}]}]})
    [passage] = [passage for passage in found.texts if passage.text == "a canary"]
    assert passage.fixed


def test_the_name_of_an_argument_is_no_content() -> None:
    schema = {"type": "object", "properties": {"image_url": {"type": "string"}, "file_id": {"type": "string"}}}
    assert not passages({"tools": [{"type": "function", "name": "f", "parameters": schema}]}).unreadable


@pytest.mark.parametrize("body", [{"input": "a canary"}, {"content": {"parts": [{"text": "a canary"}]}}])
def test_a_single_text_is_said(body: dict[str, Any]) -> None:
    [passage] = passages(body).texts
    assert passage.text == "a canary"
    assert passage.is_said


def test_the_texts_of_several_requests_are_one_run() -> None:
    requests = [{"model": "models/m", "content": {"parts": [{"text": text}]}} for text in ("a", "b")]
    said = [passage for passage in passages({"requests": requests}).texts if passage.is_said]
    assert [(passage.text, passage.message) for passage in said] == [("a", 0), ("b", 0)]


def test_a_request_within_a_request_is_walked_as_one() -> None:
    inner = {"contents": [{"role": "user", "parts": [{"text": "a canary"}]}], "systemInstruction": {"parts": "x"}}
    found = passages({"generateContentRequest": inner})
    assert [(passage.text, passage.is_said, passage.frame) for passage in found.texts if passage.text != "user"] == [
        ("a canary", True, False),
        ("x", False, True),
    ]


@pytest.mark.parametrize("name", ["isthmus_labels", "isthmus-labels"])
def test_labels_of_a_body_hold_for_all_in_it(name: str) -> None:
    body = {"input": "x", "metadata": {"isthmus-labels": "pii"}, name: ["phi"]}
    found = passages(body)
    assert all("phi" in passage.declared for passage in found.texts)
    assert name not in body
    assert body["metadata"] == {"isthmus-labels": "pii"}


def test_text_by_value_is_read() -> None:
    part = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a canary"}}
    found = passages({"messages": [{"role": "user", "content": [part]}]})
    assert not found.unreadable
    assert "a canary" in [passage.text for passage in found.texts]


def test_labels_of_a_part_hold_for_all_in_it_and_are_taken_out() -> None:
    part = {"type": "text", "text": "x", "isthmus_labels": ["phi"]}
    body = {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "y"}]}]}
    found = passages(body)
    assert {p.text: set(p.declared) for p in found.texts if p.text in "xy"} == {"x": {"phi"}, "y": set()}
    assert found.stripped
    assert "isthmus_labels" not in part


@pytest.mark.parametrize("labels", [["Not A Label"], 7, [7], {"phi": True}])
def test_labels_of_a_part_that_are_none_are_refused(labels: object) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "x", "isthmus_labels": labels}]}]}
    with pytest.raises(InvalidRequest, match="labels of a part") as caught:
        passages(body)
    assert caught.value.param == "messages[0].content[0]"


def test_long_numbers_are_texts_too() -> None:
    body = {"contents": [{"parts": [{"functionCall": {"args": {"card": 4111111111111111}}}]}]}
    assert "4111111111111111" in [passage.text for passage in passages(body).texts]
