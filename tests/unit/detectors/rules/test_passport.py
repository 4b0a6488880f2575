from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("passport", "Passport No. C01X00T47", "C01X00T47"),
    ("passport", "паспорт 45 08 123456", "45 08 123456"),
]

PASSED = [
    ("passport", "passport control is open"),
    ("passport", "passports of 2019"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_passport_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_passport_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
