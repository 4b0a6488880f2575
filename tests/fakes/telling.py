"""A channel that keeps what the user is told in a file; and a process that tells reminders by it until it is killed.

python -m tests.fakes.telling STORE FILE BEFORE AFTER KNOWS
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import anyio
from typing_extensions import override

from isthmus.agent.marks import Mark
from isthmus.agent.schedule.ports import Channel
from isthmus.agent.schedule.scheduler import Scheduler
from isthmus.agent.schedule.waking import ByAgentAndChannel
from isthmus.domain.errors import ToolError
from isthmus.ledger.agent import SqlEventLog
from isthmus.ledger.jobs import SqlJobStore
from isthmus.ledger.store import open_store


class FileChannel(Channel):
    """Each thing told is a line. It knows what it was told, as a room with transaction ids does."""

    def __init__(self, path: Path, *, before: float = 0.0, after: float = 0.0, knows: bool = True) -> None:
        """Nothing is told yet.

        Args:
            path: of the file.
            before: seconds that it takes until it is told.
            after: seconds that it takes from then on until that is known.
            knows: whether it can say later what it was told.
        """
        self._knows = knows
        self._path = path
        self._before = before
        self._after = after

    @property
    @override
    def name(self) -> str:
        return "file"

    @override
    async def tell(self, text: str, mark: Mark, *, key: str) -> str:
        await anyio.sleep(self._before)
        line = json.dumps({"key": key, "text": text, "trusted": mark.trusted}).encode() + b"\n"
        with open(self._path, "ab", buffering=0) as file:  # noqa: ASYNC230 - one line of a test
            file.write(line)
            os.fsync(file.fileno())
        await anyio.sleep(self._after)
        return f"receipt-{key}"

    @override
    async def find_told(self, key: str) -> str | None:
        if not self._knows:
            raise ToolError("This channel cannot say what it was told.")
        return f"receipt-{key}" if any(told["key"] == key for told in self.told()) else None

    def told(self) -> list[dict[str, object]]:
        """All that was told."""
        return [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []


KEY = bytes(32)


async def tell_until_killed(store: str, told: str, before: str, after: str, knows: str) -> None:
    """Tell what is due."""
    opened = open_store(f"sqlite:///{store}")
    channel = FileChannel(Path(told), before=float(before), after=float(after), knows=knows == "knows")

    def no_agent(_: object) -> None:
        raise AssertionError

    runner = ByAgentAndChannel(no_agent, SqlEventLog(opened, KEY), channel)  # type: ignore[arg-type]  # never asked for
    await Scheduler(SqlJobStore(opened, KEY), runner, look_seconds=0.2).run()


if __name__ == "__main__":
    anyio.run(partial(tell_until_killed, *sys.argv[1:]))
