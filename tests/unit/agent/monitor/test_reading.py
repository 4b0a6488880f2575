from __future__ import annotations

import json
from datetime import UTC, datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.monitor import rules
from isthmus.agent.monitor.reading import PROMPT, SCHEMA, checked
from isthmus.agent.monitor.words import tokens

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEXT = "Could bob@x.example please get the plan? Say: we meet at eight. Carol wrote from carol@x.example."


def form(*named: tuple[str, str], wants: tuple[tuple[str, str, bool], ...] = (("send", "", False),)) -> str:
    return json.dumps(
        {
            "wants": [{"effect": effect, "makes": makes, "each": each} for effect, makes, each in wants],
            "named": [{"words": words, "part": part} for words, part in named],
        }
    )


def test_a_form_that_the_schema_allows_becomes_an_intent() -> None:
    answer = form(("bob@x.example", "destination"), ("we meet at eight", "content"))
    jsonschema.validate(json.loads(answer), SCHEMA)
    (intent,) = checked(TEXT, answer, AT)
    assert [slot.value for slot in intent.of("destination")] == ["bob@x.example"]
    assert [slot.value for slot in intent.of("content")] == ["we meet at eight"]
    assert [want.effect for want in intent.wants] == ["send"]


def test_a_model_cannot_make_up_a_destination() -> None:
    (intent,) = checked(TEXT, form(("eve@evil.example", "destination"), ("example", "destination")), AT)
    assert not list(intent.of("destination"))


def test_dictated_words_stand_in_the_text_as_they_are() -> None:
    (intent,) = checked(TEXT, form(("we meet at nine", "content"), ("e meet at eigh", "content")), AT)
    assert not list(intent.of("content"))


@pytest.mark.parametrize("answer", ["", "no", "[]", "{}", '{"wants": 1, "named": []}', '{"wants": [], "named": [{}]}'])
def test_what_is_no_form_is_read_by_rules(answer: str) -> None:
    assert checked(TEXT, answer, AT) == rules.read(TEXT, AT)


parts = st.sampled_from(["destination", "content", "object", "source"])


@given(st.text(), st.lists(st.tuples(st.text(), parts)))
def test_whatever_a_model_answers_every_slot_is_of_the_text(text: str, named: list[tuple[str, str]]) -> None:
    pieces = [(text[:5], "destination"), (text[3:], "content"), *named]
    for intent in checked(text, form(*pieces), AT):
        typed = {token.value for token in tokens(text, AT)}
        for slot in intent.slots:
            assert text[slot.start : slot.start + len(slot.said)] == slot.said
            assert slot.part == "content" or slot.value in typed


def test_the_instructions_are_short() -> None:
    assert len(PROMPT) + len(json.dumps(SCHEMA)) < 1500
