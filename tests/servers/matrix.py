"""Synapse: a real homeserver. It is large, so it is installed and run only where ISTHMUS_SYNAPSE=1 says so."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PACKAGE = "matrix-synapse==1.163.2"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isthmus-tests" / "synapse"
_SERVER = "example.org"

_CONFIG = """
server_name: {server}
pid_file: {root}/pid
listeners:
  - port: {port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    resources: [{{names: [client], compress: false}}]
database: {{name: sqlite3, args: {{database: "{root}/homeserver.db"}}}}
log_config: {root}/log.yaml
media_store_path: {root}/media
signing_key_path: {root}/signing.key
macaroon_secret_key: "of a test"
registration_shared_secret: "of a test"
enable_registration: true
enable_registration_without_verification: true
report_stats: false
trusted_key_servers: []
rc_message: &many {{per_second: 1000, burst_count: 1000}}
rc_registration: *many
rc_login: {{address: *many, account: *many, failed_attempts: *many}}
rc_joins: {{local: *many, remote: *many}}
rc_invites: {{per_room: *many, per_user: *many, per_issuer: *many}}
rc_room_creation: *many
"""
_LOG = """
version: 1
handlers: {{file: {{class: logging.FileHandler, filename: "{root}/log"}}}}
root: {{level: WARNING, handlers: [file]}}
"""


@dataclass(frozen=True, slots=True)
class Synapse:
    """A homeserver that runs."""

    url: str

    def register(self, name: str) -> tuple[str, str]:
        """A new account: its id and an access token."""
        told = self.call(
            "POST", "register", {"username": name, "password": "correct horse", "auth": {"type": "m.login.dummy"}}
        )
        return told["user_id"], told["access_token"]

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """What another client of somebody's asks."""
        request = urllib.request.Request(
            f"{self.url}/_matrix/client/v3/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {}),
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def _installed() -> Path:
    if os.environ.get("ISTHMUS_SYNAPSE") != "1":
        pytest.skip("ISTHMUS_SYNAPSE=1 installs a homeserver and tries Matrix against it")
    python = _CACHE / "bin" / "python"
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with (_CACHE.parent / "synapse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", _CACHE], check=True)
        if subprocess.run([python, "-c", "import synapse"], capture_output=True, check=False).returncode:
            done = subprocess.run([python, "-m", "pip", "install", "-q", _PACKAGE], check=False)
            if done.returncode:
                pytest.skip(f"{_PACKAGE} cannot be installed")
    return python


@contextlib.contextmanager
def running() -> Iterator[Synapse]:
    """A homeserver for as long as the context lasts."""
    python = _installed()
    with tempfile.TemporaryDirectory(prefix="synapse-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        root = Path(folder)
        (root / "homeserver.yaml").write_text(_CONFIG.format(root=root, port=port, server=_SERVER))
        (root / "log.yaml").write_text(_LOG.format(root=root))
        command = [str(python), "-m", "synapse.app.homeserver", "-c", str(root / "homeserver.yaml")]
        subprocess.run([*command, "--generate-keys"], check=True, capture_output=True, cwd=root)
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = Synapse(f"http://127.0.0.1:{port}")
        try:
            end = time.monotonic() + 40
            while True:
                with contextlib.suppress(OSError, urllib.error.URLError):
                    server.call("GET", "login")
                    break
                if process.poll() is not None or time.monotonic() > end:
                    log = root / "log"
                    raise RuntimeError(f"synapse does not start: {log.read_text() if log.exists() else 'no log'}")
                time.sleep(0.1)
            yield server
        finally:
            process.terminate()
            process.wait(20)
