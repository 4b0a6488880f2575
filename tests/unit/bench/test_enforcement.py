"""The list of enforcement points holds for the source as it is. Switching them off is for `bench/enforcement.py`."""

from collections import Counter
from pathlib import Path

import pytest
from bench.enforcement import PAGE, ROOT, Point, page, points, tried

POINTS = points()


def _named(point: Point) -> str:
    return f"{Path(point.file).stem}: {point.name}"


@pytest.mark.parametrize("point", POINTS, ids=_named)
def test_what_enforces_stands_in_the_source_once_and_what_replaces_it_is_python(point: Point) -> None:
    assert point.occurrences() == 1
    mutated = point.switched_off((ROOT / point.file).read_text())
    compile(mutated, point.file, "exec")
    assert mutated != (ROOT / point.file).read_text()


@pytest.mark.parametrize("point", POINTS, ids=_named)
def test_the_tests_that_watch_it_are_there(point: Point) -> None:
    assert point.tests
    assert list(point.missing_tests()) == []


def test_no_point_is_listed_twice() -> None:
    assert not [each for each, count in Counter((point.file, point.name) for point in POINTS).items() if count > 1]
    assert not [
        each for each, count in Counter((point.file, point.source, point.off) for point in POINTS).items() if count > 1
    ]


def test_the_page_of_the_reference_is_that_of_the_list() -> None:
    assert PAGE.read_text() == page(POINTS)


# ------------------------------------------------------------------------------------------------ the check can fail

GUARD = "def opens(key: str) -> bool:\n    return key == 'right'\n"
TEST = "from guard import opens\n\n\ndef test_it_opens() -> None:\n    assert opens('right')\n"
WATCHING = f"{TEST}\n\ndef test_nothing_else_opens_it() -> None:\n    assert not opens('wrong')\n"


def _tree(folder: Path, tests: str) -> tuple[Point, Path]:
    (folder / "src").mkdir()
    (folder / "src" / "guard.py").write_text(GUARD)
    (folder / "test_guard.py").write_text(tests)
    point = Point(
        name="guard",
        enforces="Only the right key opens.",
        file="src/guard.py",
        source="return key == 'right'",
        off="return True",
        tests=("test_guard.py",),
    )
    return point, folder


def test_a_point_that_a_test_watches_is_noticed_and_put_back(tmp_path: Path) -> None:
    outcome = tried(*_tree(tmp_path, WATCHING))
    assert (outcome.fate, outcome.noticed_by) == ("noticed", "test_nothing_else_opens_it")
    assert (tmp_path / "src" / "guard.py").read_text() == GUARD


def test_a_point_that_no_test_watches_survives(tmp_path: Path) -> None:
    assert tried(*_tree(tmp_path, TEST)).fate == "survived"


def test_tests_that_cannot_be_run_notice_nothing(tmp_path: Path) -> None:
    assert tried(*_tree(tmp_path, "import nothing_of_that_name\n")).fate == "void"


def test_a_source_that_has_changed_is_told(tmp_path: Path) -> None:
    point, tree = _tree(tmp_path, WATCHING)
    (tree / "src" / "guard.py").write_text(GUARD.replace("right", "other"))
    assert tried(point, tree).fate == "void"
