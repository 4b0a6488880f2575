from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("condition", "My daughter has epilepsy.", "epilepsy"),
    ("condition", "Der Patient leidet an Bluthochdruck", "Bluthochdruck"),
    ("condition", "患者有糖尿病", "糖尿病"),
]

PASSED = [
    ("condition", "What causes diabetes?"),
    ("condition", "stdio and deals and also"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_condition_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_condition_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
