"""The page that tells what becomes of every feature says what the translation does."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from tests.unit.dialects import matrix

from isthmus.dialects.registry import NAMES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "translation.md"


@pytest.mark.parametrize("feature", matrix.REQUESTS)
def test_nothing_is_lost_without_a_word(feature: str) -> None:
    for client, offer in itertools.permutations(NAMES, 2):
        matrix.verdict(client, offer, feature)


def test_the_page_says_what_the_translation_does() -> None:
    assert PAGE.read_text() == matrix.page(), "make it anew: python -m tests.unit.dialects.matrix > " + str(PAGE)
