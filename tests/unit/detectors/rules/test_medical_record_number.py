# ruff: noqa: RUF001 - words of many scripts

from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("medical_record_number", "MRN: 00482913", "00482913"),
    ("medical_record_number", "Patientennummer PX-558210", "PX-558210"),
    ("medical_record_number", "病历号：20230415", "20230415"),
]

PASSED = [
    ("medical_record_number", "patient number two"),
    ("medical_record_number", "medical records from 2019"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_medical_record_number_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_medical_record_number_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
