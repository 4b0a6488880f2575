# ruff: noqa: RUF001 - words of many scripts

from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("person", "My name is Maria Lopez.", "Maria Lopez"),
    ("person", "Frau Dr. Anna-Lena Schmidt kommt", "Anna-Lena Schmidt"),
    ("person", "Patient: José García Márquez", "José García Márquez"),
    ("person", "Regards,\nJohn Q. Public", "John Q. Public"),
    ("person", "меня зовут Иван Петров", "Иван Петров"),
    ("person", "患者张伟，男", "张伟"),
    ("person", "田中太郎さん", "田中太郎"),
]

PASSED = [
    ("person", "My name is not important"),
    ("person", "Dr. Who knows"),
    ("person", "the patient is stable"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_person_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_person_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
