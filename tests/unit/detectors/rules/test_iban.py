from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("iban", "Bitte auf DE89 3704 0044 0532 0130 00 zahlen", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("iban", "IBAN: FR1420041010050500013M02606.", "FR1420041010050500013M02606"),
    ("iban", "my IBAN is DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"),
]

PASSED = [
    ("iban", "DE89 3704 0044 0532 0130 01 is none"),
    ("iban", "ZZ89 3704 0044 0532 0130 00"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_iban_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_iban_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
