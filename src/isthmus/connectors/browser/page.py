"""The one page: opens addresses, acts on elements, and stops what the page begins by itself.

The border (`border`, `proxy`) holds whatever is done here. What is added here is what a border of hosts cannot see: a
page goes to no other host by itself, opens no windows, sends no forms elsewhere, shows no dialogs that wait for
somebody, and saves no files that nobody asked for. Where it wanted to go is told, so that somebody can decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
from playwright.async_api import (
    BrowserContext,
    Dialog,
    Download,
    ElementHandle,
    Error,
    Frame,
    Request,
    Response,
    Route,
    WebSocketRoute,
)
from playwright.async_api import Page as Shown
from playwright.async_api import TimeoutError as TookTooLong

from isthmus.connectors.browser.border import CLOSED, Border, around
from isthmus.connectors.browser.proxy import Proxy
from isthmus.connectors.browser.quarantine import MOST_BYTES
from isthmus.connectors.browser.tree import Element, Part, Reading
from isthmus.connectors.browser.visits import Visits
from isthmus.connectors.web.addresses import Address, address
from isthmus.connectors.web.reach import Reach
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.label import Label

MOST_ELEMENTS = 25_000
"""Of a page that is shown as text: some 3 s of one core."""
MOST_OPTIONS = 500
_MOST_NOTED = 20
_BLANK = "about:blank"
_QUIET_SECONDS = 0.3
_SETTLING_SECONDS = 4.0
_TREE_SECONDS = 5.0
"""For the tree of a page. A frame that is stuck is left out after that."""
_ACTING_MS = 5_000.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_COUNT = "() => document.getElementsByTagName('*').length"

_UNSEEN = """() => {
  const hidden = [];
  for (const one of document.body ? document.body.getElementsByTagName('*') : []) {
    if (one.matches('input, select, option, textarea, button, br, script, style')) continue;
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const away = box.width > 0 && (box.right + scrollX <= 0 || box.bottom + scrollY <= 0);
    const words = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const tiny = words && parseFloat(style.fontSize) < 3;
    const thin = box.width <= 1 || box.height <= 1;
    const clipped = thin && style.overflow !== 'visible' && one.childNodes.length;
    if (parseFloat(style.opacity) < 0.05 || away || tiny || clipped) hidden.push(one);
  }
  return hidden.map(one => {
    const was = [one, one.style.getPropertyValue('display'), one.style.getPropertyPriority('display')];
    one.style.setProperty('display', 'none', 'important');
    return was;
  });
}"""
"""Takes what nobody sees off the page, as hostile pages have it: text of no size, see-through, beside the page.

What is filled in stays: sites hide such fields behind pictures of their own."""

_SEEN_AGAIN = "hidden => { for (const [one, was, how] of hidden) one.style.setProperty('display', was, how); }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An element of the last snapshot."""

    element: Element
    frame: Frame
    around: tuple[Address, ...]
    """The addresses of its frame and of those around it, the page's last: who comes to see what is done with it."""
    arrivals: int
    """How often its frame had been loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameShown:
    """What one frame shows."""

    part: Part
    around: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the page shows."""

    address: Address
    title: str
    frames: tuple[FrameShown, ...]
    """The page's own first."""
    strangers: bool
    """Whether every host that it was made of answered as it would anybody."""


@dataclass(kw_only=True)
class Stopped:
    """What the page began by itself, and did not get."""

    dialogs: int = 0
    windows: int = 0
    downloads: int = 0
    hosts: dict[str, int] = field(default_factory=dict)
    """Hosts that it asked something of, and how often."""
    wanted: Address | None = None
    """Where it wanted to go."""
    wanted_window: bool = False
    """Whether it wanted a window for that."""


@dataclass(frozen=True, slots=True)
class Got:
    """What an address led to."""

    name: str
    data: bytes
    address: Address


class Page:
    """The page of one browser."""

    def __init__(
        self,
        context: BrowserContext,
        proxy: Proxy,
        visits: Visits,
        reach: Reach,
        *,
        companions: Mapping[str, tuple[str, ...]],
        seconds: float,
    ) -> None:
        self._context = context
        self._proxy = proxy
        self._visits = visits
        self._reach = reach
        self._companions = companions
        self._seconds = seconds
        self._shown: Shown = context.pages[0]
        self._fetching: Shown | None = None
        """The page that a download is got in."""
        self._asked_for = False
        """Whether that page has still to ask for it."""
        self._making = False
        """Whether a page is being made here, rather than by the page itself."""
        self._at: Address | None = None
        self._opening = False
        self._cookies: frozenset[str] = frozenset()
        """The domains of all cookies there were before this page was opened."""
        self._given = 0
        self._found: dict[str, Found] = {}
        self._arrivals: dict[Frame, int] = {}
        self._waiting: set[Request] = set()
        self._moved_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopped = Stopped()

    async def begin(self) -> None:
        """Take over the browser's first page."""
        await self._context.route("**/*", self._route)
        await self._context.route_web_socket("**/*", self._socket)
        self._context.on("page", self._window)
        self._context.on("dialog", self._dialog)
        self._context.on("request", self._waits)
        self._context.on("requestfinished", self._waited)
        self._context.on("requestfailed", self._waited)
        for extra in self._context.pages[1:]:
            await extra.close()
        self._adopt(self._shown)

    def _adopt(self, shown: Shown) -> None:
        self._shown = shown
        shown.on("framenavigated", self._arrived)
        shown.on("download", self._download)

    # -- where it is --------------------------------------------------------------------------------------------

    @property
    def at(self) -> Address | None:
        return self._at

    @property
    def sealed(self) -> bool:
        """Whether it reaches none but its own host and those that the user named for it."""
        return self._proxy.border.sealed

    def find(self, reference: str) -> Found:
        """An element of the last snapshot.

        Raises:
            ToolError: it is none, or the page has changed since.
        """
        found = self._found.get(reference.strip().removeprefix("[").removesuffix("]").removeprefix("ref="))
        if found is None or found.frame.is_detached() or found.arrivals != self._arrivals.get(found.frame, 0):
            raise ToolError(
                f"There is no element {reference[:20]!r} on the page as it is now.", hint="Take a new browser_snapshot."
            )
        return found

    async def open(self, to: Address) -> None:
        """Open an address.

        Raises:
            ToolError: it cannot be opened.
        """
        await self.leave()
        cookies = await self._context.cookies()
        self._cookies = frozenset(cookie.get("domain", "").lstrip(".") for cookie in cookies)
        self.stopped = Stopped()
        self._proxy.begin(self._border(to))
        self._at, self._opening = to, True
        try:
            await self._go(str(to))
            await self._settle()
        except ToolError:
            await self.leave()
            raise
        finally:
            self._opening = False
        self._require_arrived()

    async def leave(self) -> None:
        """Leave the page: nothing of it goes on, and nobody is reached."""
        self._found.clear()
        self._at = None
        self._proxy.hold(CLOSED)
        if self._shown.is_closed():
            await self._replace()
            return
        try:
            with anyio.fail_after(5):
                await self._shown.goto(_BLANK, timeout=4_000)
        except (Error, TimeoutError):
            await self._replace()

    async def _go(self, url: str) -> None:
        try:
            with anyio.fail_after(self._seconds + 5):
                await self._shown.goto(url, timeout=self._seconds * 1000, wait_until="domcontentloaded")
        except TookTooLong:
            pass  # what is there by now is shown
        except TimeoutError:
            await self._replace()
            raise ToolError("The page does not respond.") from None
        except Error as error:
            raise _not_opened(error, self._proxy, self.stopped) from error

    def _require_arrived(self) -> None:
        """Take note of where the page is, once it is somewhere else than where it was sent."""
        here = _address_of(self._shown.main_frame)
        if here is None:
            self._at = None
            self._proxy.hold(CLOSED)
            raise ToolError("Nothing came from there that can be shown as a page.")
        assert self._at is not None
        if here.place != self._at.place:
            self._proxy.hold(self._border(here))
        self._at = here

    def _border(self, *pages: Address) -> Border:
        return around(pages, knowing=self._visits.knowing, companions=self._companions)

    async def _replace(self) -> None:
        """Another page in place of one that does not respond."""
        old = self._shown
        self._waiting.clear()
        self._found.clear()
        self._at = None
        self._proxy.hold(CLOSED)
        self._adopt(await self._another())
        self._later(old.close())

    async def _another(self) -> Shown:
        self._making = True
        try:
            return await self._context.new_page()
        finally:
            self._making = False

    # -- what it shows ------------------------------------------------------------------------------------------

    async def snapshot(self) -> Snapshot:
        """What the page shows now. References of earlier snapshots are void.

        Raises:
            ToolError: it shows nothing, or too much.
        """
        if self._at is None:
            raise ToolError("No page is open.", hint="Open one with browser_open.")
        self._found.clear()
        try:
            with anyio.fail_after(self._seconds):
                return await self._read()
        except (TimeoutError, TookTooLong):
            await self._replace()
            raise ToolError("The page does not respond, so it was closed.") from None
        except Error as error:
            raise ToolError("The page changed while it was being read.", hint="Take a new browser_snapshot.") from error

    async def _read(self) -> Snapshot:
        assert self._at is not None
        shown = self._shown
        count = await shown.evaluate(_COUNT)
        if not isinstance(count, int) or count > MOST_ELEMENTS:
            raise ToolError(
                f"The page has more than {MOST_ELEMENTS:,} elements, too many to be shown.",
                hint="web_fetch may read its text.",
            )
        arrivals = dict(self._arrivals)
        hidden = [await frame.evaluate_handle(_UNSEEN) for frame in shown.frames if _address_of(frame) is not None]
        try:
            tree = await shown.aria_snapshot(mode="ai", timeout=min(_TREE_SECONDS, self._seconds / 2) * 1000)
        finally:
            for marked in hidden:
                with contextlib.suppress(Error):  # its frame has gone
                    await marked.evaluate(_SEEN_AGAIN)
        reading = Reading(self._given)
        await anyio.to_thread.run_sync(reading.read, tree)
        self._given = reading.given
        frames: list[FrameShown] = []
        for part in reading.parts:
            frame = shown.main_frame if part.frame is None else await self._frame(part.frame)
            around_it = () if frame is None else _around(frame)
            if frame is None or not around_it:
                continue  # it went away meanwhile
            frames.append(FrameShown(part=part, around=around_it))
            for element in part.elements:
                self._found[element.id] = Found(
                    element=element, frame=frame, around=around_it, arrivals=arrivals.get(frame, 0)
                )
        hosts = self._proxy.seen.met | {one.host for frame in frames for one in frame.around}
        strangers = all(self._visits.is_stranger_to(host, self._cookies) for host in hosts)
        if strangers:
            self._visits.greet(hosts)
        title = await shown.title()
        return Snapshot(address=self._at, title=title, frames=tuple(frames), strangers=strangers)

    async def _frame(self, ref: str) -> Frame | None:
        try:
            holder = await self._shown.locator(f"aria-ref={ref}").element_handle(timeout=1_000)
            return await holder.content_frame()
        except Error:
            return None

    async def picture(self) -> bytes:
        """What is seen of it, as PNG.

        Raises:
            ToolError: there is nothing to be seen.
        """
        if self._at is None:
            raise ToolError("No page is open.", hint="Open one with browser_open.")
        try:
            with anyio.fail_after(self._seconds):
                return await self._shown.screenshot(type="png", timeout=self._seconds * 1000, animations="disabled")
        except (TimeoutError, Error) as error:
            raise ToolError("No picture of the page can be taken.") from error

    # -- acting on it -------------------------------------------------------------------------------------------

    async def click(self, found: Found) -> None:
        """Click an element.

        Raises:
            ToolError: it cannot be clicked; nothing has happened.
            ToolUncertain: it may have been.
        """
        async with self._acting(found) as handle:
            await handle.click(timeout=_ACTING_MS)

    async def type(self, found: Found, text: str, labels: frozenset[Label], *, submit: bool) -> None:
        """Type into an element. From before it is typed, the page reaches nobody but those who are told.

        Raises:
            ToolError: it cannot be typed into; nothing has happened.
            ToolUncertain: it may have been.
        """
        self._require_confidential(found)
        async with self._acting(found) as handle:
            if not await handle.is_editable():
                raise ToolError(f"Nothing can be typed into {found.element.id}.")
            self._tell(found, labels)
            await handle.fill(text, timeout=_ACTING_MS)
            if submit:
                await handle.press("Enter", timeout=_ACTING_MS)

    async def select(self, found: Found, option: str, labels: frozenset[Label]) -> None:
        """Choose one of what an element offers.

        Raises:
            ToolError: it cannot be chosen; nothing has happened.
            ToolUncertain: it may have been.
        """
        self._require_confidential(found)
        async with self._acting(found) as handle:
            offered = await handle.evaluate("one => one.options ? [...one.options].map(o => o.label.trim()) : null")
            if not isinstance(offered, list) or len(offered) > MOST_OPTIONS:
                raise ToolError(f"{found.element.id} is no list to choose from.", hint="Click it, or type into it.")
            if option.strip() not in offered:
                raise ToolError(f"{found.element.id} does not offer that.", hint="Options are named as they are shown.")
            self._tell(found, labels)
            await handle.select_option(index=offered.index(option.strip()), timeout=_ACTING_MS)

    @contextlib.asynccontextmanager
    async def _acting(self, found: Found) -> AsyncIterator[ElementHandle]:
        """What an element is acted on in, and what follows from it is waited for."""
        handle = await self._still_there(found)
        self.stopped = Stopped()
        self._found.clear()  # whatever comes of it, the page is another
        began = False
        try:
            with anyio.fail_after(self._seconds):
                await handle.scroll_into_view_if_needed(timeout=_ACTING_MS)
                began = True
                yield handle
        except (TimeoutError, Error) as error:
            if began:
                raise ToolUncertain(
                    f"Whether {found.element.id} took it cannot be told.", hint="Look with browser_snapshot."
                ) from error
            raise ToolError(f"{found.element.id} cannot be reached.", hint="Take a new browser_snapshot.") from error
        await self._settle()
        await self._follow()

    async def _still_there(self, found: Found) -> ElementHandle:
        """The element, if it is what it was when it was shown."""
        changed = ToolError(
            f"{found.element.id} is not what it was when it was shown.", hint="Take a new browser_snapshot."
        )
        try:
            with anyio.fail_after(self._seconds):
                locator = self._shown.locator(f"aria-ref={found.element.ref}")
                handle = await locator.element_handle(timeout=1_500)
                frame = await handle.owner_frame()
                reading = Reading(0)
                reading.read(await locator.aria_snapshot(mode="ai", timeout=1_500))
        except (TimeoutError, Error, ValueError) as error:
            raise changed from error
        now = reading.parts[0].elements[:1]
        same = bool(now) and (now[0].role, now[0].name) == (found.element.role, found.element.name)
        if frame is not found.frame or _around(found.frame) != found.around or not same:
            raise changed
        return handle

    def _tell(self, found: Found, labels: frozenset[Label]) -> None:
        self._visits.tell({one.host for one in found.around}, labels)
        self._proxy.hold(self._border(*found.around))

    def _require_confidential(self, found: Found) -> None:
        for one in found.around:
            if one.scheme == "http" and not self._reach.allows(*one.place):
                raise ToolError(
                    f"{one.host} is asked without encryption, so anybody on the way could read what is typed.",
                    hint="Open it with https://, or the user names it as `allow` in the settings of the account.",
                )

    async def _follow(self) -> None:
        """See where the page went by what was done, and bring it back where it may not be."""
        wanted = self.stopped.wanted
        here = self._at
        if wanted is not None and here is not None and self.stopped.wanted_window and wanted.origin == here.origin:
            self.stopped = Stopped()  # a window of its own, on the same site: shown in place
            with contextlib.suppress(ToolError):  # what was done is done; where it led is seen below
                await self._go(str(wanted))
            await self._settle()
        here = _address_of(self._shown.main_frame)
        if self._at is None:
            return
        if here is None or not (here.host == self._at.host and here.scheme >= self._at.scheme):
            self.stopped.wanted = here or self.stopped.wanted
            await self.leave()
            return
        self._at = here

    async def _settle(self) -> None:
        """Wait until nothing has happened for a moment, or for long enough."""
        end = time.monotonic() + _SETTLING_SECONDS
        self._moved_at = time.monotonic()
        while time.monotonic() < end:
            await anyio.sleep(0.05)
            if not self._waiting and time.monotonic() - self._moved_at > _QUIET_SECONDS:
                return

    # -- files --------------------------------------------------------------------------------------------------

    async def get(self, to: Address) -> Got:
        """What an address leads to, whatever it is.

        Raises:
            ToolError: nothing, or too much, or it may not be asked from here.
        """
        border = self._proxy.border
        if self._at is None:
            cookies = await self._context.cookies()
            self._cookies = frozenset(cookie.get("domain", "").lstrip(".") for cookie in cookies)
            self._proxy.begin(self._border(to))
        elif not border.lets(*to.place):
            raise ToolError(f"{to.host} is not reached from this page.", hint="Open a page there first.")
        shown = self._fetching = await self._another()
        self._asked_for = True
        try:
            with anyio.fail_after(2 * self._seconds):
                return await self._got(shown, to)
        except (TimeoutError, TookTooLong):
            raise ToolError("It takes too long to come.") from None
        except Error as error:
            raise _not_opened(error, self._proxy, self.stopped) from error
        finally:
            self._fetching = None
            self._later(shown.close())
            if self._at is None:
                self._proxy.hold(CLOSED)

    async def _got(self, shown: Shown, to: Address) -> Got:
        came: asyncio.Future[Download] = asyncio.get_running_loop().create_future()

        def comes(download: Download) -> None:
            if not came.done():
                came.set_result(download)

        shown.once("download", comes)
        response: Response | None = None
        try:
            response = await shown.goto(str(to), timeout=self._seconds * 1000, wait_until="commit")
        except Error:
            await anyio.sleep(0.2)  # the download is told of beside the navigation that it ends
            if not came.done():
                raise
        if came.done():
            download = came.result()
            path = await download.path()
            data = await anyio.Path(path).read_bytes()
            name, url = download.suggested_filename, download.url
            await download.delete()
        else:
            if response is None or not response.ok:
                status = 0 if response is None else response.status
                raise ToolError(f"There is nothing: the answer is {status}.")
            data, url = await response.body(), response.url
            if "pdf" in response.headers.get("content-type", "") and not data.lstrip().startswith(b"%PDF"):
                raise ToolError("The browser shows this document instead of saving it.", hint="web_fetch reads it.")
            name = urlsplit(url).path.rpartition("/")[2] or "page.html"
        if len(data) > MOST_BYTES:
            raise ToolError(f"It is larger than {MOST_BYTES // 1024**2} MB.")
        return Got(name, data, address(url))

    def strangers(self, *hosts: str) -> bool:
        """Whether these, and all that were met for the page, answered as they would anybody."""
        return all(self._visits.is_stranger_to(host, self._cookies) for host in {*hosts, *self._proxy.seen.met})

    # -- what the page begins by itself -------------------------------------------------------------------------

    async def _route(self, route: Route, request: Request) -> None:
        self._moved_at = time.monotonic()
        if self._lets(request):
            await _quietly(route.continue_())
            return
        self._note(request.url)
        if not request.is_navigation_request():
            await _quietly(route.abort("blockedbyclient"))
        elif self._is_inner(request):
            # A frame that never comes keeps the whole page from being read; so it is empty.
            await _quietly(route.fulfill(status=200, content_type="text/html", body=""))
        else:
            # A navigation that is aborted leaves the page as it is; blocked, it would leave a page of Chromium's own.
            await _quietly(route.abort("aborted"))

    def _is_inner(self, request: Request) -> bool:
        try:
            return request.frame.parent_frame is not None and request.frame.page is self._shown
        except Error:
            return False

    def _lets(self, request: Request) -> bool:
        try:
            to = address(request.url)
        except ToolError:
            return False
        navigates = request.is_navigation_request()
        try:
            frame = request.frame
            shown = frame.page
        except Error:
            # A window that is only just being opened has no frame yet.
            if navigates and request.method == "GET":
                self._want(to, window=True)
            return False
        if shown is self._fetching:
            first, self._asked_for = self._asked_for and navigates, False  # and nothing that a page loads or leads to
            return first and self._proxy.border.lets(*to.place)
        if shown is not self._shown or self._at is None:
            if navigates and shown is not self._shown and request.method == "GET":
                self._want(to, window=True)
            return False
        if navigates and frame is shown.main_frame and not self._opening:
            up = to.scheme >= self._at.scheme and (to.scheme != self._at.scheme or to.port == self._at.port)
            if to.host != self._at.host or not up:
                if request.method == "GET":
                    self._want(to)
                return False
        if not self._proxy.border.lets(*to.place):
            return False
        if request.method in _SAFE_METHODS and request.resource_type not in {"ping", "beacon"}:
            return True
        return any(to.origin == one.origin for one in _around(frame)) or to.host in self._proxy.border.companions

    def _note(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        if host in self.stopped.hosts or len(self.stopped.hosts) < _MOST_NOTED:
            self.stopped.hosts[host] = self.stopped.hosts.get(host, 0) + 1

    def _want(self, to: Address, *, window: bool = False) -> None:
        if self.stopped.wanted is None:
            self.stopped.wanted, self.stopped.wanted_window = to, window

    async def _socket(self, socket: WebSocketRoute) -> None:
        try:
            to = address("http" + socket.url.removeprefix("ws"))
        except ToolError:
            to = None
        if to is not None and self._at is not None and to.host == self._at.host and to.port == self._at.port:
            socket.connect_to_server()
        else:
            self._note(socket.url)
            await _quietly(socket.close())

    def _window(self, shown: Shown) -> None:
        if not self._making and shown is not self._shown:
            self.stopped.windows += 1
            self._later(shown.close())

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            self._later(dialog.accept())
            return
        self.stopped.dialogs += 1
        self._later(dialog.dismiss())

    def _download(self, download: Download) -> None:
        self.stopped.downloads += 1
        with contextlib.suppress(ToolError):
            self._want(address(download.url))
        self._later(download.cancel())

    def _arrived(self, frame: Frame) -> None:
        self._arrivals[frame] = self._arrivals.get(frame, 0) + 1
        self._moved_at = time.monotonic()

    def _waits(self, request: Request) -> None:
        # Told of every request of a page, those that a redirect leads to included; never of Chromium's own.
        with contextlib.suppress(ToolError):
            self._proxy.expect(address(request.url).host)
        self._waiting.add(request)
        self._moved_at = time.monotonic()

    def _waited(self, request: Request) -> None:
        self._waiting.discard(request)
        self._moved_at = time.monotonic()

    def _later(self, work: Coroutine[Any, Any, object]) -> None:
        async def done() -> None:
            with contextlib.suppress(Error, TimeoutError):
                async with asyncio.timeout(15):
                    await work

        task = asyncio.create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _address_of(frame: Frame) -> Address | None:
    try:
        return address(frame.url)
    except ToolError:
        return None


def _around(frame: Frame) -> tuple[Address, ...]:
    """The addresses of a frame and of those around it. A frame without one is its parent's."""
    found: list[Address] = []
    one: Frame | None = frame
    while one is not None:
        if (here := _address_of(one)) is not None and here not in found:
            found.append(here)
        one = one.parent_frame
    return tuple(found)


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    with contextlib.suppress(Error):  # the request or its page has gone
        await work


def _not_opened(error: Error, proxy: Proxy, stopped: Stopped) -> ToolError:
    message = error.message
    if proxy.seen.full:
        return ToolError("It does not end: too much came.")
    if "ERR_CERT" in message or "ERR_SSL" in message:
        return ToolError("Its certificate is not trusted.")
    if "Download is starting" in message or ("ERR_ABORTED" in message and stopped.downloads):
        return ToolError("That is a file, not a page.", hint="browser_download saves it, where the account has it.")
    if proxy.seen.refused:
        hosts = ", ".join(sorted(proxy.seen.refused)[:3])
        return ToolError(
            f"{hosts} may not be reached from here.",
            hint="It is not on the open internet, or knows something of the user's and has to be opened itself.",
        )
    return ToolError("The page cannot be opened: nobody answers there, or not as a page does.")
