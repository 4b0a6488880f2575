from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("connection_string", "postgres://app:hunter2@db.example/x", "postgres://app:hunter2@db.example/x"),
    (
        "connection_string",
        "Server=db;User Id=app;Password=hunter2;Encrypt=true",
        "Server=db;User Id=app;Password=hunter2;Encrypt=true",
    ),
]

PASSED = [
    ("connection_string", "postgres://db.example/x"),
    ("connection_string", "postgres://app:${PASSWORD}@db.example/x"),
    ("connection_string", "https://example.org/a:b"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_connection_string_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_connection_string_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
