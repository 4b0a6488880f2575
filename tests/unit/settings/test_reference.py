"""The reference pages say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isthmus.providers import reference as providers
from isthmus.settings import reference as settings
from isthmus.settings.reading import read
from isthmus.settings.schema import NAMED_SECTIONS, SECTIONS, Table

DOCS = Path(__file__).parents[3] / "docs" / "reference"
HOW_TO = DOCS.parent / "how-to" / "configure.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)


def _tables() -> list[type[Table]]:
    top = [*SECTIONS.values(), *NAMED_SECTIONS.values()]
    nested = [settings.nested_table(field) for table in top for field in table.model_fields.values()]
    return [*top, *(table for table in nested if table is not None)]


@pytest.mark.parametrize("table", _tables(), ids=lambda table: table.__name__)
def test_every_setting_says_what_it_means(table: type[Table]) -> None:
    assert table.__doc__
    assert [key for key, field in table.model_fields.items() if not field.description] == []


def test_the_page_of_settings_is_that_of_the_schema() -> None:
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == settings.document()


def test_the_page_of_providers_is_that_of_the_table() -> None:
    assert (DOCS / "providers.md").read_text(encoding="utf-8") == providers.document()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_how_to_load(example: str, tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(example, encoding="utf-8")
    assert read(file, environ={"HOME": str(tmp_path)}, ports={}).offers
