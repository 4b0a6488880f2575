from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("email", "邮箱是zhang@example.com。", "zhang@example.com"),
    ("email", "Write to jo.doe+x@mail.example.org.", "jo.doe+x@mail.example.org"),
    ("email", "jo [at] example [dot] org", "jo [at] example [dot] org"),
    ("email", "Ärger an müller@bücher.example!", "müller@bücher.example"),
]

PASSED = [
    ("email", "npm i left-pad@1.3.0"),
    ("email", "postgres://app:hunter2@db.example/x"),
    ("email", "meet me @home"),
    ("email", "@dataclass(frozen=True)"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_email_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_email_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
