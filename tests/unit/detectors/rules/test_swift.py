from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("swift", "BIC: DEUTDEFF500", "DEUTDEFF500"),
    ("swift", "SWIFT code is NEDSZAJJ", "NEDSZAJJ"),
]

PASSED = [
    ("swift", "DEUTDEFF500"),
    ("swift", "Taylor Swift released"),
    ("swift", "BIC Biscuits"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_swift_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_swift_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
