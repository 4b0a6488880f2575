"""What wakes the agent: what is due is told once, rules are about the mail they name, and some may only read."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.fakes.agent_scene import Mail, Scripted, mail

from isthmus.agent import Agent
from isthmus.agent.marks import USERS_WORDS, Mark, Party, Readers
from isthmus.agent.schedule.job import Job, JobId
from isthmus.agent.tool import Toolset
from isthmus.app_agent import Attended
from isthmus.app_waking import Waking, awake, journal_file, matches, reading, reminders_file, waking
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.service import Address, Channel, Heard, Message
from isthmus.connectors.messages.telling import FirstOf, Kept, OverLine
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.connectors.schedule.zone import local_zone
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.label import label
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import Store, open_store
from isthmus.settings import Settings
from isthmus.settings.reading import read
from isthmus.settings.values import MailRule

pytestmark = pytest.mark.anyio

ME = "fake:me"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class FakeService:
    """A room of two, which remembers what was sent under which marker."""

    prefix: str = "fake:"
    longest: int = 1000
    members: frozenset[Address] | None = frozenset({Address(ME)})
    direct: bool = True
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    def address(self, text: str) -> Address:
        return Address(text)

    async def channel(self, address: Address) -> Channel:
        return Channel(address=address, members=self.members, direct=self.direct)

    async def send(self, to: Address, text: str, marker: str) -> Message:
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append((to, text, marker))
        return self._message(len(self.sent))

    async def find(self, to: Address, marker: str) -> Message | None:
        return next((self._message(at) for at, one in enumerate(self.sent, 1) if one[2] == marker), None)

    async def hear(self, after: str | None, welcome: object) -> AsyncGenerator[Heard, None]:
        await anyio.sleep_forever()
        yield Heard((), "")

    async def aclose(self) -> None:
        pass

    def _message(self, at: int) -> Message:
        to, text, marker = self.sent[at - 1]
        return Message(
            id=f"m{at}", channel=Address(to), sender=Address("fake:bot"), text=text, at=None, own=True, marker=marker
        )


def line(service: FakeService, **options: Any) -> Line:
    return Line(name="chat", service=service, **options)  # type: ignore[arg-type]  # of a service, what is used here


@dataclass
class Home:
    """A machine with a store and settings."""

    settings: Settings
    store: Store
    key: bytes

    @property
    def jobs(self) -> SqlJobStore:
        return SqlJobStore(self.store, self.key)

    @asynccontextmanager
    async def awake(self, *toolsets: Toolset, reasoner: Scripted | None = None) -> AsyncIterator[Waking]:
        log, marks = SqlEventLog(self.store, self.key), SqlMarkStore(self.store, self.key)
        agent = Agent(reasoner=reasoner or Scripted("Hello."), toolsets=toolsets, log=log, marks=marks)
        attended = Attended(agent=agent, log=log, marks=marks, profile="privacy-first", troubles=())
        async with waking(attended, self.settings, self.store, first_pause=0.01, look_seconds=0.05) as found:
            yield found

    def due(self, text: str, *, kind: Any = "reminder", **options: Any) -> JobId:
        now = datetime.now(UTC)
        job = Job(
            id=JobId("job-1"), tenant="default", kind=kind, text=text, mark=USERS_WORDS, made=now, at=now, **options
        )
        assert self.jobs.add(job, now - timedelta(seconds=1))
        return job.id

    async def settled(self, job: str = "job-1") -> Any:
        with anyio.fail_after(8):
            while True:
                found = self.jobs.find("default", job)
                if found is not None and found.last is not None and found.last.outcome is not None:
                    return found.last
                await anyio.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    file = tmp_path / "isthmus.toml"
    file.write_text(
        f'[agent]\nusers = ["{ME}"]\n'
        '[offers.home]\nprovider = "vllm"\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\nside = "own"\n'
        "price = { input = 1, output = 2 }\n"
    )
    settings = read(file, environ={"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}, ports={})
    store = open_store(settings.store.url)
    return Home(settings, store, installation_key(key_file(store.path)))


async def test_a_reminder_that_is_due_is_told_once_over_the_users_channel(home: Home) -> None:
    service = FakeService()
    home.due("Call the bank.")
    for _ in range(2):  # a restart tells nothing again
        async with home.awake(MessagesToolset([line(service)])) as found:
            run = await home.settled()
            await anyio.sleep(0.1)
    assert found.channels == ("chat",)
    assert [(to, text) for to, text, _ in service.sent] == [(ME, "Call the bank.")]
    assert run.outcome == "delivered"
    assert run.evidence.acknowledgement == f"{ME}/m1"


async def test_without_a_channel_a_reminder_is_kept_in_a_file_and_the_receipt_says_so(home: Home) -> None:
    home.due("Call the bank.")
    async with home.awake():
        run = await home.settled()
    file = reminders_file(home.settings)
    assert [json.loads(told)["text"] for told in file.read_text().splitlines()] == ["Call the bank."]
    assert str(file) in run.evidence.acknowledgement
    assert file.stat().st_mode & 0o777 == 0o600


async def test_what_a_task_came_to_is_told(home: Home) -> None:
    service = FakeService()
    home.due("Sum it up.", kind="task")
    async with home.awake(MessagesToolset([line(service)]), reasoner=Scripted("All is well.")):
        assert (await home.settled()).outcome == "delivered"
    assert [text for _, text, _ in service.sent] == ["All is well."]


async def test_a_task_for_another_profile_is_not_done_by_this_one(home: Home) -> None:
    home.due("Sum it up.", kind="task", profile="cost-optimised")
    reasoner = Scripted("All is well.")
    async with home.awake(reasoner=reasoner):
        run = await home.settled()
    assert (run.outcome, reasoner.asked) == ("failed", [])
    assert "cost-optimised" in run.evidence.says


async def test_a_server_goes_on_where_nothing_can_be_listened_to(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    async with awake(home.settings, None) as found:
        assert found is None
    home.due("Call the bank.")
    log, marks = SqlEventLog(home.store, home.key), SqlMarkStore(home.store, home.key)
    agent = Agent(reasoner=Scripted("Hello."), toolsets=[], log=log, marks=marks)
    attended = Attended(agent=agent, log=log, marks=marks, profile="privacy-first", troubles=())
    async with awake(home.settings, attended) as found:
        assert found == Waking(channels=(), mail=(), told_by="file")
        assert (await home.settled()).outcome == "delivered"
    journal = journal_file(home.settings)
    journal.unlink()
    journal.mkdir()
    async with awake(home.settings, attended) as found:
        assert found is None
    assert "nothing wakes the agent" in caplog.text


@pytest.fixture
def ways(tmp_path: Path) -> Any:
    def make(service: FakeService, **options: Any) -> tuple[OverLine, FirstOf, Path]:
        kept = tmp_path / "kept.jsonl"
        over = OverLine(line(service, **options), Journal(tmp_path / "j.db"), users=(ME,), pauses=(0.0,))
        return over, FirstOf([over, Kept(kept)]), kept

    return make


async def test_a_room_with_others_is_told_only_what_they_may_read(ways: Any) -> None:
    bob = Address("fake:bob")
    service = FakeService(members=frozenset({Address(ME), bob}), direct=False)
    over, _, _ = ways(service)
    with pytest.raises(ToolError, match="Not everybody"):
        await over.tell("secret", Mark(readers=Readers(frozenset())), key="k")
    assert service.sent == []
    await over.tell("for both", Mark(readers=Readers(frozenset({Party(bob)}))), key="k")
    assert [text for _, text, _ in service.sent] == ["for both"]


async def test_what_may_not_be_shown_over_a_service_is_kept_on_this_machine(ways: Any) -> None:
    service = FakeService()
    _, channel, kept = ways(service, shows=frozenset())
    receipt = await channel.tell("the result", Mark(labels=frozenset({label("medical")})), key="k")
    assert service.sent == []
    assert str(kept) in receipt
    assert await channel.find_told("k") == receipt
    assert await channel.find_told("other") is None


async def test_what_may_have_been_told_is_told_by_no_other_way(ways: Any) -> None:
    service = FakeService(fails=[ToolUncertain("Nobody knows.")])
    _, channel, kept = ways(service)
    with pytest.raises(ToolUncertain):
        await channel.tell("once", USERS_WORDS, key="k")
    assert not kept.exists()


async def test_a_service_that_fails_for_a_moment_is_tried_again(ways: Any) -> None:
    service = FakeService(fails=[ToolError("Not now.")])
    _, channel, kept = ways(service)
    await channel.tell("once", USERS_WORDS, key="k")
    assert [text for _, text, _ in service.sent] == ["once"]
    assert not kept.exists()


@pytest.mark.parametrize(
    ("sender", "subject", "expected"),
    [
        (None, None, True),
        ("ALICE@", None, True),
        ("bob@", None, False),
        (None, "invoice", True),
        ("alice@", "offer", False),
    ],
)
def test_a_rule_is_about_the_mail_that_it_names(sender: str | None, subject: str | None, expected: bool) -> None:
    rule = MailRule(name="r", account="mail", task="Read it.", sender=sender, subject=subject)
    assert matches(rule, mail("m1", "alice@example.com", "…", subject="Your Invoice")) is expected


def test_who_may_only_read_has_no_tool_that_does_anything_else(home: Home) -> None:
    log, marks = SqlEventLog(home.store, home.key), SqlMarkStore(home.store, home.key)
    agent = Agent(reasoner=Scripted("…"), toolsets=[Mail()], log=log, marks=marks)
    names: Sequence[str] = [spec.name for one in reading(agent).toolsets.values() for spec in one.specs]
    assert names == ["mail_search", "mail_read"]
    assert any(spec.name == "mail_send" for one in agent.toolsets.values() for spec in one.specs)


def test_the_zone_of_this_machine_has_a_name(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert local_zone({}, link) in {"Europe/Berlin", "UTC"}
    assert local_zone({"TZ": ":America/New_York"}, link) == "America/New_York"
    assert local_zone({"TZ": "nowhere"}, tmp_path / "none") == "UTC"
