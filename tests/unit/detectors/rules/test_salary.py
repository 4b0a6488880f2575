from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("salary", "Her salary is $85,000.", "$85,000"),
    ("salary", "Bruttogehalt: 4.200 €", "4.200 €"),
    ("salary", "年薪30万元", "30万元"),
]

PASSED = [
    ("salary", "The salary was good."),
    ("salary", "costs $85,000"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_salary_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_salary_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
