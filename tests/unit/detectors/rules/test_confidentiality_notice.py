from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("confidentiality_notice", "STRICTLY CONFIDENTIAL", "STRICTLY CONFIDENTIAL"),
    ("confidentiality_notice", "Nur für den internen Gebrauch", "Nur für den internen Gebrauch"),
    ("confidentiality_notice", "社外秘の資料", "社外秘"),
]

PASSED = [
    ("confidentiality_notice", "a confident person"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_confidentiality_notice_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_confidentiality_notice_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
