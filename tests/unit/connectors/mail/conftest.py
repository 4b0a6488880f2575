"""A real mail server for all tests here, and a user of its own for each of them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.servers import dovecot, smtp
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp import Relay
from tests.unit.connectors.mail.scene import MakePost, Post, connected

from isthmus.connectors.mail.account import Account
from isthmus.domain.offer import SecretRef

_users = itertools.count(1)
_MOST_USERS = 200


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
def server() -> Iterator[Dovecot]:
    with dovecot.running(users=tuple(f"me{number}" for number in range(1, _MOST_USERS + 1))) as running:
        yield running


@pytest.fixture
def relay(server: Dovecot) -> Iterator[Relay]:
    with smtp.running(deliver=smtp.by_lmtp(server.lmtp), password=PASSWORD) as running:
        yield running


@pytest.fixture
async def make_post(server: Dovecot, relay: Relay, tmp_path: Any) -> AsyncIterator[MakePost]:
    made: list[Post] = []

    async def make(**settings: Any) -> Post:
        user = f"me{next(_users)}"
        fields: dict[str, Any] = {
            "address": f"{user}@example.org",
            "user": user,
            "password": SecretRef("env", "MAIL_PASSWORD"),
            "imap_host": "127.0.0.1",
            "imap_port": server.imap,
            "imap_tls": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": relay.port,
            "smtp_tls": "none",
            "authserv": "mail.example.org",
            "attach_from": (str(tmp_path / "out"),),
            "save_to": str(tmp_path / "in"),
        }
        account = Account(**(fields | settings))
        post = Post(user=user, server=server, relay=relay, account=account, tools=await connected(account))
        made.append(post)
        return post

    yield make
    for post in made:
        for tools in (post.tools, *post.opened):
            await tools.aclose()


@pytest.fixture
async def post(make_post: MakePost) -> Post:
    return await make_post()
