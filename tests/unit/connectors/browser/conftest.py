"""Sites on loopback, and one Chromium for all tests here."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.servers import pages
from tests.servers.pages import Sites
from tests.servers.programme import programme

from isthmus.agent.marks import OWN_WORDS, USERS_WORDS, Mark, Party, join
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item, ToolResult
from isthmus.connectors.browser.account import Account
from isthmus.connectors.browser.toolset import BrowserToolset
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

_calls = itertools.count(1)
HOSTS = ("shop.test", "evil.test", "bank.test", "news.test", "forum.test", "widget.test", "cdn.test")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[Sites]:
    with pages.running() as sites:
        yield sites


@pytest.fixture
def sites(server: Sites) -> Sites:
    server.clear()
    return server


@dataclass(kw_only=True)
class Hands:
    """A browser, and what can be done with it."""

    tools: BrowserToolset
    sites: Sites

    def grant(self, tool: str, marks: dict[str, Mark] | None = None, **given: Any) -> Grant:
        """A grant, as the monitor makes one."""
        spec = next(spec for spec in self.tools.specs if spec.name == tool)
        arguments = {}
        for name, value in given.items():
            parameter = spec.parameter(name)
            assert parameter is not None
            parties: tuple[Party, ...] = ()
            if parameter.role == "destination":
                parties = self.tools.parties(tool, name, value)
            mark = (marks or {}).get(name, USERS_WORDS)
            arguments[name] = Argument(value=value, mark=mark, parties=parties)
        mark = join(one.mark for one in arguments.values()) if arguments else OWN_WORDS
        return Grant(call=f"call-{next(_calls)}", tool=tool, digest=digest(tool, given), mark=mark, arguments=arguments)

    async def do(self, tool: str, marks: dict[str, Mark] | None = None, **given: Any) -> ToolResult:
        return await self.tools.run(self.grant(f"browser_{tool}", marks, **given))

    async def open(self, url: str, marks: dict[str, Mark] | None = None) -> Item:
        return (await self.do("open", marks, url=url)).items[0]

    async def fails(self, tool: str, **given: Any) -> ToolError:
        with pytest.raises(ToolError) as failed:
            await self.do(tool, **given)
        return failed.value

    async def forget(self) -> None:
        """As if the profile were new, in the same browser."""
        if self.tools._running is not None:
            page, proxy, visits = self.tools._running
            await page.leave()
            await page._context.clear_cookies()
            visits._told.clear()
            visits._anonymous.clear()
            page._cookies = frozenset()
            proxy.seen.met.clear()


def text_of(item: Item) -> str:
    return str(item.fields["text"].value)


def element(item: Item, named: str) -> str:
    """The reference of the element in whose line some words stand."""
    line = next(line for line in text_of(item).splitlines() if named in line)
    return line.rpartition(f"{named}")[2].partition("[")[2].partition("]")[0]


@pytest.fixture(scope="session")
async def browser(anyio_backend: str, server: Sites, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hands]:
    folder = tmp_path_factory.mktemp("browser")
    account = Account(
        chromium=str(programme("chromium")),
        downloads=str(folder / "downloads"),
        allow=tuple(HOSTS),
        logins=("bank.test",),
        companions={"forum.test": ("cdn.test",)},
        seconds=6,
    )
    tools = BrowserToolset(
        "surf", account, labels=frozenset({Label("internal")}), profile=folder / "profile", look_up=server.look_up
    )
    yield Hands(tools=tools, sites=server)
    await tools.aclose()


@pytest.fixture
async def hands(browser: Hands, sites: Sites) -> Hands:
    await browser.forget()
    sites.clear()
    return browser
