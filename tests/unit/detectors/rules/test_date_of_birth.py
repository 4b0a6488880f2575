# ruff: noqa: RUF001 - words of many scripts

from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("date_of_birth", "born on March 3, 1980", "March 3, 1980"),
    ("date_of_birth", "geb. 03.03.1980", "03.03.1980"),
    ("date_of_birth", "née le 3 mars 1980", "3 mars 1980"),
    ("date_of_birth", "дата рождения: 03.03.1980", "03.03.1980"),
    ("date_of_birth", "生年月日：1980年3月3日", "1980年3月3日"),
    ("date_of_birth", "DOB=1980-03-03", "1980-03-03"),
]

PASSED = [
    ("date_of_birth", "on March 3, 1980 it rained"),
    ("date_of_birth", "born in Berlin"),
    ("date_of_birth", "Bach was born on 31 March 1685"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_date_of_birth_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_date_of_birth_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
