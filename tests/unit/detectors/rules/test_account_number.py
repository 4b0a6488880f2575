from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("account_number", "account number 0048 2913 77", "0048 2913 77"),
    ("account_number", "sort code 12-34-56", "12-34-56"),
    ("account_number", "Kontonummer: 1234567890", "1234567890"),
    ("account_balance", "The closing balance was $12,345.67", "$12,345.67"),
]

PASSED = [
    ("account_number", "on account of 12 people"),
    ("account_number", "account 12.03.2020"),
    ("account_balance", "balance your diet"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_account_number_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_account_number_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
