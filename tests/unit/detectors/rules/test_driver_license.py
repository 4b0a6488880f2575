from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("driver_license", "driver's license number D1234567", "D1234567"),
    ("driver_license", "Führerschein: B072RRE2I55", "B072RRE2I55"),
]

PASSED = [
    ("driver_license", "a driving licence costs 43 pounds"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_driver_license_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_driver_license_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
