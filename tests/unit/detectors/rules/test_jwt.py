from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    (
        "jwt",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ),
]

PASSED = [
    ("jwt", "eyJhbGciOiJIUzI1NiJ9"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_jwt_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_jwt_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
