"""The agent as a person has it: the command line in a process of its own, real mail servers, and a scripted model."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.fakes.openai_server import KEY, OpenAIServer
from tests.fakes.stand_in import Asked, Said, serving
from tests.servers import dovecot, smtp
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp import Relay
from tests.system.process import Isthmus
from typing_extensions import override

Call: TypeAlias = tuple[str, Mapping[str, Any]]
Says: TypeAlias = str | Sequence[Call]

_REGISTER = """
import sys
from isthmus.cli import main
names = {one.name for one in (*main.app.registered_commands, *main.app.registered_groups)}
if "chat" not in names:
    from isthmus.cli import chat
    main.app.command("chat")(chat.command)
if "agent" not in names:
    from isthmus.cli.agent.app import app
    main.app.add_typer(app, name="agent")
if "mcp" not in names:
    from isthmus.cli import mcp
    main.app.add_typer(mcp.app, name="mcp")
main.main()
"""
LAUNCH = ("-c", _REGISTER)

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PASSED = re.compile(r"[^\n]*\r\x1b\[K")
"""A line that was shown for a moment and taken away again."""


class ScriptedModel(OpenAIServer):
    """Says what it was told to, one answer after the other; then that nothing is left."""

    def __init__(self, *says: Says) -> None:
        super().__init__()
        self.says = list(says)
        self.number = 0

    @override
    def say(self, asked: Asked) -> Said:
        said = self.says.pop(0) if self.says else "Nothing is left to say."
        if isinstance(said, str):
            return Said(text=said)
        self.number += 1
        calls = [(f"call_{self.number}_{at}", name, dict(arguments)) for at, (name, arguments) in enumerate(said)]
        return Said(calls=calls)

    @property
    def last(self) -> str:
        """What it was asked last, as text."""
        return str(self.requests[-1].body["messages"])


@dataclass
class Scene:
    """A mailbox, a model, and the command line on settings that name both."""

    isthmus: Isthmus
    model: ScriptedModel
    server: Dovecot
    relay: Relay

    def says(self, *says: Says) -> None:
        self.model.says += says

    def receive(
        self, subject: str, body: str, *, sender: str = "alice@example.com", to: str = "me@example.org"
    ) -> None:
        head = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sat, 21 Nov 2026 09:00:00 +0000\r\n"
        self.server.deliver(f"{head}Message-ID: <{abs(hash(subject))}@example.com>\r\n\r\n{body}\r\n", sender=sender)

    @property
    def sent(self) -> list[tuple[bytes, str, list[str]]]:
        return self.relay.taken

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *LAUNCH, *arguments, "--config", str(self.isthmus.file)],
            env=self.isthmus.env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def chat(self, *arguments: str) -> Iterator[Terminal]:
        """`isthmus chat` at a terminal."""
        with terminal(["chat", *arguments, "--config", str(self.isthmus.file)], self.isthmus.env) as found:
            yield found


@contextlib.contextmanager
def scene(folder: Path, *, settings: str = "", hold_seconds: float = 0) -> Iterator[Scene]:
    with (
        serving(ScriptedModel()) as model,
        dovecot.running() as server,
        smtp.running(deliver=smtp.by_lmtp(server.lmtp), password=PASSWORD) as relay,
    ):
        password = folder / "password"
        password.write_text(PASSWORD)
        toml = (
            f'[offers.home]\nprovider = "vllm"\nmodel = "scripted"\nurl = "{model.url}/v1"\nside = "own"\n'
            f'key = "env:MODEL_KEY"\nprice = {{ input = 1, output = 2 }}\n'
            f"[agent]\nhold_seconds = {hold_seconds}\n"
            f'[accounts.mail]\nkind = "imap"\nlabels = ["private"]\naddress = "me@example.org"\nuser = "me"\n'
            f'password = "file:{password}"\nimap_host = "127.0.0.1"\nimap_port = {server.imap}\nimap_tls = "none"\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {relay.port}\nsmtp_tls = "none"\n{settings}'
        )
        yield Scene(Isthmus(folder, toml, environment={"MODEL_KEY": KEY}), model, server, relay)


@dataclass
class Terminal:
    """A person at a terminal."""

    process: subprocess.Popen[bytes]
    descriptor: int
    raw: str = ""
    _read_to: int = 0
    _waits: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What stands on the screen, without colours."""
        return screen(self.raw)

    def wait_for(self, text: str, *, seconds: float = 20.0) -> str:
        """Wait until a text stands on the screen that was not there before; gives all since the last one."""
        end = time.monotonic() + seconds
        while True:
            shown = screen(self.raw[self._read_to :])
            if text in shown:
                self._read_to = len(self.raw)
                return shown
            if time.monotonic() > end or not self._read(end - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown. The screen:\n{self.text}")

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def end(self, *, seconds: float = 15.0) -> int:
        """Wait for the end of the programme."""
        end = time.monotonic() + seconds
        while self._read(max(0.0, end - time.monotonic())):
            pass
        return self.process.wait(5)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


def screen(raw: str) -> str:
    """What a terminal shows of what was written to it."""
    text = raw.replace("\r\n", "\n")
    return _COLOURS.sub("", _PASSED.sub("", text)).replace("\r", "")


@contextlib.contextmanager
def terminal(arguments: Sequence[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *LAUNCH, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "dumb", "COLUMNS": "100", "LINES": "40"},
        start_new_session=True,
        preexec_fn=_take_terminal(theirs),  # noqa: PLW1509 - no threads begin between
    )
    os.close(theirs)
    try:
        yield Terminal(process, mine)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(5)
        os.close(mine)


def _take_terminal(descriptor: int) -> Callable[[], None]:
    """Makes a terminal the one that Ctrl-C comes from."""

    def take() -> None:
        import fcntl
        import termios

        fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)

    return take
