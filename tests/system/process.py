"""isthmus as its users run it: a process of its own, with a settings file, a state folder, and a port."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.domain.entry import Entry
from isthmus.ledger.reader import LedgerReader, Record
from isthmus.ledger.store import Store


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Isthmus:
    """A settings file and the process that runs on it."""

    folder: Path
    settings: str
    """TOML, without [server] and [store]."""
    server: str = ""
    """More keys of [server]."""
    store: str = ""
    """More keys of [store]."""
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.write(self.settings)

    @property
    def file(self) -> Path:
        return self.folder / "isthmus.toml"

    @property
    def database(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def write(self, settings: str) -> None:
        """Write the settings file, as an editor would: a new file in the place of the old one."""
        text = (
            f'[server]\nbind = "127.0.0.1:{self.port}"\n{self.server}\n'
            f'[store]\nurl = "sqlite:{self.database}"\n{self.store}\n{settings}'
        )
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        return (
            kept | {"XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1", "COLUMNS": "160"} | self.environment
        )

    def start(self, *, wait: float = 60.0) -> None:
        """Start, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "isthmus", "up", "--config", str(self.file)],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + wait
        while self.get("/healthz") != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"isthmus did not come up:\n{self.log.read_text()}")
            time.sleep(0.02)

    def get(self, path: str) -> int | None:
        """Status of a GET; None: nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
                raise

    def kill(self) -> None:
        """What a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    def run(self, *arguments: str, stdin: str | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line with these settings."""
        done = subprocess.run(
            [sys.executable, "-m", "isthmus", *arguments, "--config", str(self.file)],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def records(self, count: int | None = None, *, wait: float = 5.0) -> list[Record]:
        """The entries of the ledger, oldest first; waits until there are `count`."""
        end = time.monotonic() + wait
        while True:
            found = LedgerReader(Store(f"sqlite:///{self.database}")).tail(1_000_000)
            if count is None or len(found) == count or time.monotonic() > end:
                assert count is None or len(found) == count, [record.entry.outcome for record in found]
                return found
            time.sleep(0.02)

    def entry(self, request: str, *, wait: float = 5.0) -> Entry:
        """The entry of a request, once it is written."""
        end = time.monotonic() + wait
        while True:
            found = [record.entry for record in self.records() if record.entry.id == request]
            if found or time.monotonic() > end:
                assert found, f"no entry for {request}"
                return found[0]
            time.sleep(0.02)


@contextmanager
def running(isthmus: Isthmus) -> Iterator[Isthmus]:
    """Start, and stop at the end."""
    try:
        isthmus.start()
        yield isthmus
    finally:
        isthmus.stop()
