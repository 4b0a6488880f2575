from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("docket_number", "No. 1:21-cv-01234-ABC", "1:21-cv-01234-ABC"),
    ("docket_number", "Az.: 3 O 123/21", "3 O 123/21"),
    ("docket_number", "RG n° 21/01234", "21/01234"),
]

PASSED = [
    ("docket_number", "in case of 12"),
    ("docket_number", "12 of 13"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_docket_number_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_docket_number_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
