from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("mac", "eth0 00:1A:2b:3C:4d:5E", "00:1A:2b:3C:4d:5E"),
    ("mac", "001a.2b3c.4d5e", "001a.2b3c.4d5e"),
]

PASSED = [
    ("mac", "ff:ff:ff:ff:ff:ff"),
    ("mac", "1234.5678.9012"),
    ("mac", "00:1A:2B:3C:4D:5E:6F"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_mac_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_mac_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
