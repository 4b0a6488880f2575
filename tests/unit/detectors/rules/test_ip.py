from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("ip", "from 203.0.113.7 at noon", "203.0.113.7"),
    ("ip", "2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3::8a2e:370:7334"),
]

PASSED = [
    ("ip", "127.0.0.1"),
    ("ip", "version 1.2.3.4"),
    ("ip", "1.2.3.4.5"),
    ("ip", "std::vector"),
    ("ip", "at 12:30:45"),
    ("ip", "300.1.1.1"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_ip_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_ip_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
