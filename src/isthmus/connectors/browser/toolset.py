"""Runs the tools of a browser."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from anyio import to_thread
from playwright.async_api import Error
from typing_extensions import override

from isthmus.agent.marks import OWN_WORDS, UNKNOWN, Mark, Party
from isthmus.agent.tool import Field, Grant, Image, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.browser import chromium, quarantine
from isthmus.connectors.browser.account import Account
from isthmus.connectors.browser.marking import PageMarks
from isthmus.connectors.browser.page import Found, FrameShown, Page, Snapshot, Stopped
from isthmus.connectors.browser.proxy import Proxy
from isthmus.connectors.browser.specs import MOST_TYPED, specs
from isthmus.connectors.browser.visits import Visits
from isthmus.connectors.web.addresses import Address, address, party_of
from isthmus.connectors.web.reach import LookUp, Reach, look_up
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.label import Label

PAGE = 6_000
"""Characters of a page that are shown at once: some 1,500 tokens."""
_MOST_LINKS = 30
_MOST_FRAMES = 6
_FRAME = 1_500
_MAX_TITLE = 200
_ACTS = frozenset({"browser_click", "browser_type", "browser_select"})


class BrowserToolset(Toolset):
    """The tools of one browser. One thing is done at a time: there is one page."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        *,
        labels: frozenset[Label],
        profile: Path,
        look_up: LookUp = look_up,
    ) -> None:
        self._account_name = account_name
        self._account = account
        self._labels = labels
        self._profile = profile
        self._reach = Reach(allow=frozenset(account.allow), look_up=look_up)
        self._specs = specs(can_download=account.downloads is not None)
        self._stack: AsyncExitStack | None = None
        self._running: tuple[Page, Proxy, Visits] | None = None
        self._address = OWN_WORDS
        """The mark of the address that the page was opened by."""
        self._to_say = "Chromium runs without its sandbox, because isthmus runs as root." if chromium.is_root() else ""
        """What is said once, beside the first page."""
        self._one = anyio.Lock()
        self._tools: dict[str, Callable[[Grant], Awaitable[ToolResult]]] = {
            "browser_open": self._open,
            "browser_snapshot": self._snapshot,
            "browser_click": self._click,
            "browser_type": self._type,
            "browser_select": self._select,
            "browser_screenshot": self._screenshot,
            "browser_download": self._download,
        }

    # -- the tool set -------------------------------------------------------------------------------------------

    @property
    @override
    def name(self) -> str:
        return "browser"

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
        if not isinstance(value, str):
            raise ToolError("That is neither an address nor an element.")
        if parameter == "url":
            return (address(value).party,)
        if self._running is None:
            raise ToolError("No page is open.", hint="Open one with browser_open.")
        return self._told(self._running[0].find(value))

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if all(grant.tool != spec.name for spec in self._specs):
            raise ToolError(f"There is no tool {grant.tool} for this account.")
        async with self._one:
            try:
                return await self._tools[grant.tool](grant)
            except Error as error:
                await self._end()
                if grant.tool in _ACTS:
                    raise ToolUncertain("The browser broke off. Whether that was done cannot be told.") from error
                raise ToolError("The browser broke off.", hint="Open the page again.") from error

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        if grant.tool in _ACTS:
            raise ToolError("Whether that was done in the page cannot be told: the browser has been closed since.")
        return None  # looking at something again is harmless; a file is saved under a name of its own

    @override
    async def aclose(self) -> None:
        async with self._one:
            await self._end()

    # -- beyond the tools ---------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Make sure that the browser can be started.

        Raises:
            ToolError: it cannot.
        """
        async with self._one:
            await self._page()

    # -- the browser --------------------------------------------------------------------------------------------

    async def _page(self) -> Page:
        if self._running is not None:
            return self._running[0]
        visits = await to_thread.run_sync(self._visits)
        async with AsyncExitStack() as stack:
            proxy = Proxy(self._reach)
            await proxy.start()
            stack.push_async_callback(proxy.aclose)
            context = await stack.enter_async_context(
                chromium.running(self._account.chromium, self._profile, proxy, seconds=self._account.seconds)
            )
            page = Page(
                context,
                proxy,
                visits,
                self._reach,
                companions=self._account.companions,
                seconds=self._account.seconds,
            )
            stack.push_async_callback(page.aclose)
            await page.begin()
            self._stack = stack.pop_all()
        self._running = page, proxy, visits
        return page

    def _visits(self) -> Visits:
        chromium.own_folder(self._profile)
        return Visits(self._profile / "told.json", logins=self._account.logins)

    async def _end(self) -> None:
        stack, self._stack, self._running = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    # -- the tools ----------------------------------------------------------------------------------------------

    async def _open(self, grant: Grant) -> ToolResult:
        to = address(str(grant.plain()["url"]))
        page = await self._page()
        await page.open(to)
        self._address = grant.arguments["url"].mark
        note, self._to_say = self._to_say, ""
        return await self._shown(page, note=note)

    async def _snapshot(self, grant: Grant) -> ToolResult:
        start = grant.plain().get("start") or 0
        return await self._shown(await self._page(), start=max(0, int(start)))

    async def _click(self, grant: Grant) -> ToolResult:
        page = await self._page()
        await page.click(self._granted(page, grant))
        return await self._followed(page)

    async def _type(self, grant: Grant) -> ToolResult:
        page, given = await self._page(), grant.plain()
        text = str(given["text"])
        if len(text) > MOST_TYPED:
            raise ToolError(f"At most {MOST_TYPED:,} characters are typed at once.")
        labels = grant.arguments["text"].mark.labels
        await page.type(self._granted(page, grant), text, labels, submit=bool(given.get("submit")))
        return await self._followed(page)

    async def _select(self, grant: Grant) -> ToolResult:
        page = await self._page()
        labels = grant.arguments["option"].mark.labels
        await page.select(self._granted(page, grant), str(grant.plain()["option"]), labels)
        return await self._followed(page)

    async def _screenshot(self, grant: Grant) -> ToolResult:  # noqa: ARG002  # it has no arguments
        page = await self._page()
        snapshot = await page.snapshot()  # whose frames are in the picture, and what they know
        marks = self._marks(snapshot)
        data = await page.picture()
        addresses = [one for frame in snapshot.frames for one in frame.around]
        return ToolResult(
            image=Image(data=data, media_type="image/png", mark=self._written(marks, addresses)),
            note="What is seen of the page now. References of earlier snapshots are void.",
        )

    async def _download(self, grant: Grant) -> ToolResult:
        assert self._account.downloads is not None
        to = address(str(grant.plain()["url"]))
        page = await self._page()
        got = await page.get(to)
        folder = Path(os.path.expanduser(self._account.downloads))  # noqa: ASYNC240  # looks at no disk
        saved = await to_thread.run_sync(quarantine.save, folder, got.name, got.data)
        hosts = frozenset({to.host, got.address.host})
        marks = self._marks_of(hosts, public=page.strangers(*hosts), address=grant.arguments["url"].mark)
        written = self._written(marks, (to, got.address))
        item = Item(
            kind="file",
            id=str(saved.path),
            fields={
                "name": Field(value=saved.path.name, kind="text", mark=written),
                "size": Field(value=saved.size, kind="number", mark=marks.asserted),
            },
            content_sha256=saved.sha256,
        )
        return ToolResult(
            items=(item,),
            note="Saved as a file. It comes from outside.",
            made=(Made("file", item.id, saved.sha256),),
        )

    # -- what is told -------------------------------------------------------------------------------------------

    def _granted(self, page: Page, grant: Grant) -> Found:
        """The element that was granted, if it is still of the site that it was granted for.

        Raises:
            ToolError: it is not.
        """
        argument = grant.arguments["element"]
        found = page.find(str(argument.value))
        if set(self._told(found)) != set(argument.parties):
            raise ToolError(
                f"{found.element.id} belongs to another site than the one that was agreed on.",
                hint="Take a new browser_snapshot.",
            )
        return found

    def _told(self, found: Found) -> tuple[Party, ...]:
        """Who comes to see what is done with an element: its frame's site, those around it, and their companions."""
        hosts = [one.host for one in found.around]
        hosts += [more for host in hosts for more in self._account.companions.get(host, ())]
        return tuple(dict.fromkeys(map(party_of, hosts)))

    async def _followed(self, page: Page) -> ToolResult:
        """What is shown after something was done, which it was whatever can be shown."""
        if page.at is None:
            return self._led_away(page.stopped)
        try:
            return await self._shown(page)
        except ToolError as error:
            return ToolResult(note=f"It was done, but what came of it is not shown: {error}")

    async def _shown(self, page: Page, *, start: int = 0, note: str = "") -> ToolResult:
        snapshot = await page.snapshot()
        marks = self._marks(snapshot)
        main, *frames = snapshot.frames
        written = self._written(marks, main.around)
        text = main.part.text
        shown = text[start : start + PAGE]
        fields = {
            "url": Field(value=str(snapshot.address), kind="url", mark=written),
            "title": Field(value=snapshot.title[:_MAX_TITLE], kind="text", mark=written),
            "text": Field(value=shown, kind="text", mark=written),
            **_links(main, shown, written, snapshot.address),
        }
        notes = [note, _said(page.stopped)]
        if page.stopped.wanted is not None:
            fields["wanted"] = Field(value=str(page.stopped.wanted), kind="url", mark=written)
        if (rest := len(text) - start - len(shown)) > 0:
            notes.append(f"{rest} more characters: browser_snapshot with start={start + len(shown)}.")
        if len(frames) > _MOST_FRAMES:
            notes.append(f"{len(frames) - _MOST_FRAMES} more frames are not shown.")
        if page.stopped.hosts and page.sealed:
            notes.append("The site knows something of the user's, so it reaches no others; see `stopped`.")
            fields["stopped"] = Field(value=", ".join(sorted(page.stopped.hosts)), kind="text", mark=written)
        inner = tuple(self._frame(frame, marks) for frame in frames[:_MOST_FRAMES])
        item = Item(kind="url", id=str(snapshot.address), fields=fields, items=inner)
        return ToolResult(items=(item,), note=" ".join(filter(None, notes)))

    def _frame(self, frame: FrameShown, marks: PageMarks) -> Item:
        written = self._written(marks, frame.around[:1])
        here = frame.around[0]
        shown = frame.part.text[:_FRAME]
        fields = {
            "url": Field(value=str(here), kind="url", mark=self._written(marks, frame.around)),
            "text": Field(value=shown, kind="text", mark=written),
            **_links(frame, shown, written, here),
        }
        return Item(kind="url", id=str(here), fields=fields)

    def _led_away(self, stopped: Stopped) -> ToolResult:
        """The page is gone: what was done led to another site, which was not followed."""
        if stopped.wanted is None:
            return ToolResult(
                note=f"The page was closed: it led to nothing that can be shown. {_said(stopped)}".strip()
            )
        hosts = frozenset({stopped.wanted.host})
        mark = self._marks_of(hosts, public=False, address=self._address).written(hosts)
        wanted = str(stopped.wanted)
        item = Item(kind="url", id=wanted, fields={"wanted": Field(value=wanted, kind="url", mark=mark)})
        return ToolResult(items=(item,), note="It led to another site, which was not opened. Open it if it is meant.")

    def _marks(self, snapshot: Snapshot) -> PageMarks:
        hosts = frozenset(one.host for frame in snapshot.frames for one in frame.around)
        return self._marks_of(hosts, public=snapshot.strangers, address=self._address)

    def _marks_of(self, hosts: frozenset[str], *, public: bool, address: Mark) -> PageMarks:
        assert self._running is not None
        visits = self._running[2]
        more = frozenset(one for host in hosts for one in self._account.companions.get(host, ()))
        return PageMarks(labels=self._labels | visits.labels(hosts), hosts=hosts | more, public=public, address=address)

    def _written(self, marks: PageMarks, addresses: Sequence[Address]) -> Mark:
        """The mark of what came from some addresses."""
        mark = marks.written({one.host for one in addresses})
        if all(one.scheme == "https" or self._reach.allows(*one.place) for one in addresses):
            return mark
        # Without encryption, whoever sits on the way may have written it.
        return mark.joined(Mark(readers=mark.readers, origins=frozenset({UNKNOWN})))


def _links(frame: FrameShown, shown: str, mark: Mark, base: Address) -> dict[str, Field]:
    """Where the links that are shown lead, each under the name of its element."""
    found: dict[str, Field] = {}
    for element in frame.part.elements:
        if element.link is None or f"[{element.id}]" not in shown:
            continue
        try:
            to = address(element.link, base=base)
        except ToolError:
            continue  # a mail address, a script: nothing that is opened by its address
        found[element.id] = Field(value=str(to), kind="url", mark=mark)
        if len(found) == _MOST_LINKS:
            break
    return found


def _said(stopped: Stopped) -> str:
    """What the page began by itself, in a sentence of ours."""
    told = [
        (stopped.dialogs, "dialogs dismissed"),
        (stopped.windows, "windows not opened"),
        (stopped.downloads, "downloads not taken"),
    ]
    counted = [f"{count} {what}" for count, what in told if count]
    went = ["it wanted to go to another address, which was not followed"] if stopped.wanted is not None else []
    return f"Of the page itself: {', '.join([*counted, *went])}." if counted or went else ""
