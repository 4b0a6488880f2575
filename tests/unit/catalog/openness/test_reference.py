"""The page of all models says what the records say."""

from __future__ import annotations

from pathlib import Path

from isthmus.catalog.catalog import load_catalog
from isthmus.catalog.openness.reference import document

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "openness.md"


def test_the_page_is_as_the_records_make_it() -> None:
    assert PAGE.read_text() == document(load_catalog()), "python -m isthmus.catalog.openness.reference writes it"


def test_every_model_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert all(model in text for model in load_catalog().models)
