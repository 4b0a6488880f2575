from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    (
        "private_key",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAb+/=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAb+/=\n-----END RSA PRIVATE KEY-----",
    ),
    ("private_key", "-----BEGIN PRIVATE KEY-----\nMIIEow", "-----BEGIN PRIVATE KEY-----\nMIIEow"),
]

PASSED = [
    ("private_key", "-----BEGIN CERTIFICATE-----\nMIIEow"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_private_key_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_private_key_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
