"""Sites on loopback, asked through the tools for the web."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from tests.servers import pages
from tests.servers.pages import Sites

from isthmus.agent.marks import USERS_WORDS, Mark, join
from isthmus.agent.tool import Argument, Grant, ToolResult
from isthmus.connectors.web.account import Account
from isthmus.connectors.web.toolset import WebToolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

_calls = itertools.count(1)
HOSTS = ("news.test", "shop.test", "search.test")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def sites() -> Iterator[Sites]:
    with pages.running() as sites:
        yield sites


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Sites]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("news.test", "shop.test").configure_cert(context)
    with pages.running(context=context) as sites:
        yield sites


class Web:
    """The tools, and how they are called."""

    def __init__(self, tools: WebToolset) -> None:
        self.tools = tools

    async def do(self, tool: str, marks: dict[str, Mark] | None = None, **given: Any) -> ToolResult:
        arguments = {
            name: Argument(value=value, mark=(marks or {}).get(name, USERS_WORDS)) for name, value in given.items()
        }
        mark = join(one.mark for one in arguments.values())
        return await self.tools.run(
            Grant(call=f"call-{next(_calls)}", tool=tool, digest="", mark=mark, arguments=arguments)
        )


@pytest.fixture
def web(authority: trustme.CA) -> Callable[..., Web]:
    def made(sites: Sites, **told: Any) -> Web:
        context = ssl.create_default_context()
        authority.configure_trust(context)

        async def secret(ref: SecretRef) -> str:
            return f"the secret of {ref}"

        account = Account(**{"allow": HOSTS, "seconds": 3.0, **told})
        return Web(
            WebToolset(
                "web",
                account,
                labels=frozenset({Label("internal")}),
                secret=secret,
                context=context,
                look_up=sites.look_up,
            )
        )

    return made
