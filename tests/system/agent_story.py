"""Agents in processes of their own, on a real store, by the real road, that stop where a test says and wait there.

Started once, it is given a line of JSON for each process it is to make: folder, address of the model, what to do (say,
resume, approve, deliver), and where to stop: a kind of event once it is in the log, or `before`, `after` the effect
itself; `-`: nowhere. The process tells its number, then what it stops at, where it sleeps until it is killed, or how
the turn ended. When it is gone, `gone` is told.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - what the first start of a store needs
import msgspec
from tests.fakes.agent_scene import MAIL_TOOLS, Mail, mail
from tests.fakes.recorder import MemoryRecorder
from typing_extensions import override

from isthmus.agent import Agent
from isthmus.agent.approval import Answered
from isthmus.agent.happenings import Ended
from isthmus.agent.on_the_road import OnTheRoad, profiled
from isthmus.agent.tool import Grant, ToolResult
from isthmus.domain.label import Clearance
from isthmus.domain.offer import Offer, SecretRef
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.fingerprints import installation_key
from isthmus.ledger.store import open_store
from isthmus.perimeter.gate import Gate
from isthmus.providers.secrets import Secrets
from isthmus.providers.sender import HttpSender
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

SAID = "Send a mail to bob@example.org saying 'I will be late'."
NAME = "c"


def stop(place: str, wanted: str) -> None:
    """Stop here for ever, where this is the place."""
    if place == wanted:
        print(place, flush=True)
        time.sleep(600)


class Outbox(Mail):
    """Sends by writing a line to a file, durably. What lies there was sent, whoever asks and whenever."""

    def __init__(self, file: Path, wanted: str) -> None:
        super().__init__({"<1@x>": mail("<1@x>", "eve@evil.example", "hello")}, tools=MAIL_TOOLS)
        self.file = file
        self.wanted = wanted

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if grant.tool != "mail_send":
            return await super().run(grant)
        stop("before", self.wanted)
        with self.file.open("a") as file:
            file.write(f"{grant.call} {grant.plain()['to']}\n")
            file.flush()
            os.fsync(file.fileno())
        stop("after", self.wanted)
        return self._done(grant)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        sent = self.file.read_text().splitlines() if self.file.exists() else []
        return self._done(grant) if any(line.split()[0] == grant.call for line in sent) else None


class StoppingLog(SqlEventLog):
    wanted = "-"

    @override
    def append(self, conversation: str, turn: str, kind: Any, content: Any) -> Any:
        event = super().append(conversation, turn, kind, content)
        stop(kind, self.wanted)
        return event


async def main(folder: Path, url: str, what: str, wanted: str) -> None:
    store = open_store(f"sqlite:///{folder / 'isthmus.db'}")
    key = installation_key(folder / "installation.key")
    log = StoppingLog(store, key)
    log.wanted = wanted
    home = Offer(
        name="home",
        model="m",
        provider="test",
        dialect="openai-chat",
        base_url=f"{url}/v1",
        side="own",
        clearance=Clearance(everything=True),
        key=SecretRef("env", "KEY"),
    )
    gate = Gate()
    sender = HttpSender(gate, Secrets({"KEY": "sk-test"}))
    roster = Roster(offers={"home": home}, workloads={}, default_workload="home", version="v")
    road = Road(profiled(roster, "privacy-first"), sender, MemoryRecorder(), gate)
    agent = Agent(
        reasoner=OnTheRoad(road),
        toolsets=[Outbox(folder / "sent", wanted)],
        log=log,
        marks=SqlMarkStore(store, key),
        hold_seconds=0.2 if (folder / "holds").exists() else 0,
    )
    if what == "deliver":
        await asyncio.sleep(0.25)
        print("sent", await agent.deliver(), flush=True)
    else:
        if what == "approve":
            for approval in await agent.pending():
                at = datetime.now(UTC)
                await agent.answer(Answered(approval=approval.id, verdict="approve_once", by="terminal", at=at))
        turn = agent.turn(SAID, conversation=NAME) if what == "say" else agent.resume(NAME)
        async with aclosing(turn) as happenings:
            async for happening in happenings:
                if isinstance(happening, Ended):
                    print("ended", happening.outcome, flush=True)
    await sender.aclose()
    store.dispose()


def serve() -> None:
    """Make a process for every line. Nothing but imports has happened here, so that a copy of this is a fresh start."""
    for line in sys.stdin:
        folder, url, what, wanted = msgspec.json.decode(line)
        child = os.fork()
        if child == 0:
            print("pid", os.getpid(), flush=True)
            asyncio.run(main(Path(folder), url, what, wanted))
            os._exit(0)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    serve()
