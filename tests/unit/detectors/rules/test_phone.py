from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("phone", "Call +49 30 901820 today", "+49 30 901820"),
    ("phone", "(212) 555-0123 is the office", "(212) 555-0123"),
    ("phone", "Tel.: 089 / 12 34 56 78", "089 / 12 34 56 78"),
    ("phone", "appelez le 01 42 68 53 00.", "01 42 68 53 00"),
    ("phone", "我的手机是13812345678。", "13812345678"),
    ("phone", "моб. 8 (912) 345-67-89", "8 (912) 345-67-89"),
    ("phone", "Reach me at 0044 20 7946 0958", "0044 20 7946 0958"),
]

PASSED = [
    ("phone", "on 01.02.2003 we met"),
    ("phone", "pi is 3.14159265358979"),
    ("phone", "IBAN DE89 3704 0044 0532 0130 00"),
    ("phone", "it was 2020-10-12 12:30:15"),
    ("phone", "compute 123456789 * 987654321"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_phone_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_phone_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
