"""A real address book server for the tests of this folder."""

from collections.abc import Iterator

import pytest
from tests.servers.radicale import Radicale, radicale

PASSWORD = "correct horse"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("radicale"), {f"user{n}": PASSWORD for n in range(50)}) as running:
        yield running


@pytest.fixture(scope="session")
def users() -> Iterator[str]:
    return (f"user{n}" for n in range(50))
