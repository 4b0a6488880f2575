"""Prosody: XMPP, with rooms and an archive. In a folder of its own, on loopback, ready in less than a second."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.programme import programme

DOMAIN = "example.org"
ROOMS = "rooms.example.org"
PASSWORD = "correct horse"

_CONFIG = """
pidfile = "{root}/prosody.pid"
data_path = "{root}/data"
daemonize = false
{user}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{}}
s2s_ports = {{}}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "offline", {archive} }}
modules_disabled = {{ "s2s", "tls" }}
archive_expires_after = "never"
default_archive_policy = true
log = {{ info = "{root}/log" }}
VirtualHost "example.org"
Component "rooms.example.org" "muc"
    modules_enabled = {{ {room_archive} }}
    muc_log_by_default = true
    muc_room_default_public_jids = {public}
    muc_room_locking = false
    restrict_room_creation = false
"""


@dataclass(kw_only=True)
class Prosody:
    """A server that runs."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        (self.root / "prosody.pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [programme("prosody"), "--config", str(self.root / "prosody.cfg.lua"), "-F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > end:
                log = self.root / "log"
                raise RuntimeError(f"prosody does not start: {log.read_text() if log.exists() else 'no log'}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
            self.process = None


@contextlib.contextmanager
def running(*, users: tuple[str, ...], archive: bool = True, public: bool = True) -> Iterator[Prosody]:
    """A server for as long as the context lasts.

    Args:
        users: who may log in, with `PASSWORD`.
        archive: whether it keeps what was said (XEP-0313).
        public: whether rooms tell who is in them.
    """
    programme("prosody")
    root = Path(tempfile.mkdtemp(prefix="prosody-"))
    try:
        accounts = root / "data" / "example%2eorg" / "accounts"
        accounts.mkdir(parents=True)
        for user in users:
            (accounts / f"{user}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}"; }};\n')
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        (root / "prosody.cfg.lua").write_text(
            _CONFIG.format(
                root=root,
                port=port,
                user="run_as_root = true" if os.getuid() == 0 else "",
                archive='"mam"' if archive else "",
                room_archive='"muc_mam"' if archive else "",
                public="true" if public else "false",
            )
        )
        server = Prosody(root=root, port=port)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)
