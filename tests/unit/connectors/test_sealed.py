"""Secrets in files: for their owner, under their own name, with their own key."""

import stat
from pathlib import Path

import pytest

from isthmus.connectors import sealed
from isthmus.domain.errors import ConfigError

KEY = {sealed.VARIABLE: "ab" * 32}


@pytest.mark.parametrize("environ", [KEY, {}], ids=["key in the environment", "key beside it"])
def test_a_secret_comes_back_and_stands_nowhere(tmp_path: Path, environ: dict[str, str]) -> None:
    path = tmp_path / "secrets" / "mail.sealed"
    sealed.keep(path, "pässword", environ)
    assert sealed.is_sealed(path.read_bytes())
    assert "pässword".encode() not in path.read_bytes()
    assert sealed.opened(path, environ) == "pässword"
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    sealed.keep(path, "another", environ)
    assert sealed.opened(path, environ) == "another"


def test_another_key_another_name_or_another_byte_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mail.sealed"
    sealed.keep(path, "x", KEY)
    moved = path.rename(tmp_path / "work.sealed")
    with pytest.raises(ConfigError, match="cannot be opened"):
        sealed.opened(moved, KEY)
    moved.rename(path)
    with pytest.raises(ConfigError, match="cannot be opened"):
        sealed.opened(path, {sealed.VARIABLE: "cd" * 32})
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match="cannot be opened"):
        sealed.opened(path, KEY)
    with pytest.raises(ConfigError, match="is no key"):
        sealed.opened(path, {sealed.VARIABLE: "short"})
