"""A real calendar server for the tests of this folder, and an account at it."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.servers.radicale import Radicale, make_collection, radicale, send

from isthmus.agent.marks import USERS_WORDS, Mark
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item, ToolResult
from isthmus.connectors.calendar.account import Account
from isthmus.connectors.calendar.toolset import CalendarToolset
from isthmus.connectors.webdav.client import Server
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PASSWORD = "correct horse"
LABELS = frozenset({Label("private")})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("radicale"), {f"user{n}": PASSWORD for n in range(100)}) as running:
        yield running


async def secret(_: SecretRef) -> str:
    return PASSWORD


@dataclass
class Desk:
    """One user's account, used as the agent uses it."""

    server: Radicale
    user: str
    tools: CalendarToolset
    calls: int = 0

    def grant(
        self, tool: str, *, marks: Mapping[str, Mark] | None = None, call: str | None = None, **given: Any
    ) -> Grant:
        self.calls += 1
        arguments = {
            name: Argument(value=value, mark=(marks or {}).get(name, USERS_WORDS)) for name, value in given.items()
        }
        return Grant(
            call=call or f"call-{self.calls}",
            tool=tool,
            digest=digest(tool, given),
            mark=USERS_WORDS,
            arguments=arguments,
        )

    async def run(self, tool: str, **given: Any) -> ToolResult:
        return await self.tools.run(self.grant(tool, **given))

    async def one(self, tool: str, **given: Any) -> Item:
        result = await self.run(tool, **given)
        assert len(result.items) == 1, result
        return result.items[0]

    async def titles(self, start: str, end: str, **given: Any) -> list[str]:
        found = await self.run("cal_list", start=start, end=end, **given)
        return [str(value(item, "title")) for item in found.items]

    def put(self, name: str, event: str, *, calendar: str = "work", head: str = "") -> None:
        """Store an event as another programme would."""
        status, text = send(
            self.server, self.user, PASSWORD, "PUT", f"/{self.user}/{calendar}/{name}.ics", ics(event, head=head)
        )
        assert status == 201, text

    def get(self, name: str, *, calendar: str = "work") -> str:
        status, text = send(self.server, self.user, PASSWORD, "GET", f"/{self.user}/{calendar}/{name}")
        assert status == 200, text
        return text.replace("\r\n ", "")


def ics(event: str, *, head: str = "") -> str:
    lines = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//other//EN\n{head}{event}\nEND:VCALENDAR\n"
    return "\r\n".join(line.strip() for line in lines.splitlines() if line.strip()) + "\r\n"


def vevent(uid: str, start: str, end: str, title: str, *more: str) -> str:
    lines = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART{start}", f"DTEND{end}"]
    return "\n".join([*lines, f"SUMMARY:{title}", *more, "END:VEVENT"])


def value(item: Item, name: str) -> Any:
    return item.fields[name].value


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return iter(range(100))


@pytest.fixture
def open_desk(server: Radicale, numbers: Iterator[int]) -> Callable[..., Desk]:
    """Makes a user with a calendar `work` of their own and one, `team`, that is not declared so."""

    def make(**changes: Any) -> Desk:
        user = f"user{next(numbers)}"
        make_collection(server, user, PASSWORD, "work", name="Work")
        make_collection(server, user, PASSWORD, "team", name="Team")
        return desk_of(server, user, **changes)

    return make


def desk_of(server: Radicale, user: str, *, url: str | None = None, seconds: float = 10, **changes: Any) -> Desk:
    told = {
        "url": url or server.url,
        "user": user,
        "password": SecretRef("env", "PASSWORD"),
        "address": f"{user}@example.org",
        "time_zone": "Europe/Berlin",
        "own": ("work",),
    }
    account = msgspec.convert({**told, **changes}, Account)
    context = ssl.create_default_context(cafile=account.ca) if account.ca else ssl.create_default_context()
    at = Server(url=account.url, context=context if account.url.startswith("https") else None, seconds=seconds)
    tools = CalendarToolset("home", account, at, labels=LABELS, secret=secret, context=context, clock=lambda: NOW)
    return Desk(server, user, tools)


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
