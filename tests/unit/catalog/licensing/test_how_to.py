"""The examples of docs/how-to/check-a-licence.md do what the page shows."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from isthmus.cli.catalog import licence
from isthmus.settings import load

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "check-a-licence.md"
TOML = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = re.findall(
    r"```console\n\$ isthmus catalog licence (.*?)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)

app = typer.Typer()
app.command()(licence.command)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "isthmus.toml").write_text(TOML[0])
    (folder / "with-contract.toml").write_text("\n".join(TOML))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setattr("isthmus.cli.catalog.licence.load", functools.cache(load))
        yield folder


def run(config: Path, arguments: str) -> str:
    given = [*shlex.split(arguments), "--config", str(config)]
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, given, catch_exceptions=False).output


@pytest.mark.parametrize(("arguments", "shown"), EXAMPLES, ids=[arguments for arguments, _ in EXAMPLES])
def test_an_example_prints_what_the_page_shows(arguments: str, shown: str, folder: Path) -> None:
    printed = "\n".join(line.rstrip() for line in run(folder / "isthmus.toml", arguments).splitlines())
    at = 0
    for part in shown.split("…\n"):
        found = printed.find(part.rstrip("\n"), at)
        assert found >= 0, f"{part}\n--- is not in\n{printed}"
        at = found + len(part.rstrip("\n"))


def test_the_contract_of_the_page_counts(folder: Path) -> None:
    assert "forbidden" not in run(folder / "with-contract.toml", "mistralai/devstral-2-123b --use internal")


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 4
