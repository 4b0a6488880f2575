"""Dovecot: IMAP, with mail delivered by LMTP. In a folder of its own, on loopback, ready in less than a second."""

from __future__ import annotations

import contextlib
import imaplib
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.programme import programme

PASSWORD = "correct horse"
_NOBODY = 65534

_CONFIG = """
protocols = imap lmtp
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
disable_plaintext_auth = no
auth_mechanisms = plain
auth_username_format = %Ln
auth_failure_delay = 0
hostname = mail.example.org
ssl = {ssl}
{certificate}
mail_location = maildir:{root}/mail/%n
mailbox_list_index = no
{without}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {root}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  {folders}
}}
namespace public {{
  type = public
  prefix = Public/
  separator = /
  location = maildir:{root}/public
  subscriptions = no
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
  # Else a wrong password makes all that come after it from this machine wait for seconds.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
protocol lmtp {{
  postmaster_address = postmaster@example.org
}}
"""
_SPECIAL = {"Drafts": r"\Drafts", "Sent": r"\Sent", "Trash": r"\Trash", "Archive": r"\Archive"}


@dataclass(kw_only=True)
class Dovecot:
    """A server that runs."""

    root: Path
    imap: int
    imaps: int
    lmtp: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        # Left behind where it was killed: it would not start beside it.
        (self.root / "run" / "master.pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [programme("dovecot"), "-F", "-c", self.root / "dovecot.conf"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + 10
        while not (_answers(self.imap) and _answers(self.lmtp)):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"dovecot does not start: {(self.root / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            # Asked politely, it takes a second, and those who serve a client finish first.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def deliver(self, message: bytes | str, *, to: str = "me@example.org", sender: str = "alice@example.com") -> None:
        """Deliver a mail as the internet does."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as lmtp:
            lmtp.sendmail(sender, [to], message.encode() if isinstance(message, str) else message)

    @contextlib.contextmanager
    def client(self, user: str = "me") -> Iterator[imaplib.IMAP4]:
        """Another mail programme of the user's."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=10) as client:
            client.login(user, PASSWORD)
            yield client

    def append(self, folder: str, message: bytes | str, flags: str = "", *, user: str = "me") -> None:
        """Put a mail into a folder, as a mail programme does."""
        data = message.encode() if isinstance(message, str) else message
        with self.client(user) as client:
            typ, answer = client.append(folder, flags, "", data)
            assert typ == "OK", answer

    def mails(self, folder: str, *, user: str = "me") -> list[bytes]:
        """All mails in a folder as they lie there."""
        with self.client(user) as client:
            typ, _ = client.select(f'"{folder}"', readonly=True)
            assert typ == "OK"
            _, data = (
                client.fetch("1:*", "(BODY.PEEK[])") if client.untagged_responses["EXISTS"] != [b"0"] else ("", [])
            )
            return [piece[1] for piece in data if isinstance(piece, tuple)]

    def flags(self, folder: str, *, user: str = "me") -> list[str]:
        """The flags of all mails in a folder."""
        with self.client(user) as client:
            client.select(f'"{folder}"', readonly=True)
            _, data = client.fetch("1:*", "(FLAGS)")
            return [line.decode() for line in data if isinstance(line, bytes)]


@contextlib.contextmanager
def running(
    *,
    users: tuple[str, ...] = ("me",),
    certificate: tuple[Path, Path] | None = None,
    without: tuple[str, ...] = (),
    special: bool = True,
) -> Iterator[Dovecot]:
    """A server for as long as the context lasts.

    Args:
        users: who may log in, with `PASSWORD`.
        certificate: files of a certificate chain and its key, to speak TLS by.
        without: what the server shall not be able to do (`MOVE`, `IDLE`, …).
        special: whether it says which folders are for what.
    """
    programme("dovecot")
    # Not below pytest's own folder, which nobody else can enter: mail is not handled as root.
    root = Path(tempfile.mkdtemp(prefix="dovecot-"))
    try:
        root.chmod(0o755)
        (root / "mail").mkdir()
        for inner in ("cur", "new", "tmp"):  # a folder that all users share
            (root / "public" / ".Team" / inner).mkdir(parents=True)
        (root / "users").write_text("".join(f"{user}:{PASSWORD}\n" for user in users))
        as_root = os.getuid() == 0
        if as_root:
            for path in (root / "mail", *(root / "public").rglob("*"), root / "public"):
                os.chown(path, _NOBODY, _NOBODY)
        user = "" if as_root else _name_of(os.getuid())
        server = Dovecot(root=root, imap=_free(), imaps=_free(), lmtp=_free())
        folders = "".join(
            f"  mailbox {name} {{\n    auto = create\n    {f'special_use = {use}' if special else ''}\n  }}\n"
            for name, use in _SPECIAL.items()
        )
        capability = f"imap_capability = {' '.join(sorted(_ALL - set(without)))}" if without else ""
        (root / "dovecot.conf").write_text(
            _CONFIG.format(
                root=root,
                internal="dovecot" if as_root else user,
                login="dovenull" if as_root else user,
                group="dovecot" if as_root else user,
                uid=_NOBODY if as_root else os.getuid(),
                gid=_NOBODY if as_root else os.getgid(),
                ssl="yes" if certificate else "no",
                certificate=f"ssl_cert = <{certificate[0]}\nssl_key = <{certificate[1]}" if certificate else "",
                without=capability,
                folders=folders,
                imap=server.imap,
                imaps=server.imaps if certificate else 0,
                lmtp=server.lmtp,
            )
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


_ALL = frozenset(
    {"IMAP4rev1", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "LITERAL+", "NAMESPACE", "UIDPLUS", "UNSELECT"}
    | {"CHILDREN", "LIST-EXTENDED", "SPECIAL-USE", "ESEARCH", "SEARCHRES", "MOVE", "WITHIN"}
)


def _free() -> int:
    """A free port. Dovecot cannot be given one by the system."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _name_of(uid: int) -> str:
    import pwd

    return pwd.getpwuid(uid).pw_name
