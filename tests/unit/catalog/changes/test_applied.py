"""Updates on disk: whole or not at all, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isthmus.catalog.changes.applied import Applied, applied, apply, only_one, outdated, undo
from isthmus.domain.errors import ConfigError

SHIPPED = {"terms/openai/api.yaml": b"shipped\n", "snapshot/listings.json": b"{}"}
FIRST = {**SHIPPED, "terms/openai/api.yaml": b"first\n"}
SECOND = {**SHIPPED, "terms/openai/api.yaml": b"second\n", "models/meta/new.yaml": b"new\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalog"


def record(hour: int = 9) -> Applied:
    return Applied(
        applied_at=datetime(2026, 11, 21, hour, tzinfo=UTC),
        source="a file",
        sha256={},
        catalog_before="a",
        catalog_after="b",
        accepted=(),
        held=(),
        over={},
    )


def there(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.yaml")}


def test_only_what_differs_from_the_shipped_files_is_written(folder: Path) -> None:
    done = apply(folder, FIRST, shipped=SHIPPED, record=record())
    assert there(folder) == {"terms/openai/api.yaml": b"first\n"}
    assert applied(folder) == done
    assert list(done.over) == ["terms/openai/api.yaml"]


def test_updates_are_taken_back_one_after_the_other_as_far_as_they_are_kept(folder: Path) -> None:
    apply(folder, FIRST, shipped=SHIPPED, record=record(9))
    apply(folder, SECOND, shipped=SHIPPED, record=record(10))
    assert there(folder) == {"terms/openai/api.yaml": b"second\n", "models/meta/new.yaml": b"new\n"}
    last = undo(folder)
    assert last is not None
    assert last.applied_at.hour == 10
    assert there(folder) == {"terms/openai/api.yaml": b"first\n"}
    undo(folder)
    assert not folder.exists()
    assert undo(folder) is None


def test_only_the_last_two_updates_are_kept(folder: Path) -> None:
    for hour in (9, 10, 11, 12):
        apply(folder, SECOND, shipped=SHIPPED, record=record(hour))
    assert len(list((folder.parent / "catalog.d").iterdir())) == 2


def test_what_is_in_force_is_never_half_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(folder, FIRST, shipped=SHIPPED, record=record(9))
    monkeypatch.setattr("isthmus.catalog.changes.applied.os.fsync", _full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        apply(folder, SECOND, shipped=SHIPPED, record=record(10))
    assert there(folder) == {"terms/openai/api.yaml": b"first\n"}


def _full(_file: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_that_no_update_made_is_left_alone(folder: Path) -> None:
    (folder / "terms").mkdir(parents=True)
    with pytest.raises(ConfigError, match="a folder that no update made"):
        apply(folder, FIRST, shipped=SHIPPED, record=record())


def test_files_of_a_newer_isthmus_that_an_update_hides_are_told(folder: Path) -> None:
    done = apply(folder, SECOND, shipped=SHIPPED, record=record())
    assert outdated(done, SHIPPED) == ()
    upgraded = {**SHIPPED, "terms/openai/api.yaml": b"newer\n", "models/meta/new.yaml": b"came along now\n"}
    assert set(outdated(done, upgraded)) == {"terms/openai/api.yaml", "models/meta/new.yaml"}


def test_two_updates_at_once_are_one_too_many(folder: Path) -> None:
    with only_one(folder), pytest.raises(ConfigError, match="Another process"), only_one(folder):
        pytest.fail("two at once")
    with only_one(folder):
        pass
