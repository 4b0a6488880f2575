"""The catalog that comes along, read once."""

from __future__ import annotations

import pytest

from isthmus.catalog.catalog import Catalog, load_catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()
