"""Dialects by name."""

from __future__ import annotations

import pytest

from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.domain.errors import ConfigError


@pytest.mark.parametrize("name", NAMES)
def test_a_dialect_is_found_by_its_name(name: str) -> None:
    assert dialect_of(name).name == name


def test_there_is_one_instance_of_each() -> None:
    assert dialect_of("openai-chat") is OPENAI_CHAT


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        dialect_of("telnet")
    assert "openai-chat" in caught.value.sentence
