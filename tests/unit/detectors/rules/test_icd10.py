from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("icd10", "ICD-10: E11.9", "E11.9"),
    ("icd10", "Diagnosis F32.1, severe", "F32.1"),
]

PASSED = [
    ("icd10", "bolt M10.5 fits"),
    ("icd10", "cell B12 of the sheet"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_icd10_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_icd10_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
