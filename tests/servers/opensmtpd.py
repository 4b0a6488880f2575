"""OpenSMTPD: takes mail by SMTP and relays it by LMTP.

Its queue and its control socket have fixed places. So it runs in a mount namespace in which these are empty and its
own: neither does it send what a real server of this machine has queued, nor what a test left behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.programme import programme

_CONFIG = """
listen on 127.0.0.1 port {port}
action "deliver" relay host "lmtp://127.0.0.1:{lmtp}"
match from any for domain "example.org" action "deliver"
"""
_ALONE = """
mount -t tmpfs -o mode=0711 tmpfs /var/spool/smtpd && mount -t tmpfs tmpfs /run && exec "$1" -d -f "$2"
"""


@contextlib.contextmanager
def running(lmtp: int) -> Iterator[int]:
    """The port of a server that relays mail for example.org, for as long as the context lasts."""
    smtpd = programme("smtpd")
    if os.getuid() != 0:
        pytest.skip("smtpd runs as root only")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("smtpd needs a mount namespace of its own, which is not allowed here")
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        config = Path(folder) / "smtpd.conf"
        config.write_text(_CONFIG.format(port=port, lmtp=lmtp))
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _ALONE, "sh", smtpd, config], stdout=log, stderr=log
            )
            try:
                end = time.monotonic() + 10
                while True:
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                        break
                    if process.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(f"smtpd does not start: {(Path(folder) / 'log').read_text()}")
                    time.sleep(0.02)
                yield port
            finally:
                process.terminate()
                process.wait(10)
