"""A CalDAV and CardDAV server: Radicale, started on a free port of loopback."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_RIGHTS = """
[own]
user: .+
collection: {user}(/.*)?
permissions: RrWw

[root]
user: .+
collection:
permissions: R

[shared]
user: .+
collection: [^/]+/shared[^/]*(/.*)?
permissions: Rr
"""
"""Everybody has what is theirs; a collection whose name begins with `shared` is read by all."""


@dataclass(frozen=True)
class Radicale:
    """A running server. A user's home is at `{url}{user}/`."""

    url: str
    pid: int
    storage: Path


@contextlib.contextmanager
def radicale(
    folder: Path, users: Mapping[str, str], *, certificate: Path | None = None, key: Path | None = None
) -> Iterator[Radicale]:
    """Run it.

    Args:
        folder: for its configuration and what it stores.
        users: passwords by user.
        certificate: for TLS; without it, it speaks plain HTTP.
        key: of the certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    (folder / "users").write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
    (folder / "rights").write_text(_RIGHTS)
    tls = f"ssl = True\ncertificate = {certificate}\nkey = {key}\n" if certificate else ""
    (folder / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n{tls}"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\nhtpasswd_encryption = plain\ndelay = 0\n"
        f"[rights]\ntype = from_file\nfile = {folder}/rights\n"
        f"[storage]\nfilesystem_folder = {folder}/storage\n[logging]\nlevel = warning\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "radicale", "--config", str(folder / "config")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, env={"PATH": os.defpath},
        )  # fmt: skip
        try:
            _wait(port, process, folder / "log")
            yield Radicale(f"{'https' if certificate else 'http'}://localhost:{port}/", process.pid, folder / "storage")
        finally:
            process.terminate()
            process.wait(10)


def make_collection(server: Radicale, user: str, password: str, path: str, *, name: str, book: bool = False) -> None:
    """Make a calendar or an address book at `{user}/{path}/`."""
    kind = '<CR:addressbook xmlns:CR="urn:ietf:params:xml:ns:carddav"/>' if book else "<C:calendar/>"
    body = (
        '<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><resourcetype><collection/>'
        f"{kind}</resourcetype><displayname>{name}</displayname></prop></set></mkcol>"
    )
    send(server, user, password, "MKCOL", f"/{user}/{path}/", body)


def send(server: Radicale, user: str, password: str, method: str, path: str, body: str = "") -> tuple[int, str]:
    """Ask it something, as another programme of the user's would."""
    import base64
    from urllib.parse import urlsplit

    parts = urlsplit(server.url)
    connection = (
        http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=10, context=ssl._create_unverified_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    )
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    kind = (
        "text/vcard" if body.startswith("BEGIN:VCARD") else "text/calendar" if body.startswith("BEGIN") else "text/xml"
    )
    with contextlib.closing(connection):
        connection.request(
            method, path, body.encode(), {"authorization": f"Basic {login}", "content-type": f"{kind}; charset=utf-8"}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status < 500, text
        return answer.status, text


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"radicale ended: {log.read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("radicale does not answer")
