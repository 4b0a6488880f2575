from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import open_store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[SqlJobStore]:
    store = open_store(f"sqlite:///{tmp_path / 'isthmus.db'}")
    yield SqlJobStore(store, bytes(32))
    store.dispose()
