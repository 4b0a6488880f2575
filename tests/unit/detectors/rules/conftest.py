from collections.abc import Callable

import pytest

from isthmus.detectors.registry import detectors_for

Find = Callable[[str, str], list[str]]


@pytest.fixture
def find() -> Find:
    """What is found of a kind in a text."""

    def found(kind: str, text: str) -> list[str]:
        (detector,) = detectors_for([kind])
        return [text[each.start : each.end] for each in detector.find([text])[0]]

    return found
