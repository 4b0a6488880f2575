from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from isthmus.ledger.store import Store

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/state/isthmus.db", busy_timeout=0.2)


@pytest.fixture
def query(store: Store) -> Query:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        with store.transaction(writing=False) as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    return rows
