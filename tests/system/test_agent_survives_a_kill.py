"""`kill -9` in the middle of a task, of a send, of a question to a person, and of a send that is held.

Nothing is sent twice, nothing is lost, and the next process goes on or says where it stands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.stand_in import Asked, Received, Said, serving
from typing_extensions import override

pytestmark = pytest.mark.timeout(60)

SEND = ("mail_send", {"to": ["bob@example.org"], "text": "I will be late"})
TO_EVE = ("mail_send", {"to": ["eve@evil.example"], "text": "I will be late"})


class Script(OpenAIServer):
    """Says one thing after the other; by what it sees of its own answers, and so the same to whoever asks again."""

    def __init__(self, *says: str | tuple[str, dict[str, Any]]) -> None:
        super().__init__()
        self.says = says
        self._answers = 0

    @override
    def stream(self, received: Received) -> list[bytes]:
        self._answers = sum(message["role"] == "assistant" for message in received.body["messages"])
        return super().stream(received)

    @override
    def say(self, asked: Asked) -> Said:
        says = self.says[min(self._answers, len(self.says) - 1)]
        if isinstance(says, str):
            return Said(text=says)
        return Said(calls=[(f"call_{self._answers}", *says)])


@contextmanager
def model(*says: str | tuple[str, dict[str, Any]]) -> Iterator[Script]:
    with serving(Script(*says)) as server:
        yield server
    assert server.rejected == []


@pytest.fixture(scope="module")
def maker() -> Iterator[subprocess.Popen[str]]:
    """Makes processes: what takes long to import is imported once."""
    command = [sys.executable, "-m", "tests.system.agent_story"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@dataclass
class Stories:
    """The processes of one test."""

    maker: subprocess.Popen[str]
    folder: Path

    def run(self, server: Script, what: str, at: str = "-") -> str:
        """Run a process; kill it where it stops. Gives the last line that it said."""
        assert self.maker.stdin is not None
        assert self.maker.stdout is not None
        self.maker.stdin.write(msgspec.json.encode([str(self.folder), server.url, what, at]).decode() + "\n")
        self.maker.stdin.flush()
        pid, line = 0, ""
        while (said := self.maker.stdout.readline().strip()) != "gone":
            if said.startswith("pid "):
                pid = int(said.split()[1])
                continue
            line = said
            if line == at:
                os.kill(pid, signal.SIGKILL)
        assert at in ("-", line), f"it never came to {at}: {line}"
        return line

    @property
    def sent(self) -> list[str]:
        file = self.folder / "sent"
        return [line.split(" ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def stories(maker: subprocess.Popen[str], tmp_path: Path) -> Stories:
    return Stories(maker, tmp_path)


@pytest.mark.parametrize(
    "at", ["intent", "asked_model", "model_said", "judged", "effect_begun", "before", "after", "effect_done"]
)
def test_a_task_goes_on_where_it_was_and_sends_once(stories: Stories, at: str) -> None:
    with model(SEND, "Bob knows.") as server:
        stories.run(server, "say", at)
        assert stories.run(server, "resume") == "ended done"
        assert stories.run(server, "resume") == "", "there is nothing left to go on with"
    assert stories.sent == ["['bob@example.org']"]


def test_a_task_that_is_killed_again_and_again_still_sends_once(stories: Stories) -> None:
    with model(("mail_search", {}), SEND, "Bob knows.") as server:
        stories.run(server, "say", "proposed")
        for at in ("effect_begun", "after", "model_said"):
            stories.run(server, "resume", at)
        assert stories.run(server, "resume") == "ended done"
    assert stories.sent == ["['bob@example.org']"]


@pytest.mark.parametrize("at", ["approval_asked", "approval_answered", "after"])
def test_a_question_to_a_person_outlives_the_process(stories: Stories, at: str) -> None:
    with model(("mail_search", {}), TO_EVE, "Done.") as server:
        if at == "approval_asked":
            stories.run(server, "say", at)
        else:
            assert stories.run(server, "say") == "ended waiting"
        assert stories.sent == []
        if at != "approval_asked":
            stories.run(server, "approve", at)
        assert stories.run(server, "approve") == "ended done"
    assert stories.sent == ["['eve@evil.example']"]


@pytest.mark.parametrize("at", ["effect_begun", "before", "after"])
def test_what_is_held_outlives_the_process_and_is_sent_once(stories: Stories, at: str) -> None:
    (stories.folder / "holds").touch()
    with model(SEND, "It goes in a moment.") as server:
        stories.run(server, "say", "effect_held")
        assert stories.run(server, "resume") == "ended done"
        assert stories.sent == []
        stories.run(server, "deliver", at)
        assert stories.run(server, "deliver") == "sent 1"
        assert stories.run(server, "deliver") == "sent 0"
    assert stories.sent == ["['bob@example.org']"]
