"""A real XMPP server for all tests here, and accounts of their own for each of them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.servers import prosody
from tests.servers.prosody import PASSWORD, Prosody
from tests.unit.connectors.messages.scene import secret_of

from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.toolset import MessagesToolset
from isthmus.connectors.xmpp.account import Account, connect
from isthmus.domain.label import label
from isthmus.domain.offer import SecretRef

_MOST_USERS = 120
_users = itertools.count(1)

Connect = Callable[..., Awaitable[MessagesToolset]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
def server() -> Iterator[Prosody]:
    with prosody.running(users=tuple(f"u{number}" for number in range(1, _MOST_USERS))) as running:
        yield running


@pytest.fixture
def new_user() -> Callable[[], str]:
    """An account that no other test uses."""
    return lambda: f"u{next(_users)}@{prosody.DOMAIN}"


@pytest.fixture
async def connected(server: Prosody) -> AsyncIterator[Connect]:
    """Connects accounts, and closes them."""
    made: list[MessagesToolset] = []

    async def make(address: str, *, to: Prosody = server, **settings: object) -> MessagesToolset:
        fields = {"host": "127.0.0.1", "port": to.port, "tls": "none", "nick": address.partition("@")[0]}
        account = Account(address=address, password=SecretRef("env", "X"), **(fields | settings))  # type: ignore[arg-type]
        made.append(await connect("chat", account, labels=frozenset({label("private")}), secret=secret_of(PASSWORD)))
        return made[-1]

    yield make
    for toolset in made:
        await toolset.aclose()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()
