"""Runs the tools for the web.

Marks: a page is written by the hosts that it came from. Everyone may read it, for it was asked for as anybody would
ask. But who knows a secret address has the page as well: where not everybody may know the address, not everybody may
read the page. The same holds for what was searched for. What came without encryption may have been written by anybody
on the way.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from anyio import to_thread
from typing_extensions import override

from isthmus.agent.marks import UNKNOWN, Mark, Origin, Party
from isthmus.agent.tool import Field, Grant, Item, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.web.account import Account
from isthmus.connectors.web.addresses import Address, address, written_by
from isthmus.connectors.web.fetching import Fetched, Ways, fetch
from isthmus.connectors.web.pages import Read, read
from isthmus.connectors.web.reach import LookUp, Reach, look_up
from isthmus.connectors.web.services import MOST_QUERY, Result, place, search
from isthmus.connectors.web.specs import specs
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

PAGE = 6_000
"""Characters of a page that are given at once: some 1,500 tokens."""
_MOST_LINKS = 40
_FOUND = 5
_MOST_FOUND = 20


class WebToolset(Toolset):
    """The tools for the web."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        *,
        labels: frozenset[Label],
        secret: Callable[[SecretRef], Awaitable[str]],
        context: ssl.SSLContext,
        look_up: LookUp = look_up,
    ) -> None:
        self._account_name = account_name
        self._account = account
        self._labels = labels
        self._secret = secret
        self._reach = Reach(allow=frozenset(account.allow), look_up=look_up)
        self._ways = Ways(reach=self._reach, context=context, seconds=account.seconds)
        self._specs = specs(can_search=account.search is not None)

    # -- the tool set -------------------------------------------------------------------------------------------

    @property
    @override
    def name(self) -> str:
        return "web"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        if tool == "web_search" and self._account.search is not None:
            return (place(self._account.search).party,)
        if not isinstance(value, str):
            raise ToolError("That is no address of a page.")
        return (address(value).party,)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if grant.tool == "web_fetch":
            return await self._fetch(grant)
        if grant.tool == "web_search" and self._account.search is not None:
            return await self._search(grant)
        raise ToolError(f"There is no tool {grant.tool} for this account.")

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        return None  # a page that is fetched twice is fetched

    @override
    async def aclose(self) -> None:
        pass  # no connection outlives its page

    # -- the tools ----------------------------------------------------------------------------------------------

    async def _fetch(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        to = address(str(given["url"]))
        fetched, page = await to_thread.run_sync(partial(self._read, to), abandon_on_cancel=True)
        start = max(0, int(given.get("start") or 0))
        shown = page.text[start : start + PAGE]
        writers = set(map(written_by, fetched.hosts))
        if not self._is_confidential(to, fetched.address):
            writers.add(UNKNOWN)
        mark = self._mark(grant.arguments["url"].mark, writers)
        fields = {
            "url": Field(value=str(fetched.address), kind="url", mark=mark),
            "title": Field(value=page.title, kind="text", mark=mark),
            "text": Field(value=shown, kind="text", mark=mark),
        }
        for number, link in enumerate(page.links, start=1):
            if f"[{number}]" in shown and len(fields) < _MOST_LINKS + 3:
                fields[f"link_{number}"] = Field(value=link, kind="url", mark=mark)
        rest = len(page.text) - start - len(shown)
        note = f"{rest} more characters: web_fetch with start={start + len(shown)}." if rest > 0 else ""
        return ToolResult(items=(Item(kind="url", id=str(fetched.address), fields=fields),), note=note)

    def _read(self, to: Address) -> tuple[Fetched, Read]:
        fetched = fetch(to, self._ways)
        return fetched, read(fetched)

    async def _search(self, grant: Grant) -> ToolResult:
        configured = self._account.search
        assert configured is not None
        given = grant.plain()
        query = " ".join(str(given["query"]).split())
        if not query or len(query) > MOST_QUERY:
            raise ToolError(f"A query has between 1 and {MOST_QUERY} characters.")
        limit = max(1, min(_MOST_FOUND, int(given.get("limit") or _FOUND)))
        key = None if configured.key is None else await self._secret(configured.key)
        found = await to_thread.run_sync(
            partial(search, configured, key, query, limit, self._ways), abandon_on_cancel=True
        )
        asked = grant.arguments["query"].mark
        items = tuple(self._item(result, asked) for result in found)
        return ToolResult(items=items, note=f"{len(items)} found.")

    def _item(self, result: Result, asked: Mark) -> Item:
        configured = self._account.search
        assert configured is not None
        # The page's words, as the service tells them.
        mark = self._mark(asked, [written_by(result.address.host), written_by(place(configured).host)])
        return Item(
            kind="url",
            id=str(result.address),
            fields={
                "url": Field(value=str(result.address), kind="url", mark=mark),
                "title": Field(value=result.title, kind="text", mark=mark),
                "text": Field(value=result.text, kind="text", mark=mark),
            },
        )

    def _mark(self, asked: Mark, origins: Iterable[Origin]) -> Mark:
        """The mark of what came for something that was asked."""
        return Mark(
            labels=self._labels | asked.labels,
            readers=asked.readers,
            origins=frozenset(origins),
        )

    def _is_confidential(self, *addresses: Address) -> bool:
        return all(one.scheme == "https" or self._reach.allows(*one.place) for one in addresses)
