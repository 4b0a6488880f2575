"""Reading in a process of its own, and seeing that the file changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.domain.errors import ConfigError
from isthmus.settings import SettingsFile, load, parse_bind
from isthmus.settings.reading import read
from isthmus.settings.values import Server

FILE = '[offers.a]\nmodel = "gpt-5.4-mini"\nprovider = "openai"\nkey = "env:K"\ncleared = ["pii"]\n'


def test_what_the_child_reads_is_what_is_read_here(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(FILE)
    environ = {"HOME": str(tmp_path), "K": "set"}
    assert load(file, environ=environ, ports={}) == read(file, environ=environ, ports={})


def test_problems_come_back_from_the_child(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(FILE.replace("model", "modle"))
    with pytest.raises(ConfigError) as caught:
        load(file, environ={"HOME": str(tmp_path)}, ports={})
    assert [problem.split(" ")[1] for problem in caught.value.problems] == ["offers.a.model", "offers.a.modle"]


def test_loading_leaves_neither_pydantic_nor_prices_in_the_process(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").write_text(FILE)
    code = (
        "import sys; from isthmus.settings import load; load(ports={});"
        "print([name for name in ('pydantic', 'genai_prices') if name in sys.modules])"
    )
    environ = {**os.environ, "HOME": str(tmp_path), "ISTHMUS_CONFIG": str(tmp_path / "isthmus.toml")}
    child = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


def test_the_file_is_looked_for_where_it_is_said_then_here_then_in_the_config_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, config = tmp_path / "here", tmp_path / "config" / "isthmus"
    here.mkdir()
    config.mkdir(parents=True)
    monkeypatch.chdir(here)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert read(None, environ=environ, ports={}).source is None
    (config / "isthmus.toml").write_text(FILE)
    assert read(None, environ=environ, ports={}).source == config / "isthmus.toml"
    (here / "isthmus.toml").write_text(FILE)
    assert read(None, environ=environ, ports={}).source == here / "isthmus.toml"
    (tmp_path / "named.toml").write_text(FILE)
    named = {**environ, "ISTHMUS_CONFIG": str(tmp_path / "named.toml")}
    assert read(None, environ=named, ports={}).source == tmp_path / "named.toml"


def test_a_change_of_the_file_is_seen_once(tmp_path: Path) -> None:
    path = tmp_path / "isthmus.toml"
    path.write_text("a")
    file = SettingsFile(path)
    assert not file.changed()
    path.write_text("ab")
    assert (file.changed(), file.changed()) == (True, False)


def test_a_file_that_is_replaced_goes_or_comes_back_has_changed(tmp_path: Path) -> None:
    path, other = tmp_path / "isthmus.toml", tmp_path / "other"
    path.write_text("a")
    file = SettingsFile(path)
    other.write_text("b")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert file.changed()
    path.unlink()
    assert (file.changed(), file.changed()) == (True, False)
    path.write_text("a")
    assert file.changed()


def test_an_address_to_listen_on_can_be_given_later() -> None:
    server = parse_bind(Server(), "[::1]:0")
    assert (server.host, server.port) == ("::1", 0)
    with pytest.raises(ConfigError, match="is no address to listen on"):
        parse_bind(Server(), "8090")
