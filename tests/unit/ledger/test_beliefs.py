import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.catalog.catalog import version_of
from isthmus.domain.errors import LedgerError, NotFound
from isthmus.ledger import beliefs


def version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_what_is_kept_comes_back_under_its_version(tmp_path: Path) -> None:
    text = '{"offers":[]}'
    beliefs.keep(tmp_path / "kept", {version(text): text})
    assert beliefs.read(tmp_path / "kept", version(text)) == text


def test_what_was_changed_is_not_believed(tmp_path: Path) -> None:
    beliefs.keep(tmp_path, {version("true"): "true"})
    (tmp_path / f"{version('true')}.gz").write_bytes(gzip.compress(b"false"))
    with pytest.raises(LedgerError, match="was changed"):
        beliefs.read(tmp_path, version("true"))


def test_half_a_file_is_not_believed(tmp_path: Path) -> None:
    beliefs.keep(tmp_path, {version("true"): "true"})
    path = tmp_path / f"{version('true')}.gz"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(LedgerError, match="was changed"):
        beliefs.read(tmp_path, version("true"))


@pytest.mark.parametrize("name", ["0123456789abcdef", "../../etc/passwd", ""])
def test_a_version_of_nothing_is_told_as_such(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        beliefs.read(tmp_path, name)


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    beliefs.keep(tmp_path, {version("true"): "true"})
    before = (tmp_path / f"{version('true')}.gz").stat()
    beliefs.keep(tmp_path, {version("true"): "true"})
    assert (tmp_path / f"{version('true')}.gz").stat().st_mtime_ns == before.st_mtime_ns


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LedgerError, match="cannot be kept"):
        beliefs.keep(tmp_path / "taken", {version("true"): "true"})


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}/[a-z]{1,6}\.yaml", fullmatch=True), st.text().map(str.encode)))
def test_a_catalog_comes_back_whole_under_its_version(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("beliefs")
    beliefs.keep(folder, beliefs.catalog_text(contents))
    assert beliefs.read_catalog(folder, version_of(contents)) == contents
