"""A real server for the tests of this folder."""

from collections.abc import Iterator

import pytest
from tests.servers.radicale import Radicale, radicale


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("radicale"), {"me": "correct horse"}) as running:
        yield running
