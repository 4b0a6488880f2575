"""What comes in is kept before it may be forgotten, and lost connections are made again."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.messages.scene import until

from isthmus.agent.channels.meeting import Inbound
from isthmus.connectors.messages.ear import Ear
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.service import Address, Heard, Message
from isthmus.domain.errors import ToolError

pytestmark = pytest.mark.anyio


def inbound(number: int, text: str = "the user's private words") -> Inbound:
    return Inbound(
        id=f"c/{number}",
        channel="c",
        sender="s",
        name="",
        text=text,
        direct=True,
        mentions_me=False,
        own=False,
        automatic=False,
    )


def test_a_message_is_kept_once_however_often_it_is_told(journal: Journal) -> None:
    assert journal.take("chat", [inbound(1), inbound(2)], "2") == [inbound(1), inbound(2)]
    assert journal.take("chat", [inbound(2), inbound(3)], "3") == [inbound(3)]
    assert journal.take("other", [inbound(1)], "1") == [inbound(1)]
    assert [one.inbound.id for one in journal.waiting("chat")] == ["c/1", "c/2", "c/3"]
    assert journal.cursor("chat") == "3"


def test_what_is_dealt_with_is_known_by_its_id_and_its_text_is_gone(journal: Journal, tmp_path: Path) -> None:
    journal.take("chat", [inbound(1)], "1")
    journal.begun("chat", "c/1")
    assert [one.state for one in journal.waiting("chat")] == ["begun"]
    journal.done("chat", "c/1")
    assert not journal.waiting("chat")
    assert not journal.take("chat", [inbound(1)], "1")
    journal.close()
    for file in tmp_path.iterdir():
        assert b"private words" not in file.read_bytes()


def test_nobody_else_can_read_what_is_kept(journal: Journal, tmp_path: Path) -> None:
    journal.take("chat", [inbound(1)], "1")
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


class Flaky:
    """A service whose connection is lost after every message."""

    prefix = "flaky:"

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.confirmed: list[str] = []

    async def hear(self, after: str | None, welcome: Any) -> AsyncGenerator[Heard, None]:
        self.asked.append(after)
        number = int(after or 0) + 1
        if number > 3:
            raise ToolError("The server cannot be reached.", hint="Try again later.")
        message = Message(
            id=str(number), channel=Address("flaky:c"), sender=Address("flaky:s"), text=f"No. {number}", at=None
        )
        yield Heard((message,), str(number))
        self.confirmed.append(str(number))
        raise RuntimeError("the connection broke")


async def test_a_lost_connection_is_made_again_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    service, kept = Flaky(), []

    async def keep(heard: Heard) -> None:
        assert heard.cursor not in service.confirmed  # kept first, confirmed then
        kept.append(heard.cursor)

    ear = Ear(service, first_pause=0.01)  # type: ignore[arg-type]  # of a service, only what an ear needs
    await ear.keep(keep, after=None, welcome=lambda _: False)
    await until(lambda: len(service.asked) > 4)
    assert kept == ["1", "2", "3"]
    assert service.asked[:4] == [None, "1", "2", "3"]
    assert ear.trouble == "The server cannot be reached. Try again later."
    assert [one.text for one in ear.remembered(Address("flaky:c"))] == ["No. 1", "No. 2", "No. 3"]
    await ear.aclose()


async def test_what_cannot_be_kept_is_not_confirmed() -> None:
    service, tries = Flaky(), []

    async def keep(heard: Heard) -> None:
        tries.append(heard.cursor)
        if len(tries) < 3:
            raise OSError("the disk is full")

    ear = Ear(service, first_pause=0.01)  # type: ignore[arg-type]
    await ear.keep(keep, after=None, welcome=lambda _: False)
    await until(lambda: service.confirmed)
    assert tries[:3] == ["1", "1", "1"]
    await ear.aclose()
