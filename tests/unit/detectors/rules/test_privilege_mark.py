from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("privilege_mark", "PRIVILEGED AND CONFIDENTIAL", "PRIVILEGED AND CONFIDENTIAL"),
    ("privilege_mark", "This is attorney-client privileged.", "attorney-client privileged"),
    ("privilege_mark", "Anwaltsgeheimnis", "Anwaltsgeheimnis"),
]

PASSED = [
    ("privilege_mark", "a privilege to meet you"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_privilege_mark_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_privilege_mark_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
