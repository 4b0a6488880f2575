"""Targets and the mock upstream as running processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import process_tree
from bench.machine import Cores, free_port, running_on
from bench.scenarios import PLAIN
from bench.targets import KEY, Target

START_S = 60.0
"""How long a target may take until it answers; LiteLLM needs 20 s on a busy machine."""
STOP_S = 15.0
"""How long it may take to end, its records written, before it is killed."""


class DidNotStart(Exception):
    """The target ended or did not answer in time; holds the end of what it printed."""


@contextmanager
def mock_upstream(program: Path, cores: Cores) -> Iterator[subprocess.Popen[str]]:
    """The fake provider, on the load's core. Its port is the first line it prints."""
    with running_on(cores.load):
        process = subprocess.Popen([program, "0"], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


class RunningTarget:
    """A target that answers on `port`. `sent` and `answered` count what this programme itself asked of it."""

    def __init__(self, target: Target, folder: Path, upstream_port: int, mock_pid: int) -> None:
        self.target = target
        self.folder = folder
        self.upstream_port = upstream_port
        self.port = free_port() if target.command else upstream_port
        self.pid = mock_pid
        """Root of the process tree whose CPU and memory count; for `direct` the mock itself."""
        self.sent = 0
        self.answered = 0
        self.start_s = 0.0
        self._last_answer = "none"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, cores: Cores) -> None:
        """Start it on its core and wait until it answers.

        Raises:
            DidNotStart: it does not.
        """
        if not self.target.command:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.target.files.items():
            (self.folder / name).write_text(self._filled(text))
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log, running_on(cores.gateway):
            self._process = subprocess.Popen(
                [self._filled(part) for part in self.target.command],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, **{k: self._filled(v) for k, v in self.target.environment.items()}},
                start_new_session=True,
            )
        self.pid = self._process.pid
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began > START_S:
                self.stop()
                log_end = (self.folder / "log").read_text(errors="replace")[-1500:]
                raise DidNotStart(f"last answer: {self._last_answer}; end of its log: {log_end}")
            time.sleep(0.2)
        self.start_s = time.monotonic() - began

    def stop(self) -> None:
        """Ask it to end and give it time to write its records; kill what is left."""
        if self._process is None:
            return
        pids = process_tree.tree(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            print(f"      {self.target.name} did not end within {STOP_S:.0f} s and was killed", flush=True)
        for pid in pids:
            if _is_of_session(pid, self._process.pid):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def ask(self, *, stream: bool = False) -> tuple[int, bytes]:
        """One request as a client would send it: status and body.

        Raises:
            OSError, http.client.HTTPException: no answer.
        """
        fields: dict[str, object] = {
            "model": self.model(PLAIN),
            "messages": [{"role": "user", "content": f"hello {PLAIN}"}],
        }
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            self.sent += 1
            connection.request("POST", self.target.path, json.dumps(fields).encode(), headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        self.answered += response.status == 200
        return response.status, body

    def streams_whole(self) -> bool:
        """Whether events with their time stamp, usage and the end mark arrive at a client."""
        status, body = self.ask(stream=True)
        return status == 200 and body.count(b"@") == 100 and b"total_tokens" in body and b"[DONE]" in body

    def model(self, name: str) -> str:
        return self.target.model_prefix + name

    def _answers(self) -> bool:
        try:
            if self.target.port_file:
                self.port = int((self.folder / self.target.port_file).read_text())
            status, body = self.ask()
            self._last_answer = f"{status} {body[:300].decode(errors='replace')}"
            return status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _filled(self, text: str) -> str:
        known = {"port": str(self.port), "upstream_port": str(self.upstream_port), "dir": str(self.folder)}
        for name, value in known.items():
            text = text.replace("{" + name + "}", value)
        return text


def _is_of_session(pid: int, session: int) -> bool:
    """Whether the process still runs and is the one we started: its number may have passed to another."""
    try:
        return os.getsid(pid) == session
    except ProcessLookupError:
        return False
