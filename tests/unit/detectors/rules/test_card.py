from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "amex 3782-822463-10005", "3782-822463-10005"),
    ("card", "pay with 5555555555554444, please", "5555555555554444"),
    ("card", "my credit card is 4111 1111 1111 1112", "4111 1111 1111 1112"),
]

PASSED = [
    ("card", "order 4111 1111 1111 1112"),
    ("card", "1234567890123456"),
    ("card", "0.4111111111111111"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_card_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_card_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
