"""Changing the settings file: what was there stays, and nothing else comes."""

import tomllib
from pathlib import Path

import pytest

from isthmus.cli.agent.settings_file import difference, with_key, with_table, write
from isthmus.domain.errors import ConfigError

OLD = '# mine\n[accounts.github]  # theirs\nkind = "mcp"\ncommand = ["npx"]\n\n[accounts.other]\npin = "x"\n'


def test_a_table_is_put_at_the_end_once() -> None:
    table = {"kind": "imap", "labels": ["private"], "port": 993, "folders": {"sent": 'Sent "x"'}}
    new = with_table(OLD, "accounts", "my.mail", table)
    assert new.startswith(OLD)
    assert tomllib.loads(new)["accounts"]["my.mail"] == table
    assert with_table(new, "accounts", "my.mail", table) == new
    with pytest.raises(ConfigError, match="says something else"):
        with_table(new, "accounts", "my.mail", {"kind": "mcp"})


def test_a_key_is_set_in_its_own_table_and_set_again() -> None:
    once = with_key(OLD, "accounts", "github", "pin", "sha256:a")
    assert once == OLD.replace("# theirs\n", '# theirs\npin = "sha256:a"\n')
    assert with_key(once, "accounts", "github", "pin", "sha256:b") == once.replace("sha256:a", "sha256:b")


@pytest.mark.parametrize(
    "text",
    ['accounts = { github = { kind = "mcp" } }\n', '[accounts]\ngithub.kind = "mcp"\n', "[x]\n"],
)
def test_what_is_written_in_another_way_is_left_to_its_author(text: str) -> None:
    with pytest.raises(ConfigError, match="better changed by hand"):
        with_key(text, "accounts", "github", "pin", "x")


def test_a_change_is_shown_as_a_difference_and_written_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "isthmus.toml"
    new = with_key(OLD, "accounts", "github", "pin", "sha256:a")
    assert '+pin = "sha256:a"' in difference(path, OLD, new)
    write(path, new)
    assert path.read_text() == new
    assert path.stat().st_mode & 0o777 == 0o600
