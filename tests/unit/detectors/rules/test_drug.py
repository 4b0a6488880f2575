from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("drug", "She takes metformin.", "metformin"),
    ("drug", "Sertralin 50 mg", "Sertralin"),
    ("drug", "患者服用二甲双胍", "二甲双胍"),
]

PASSED = [
    ("drug", "What is metformin?"),
    ("drug", "the metforminium alloy takes"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_drug_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_drug_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
