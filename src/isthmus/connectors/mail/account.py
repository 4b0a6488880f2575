"""Mail: an IMAP account to read from and an SMTP server to send by."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import msgspec
from anyio import to_thread

from isthmus.agent.tool import Toolset
from isthmus.connectors.mail.addresses import normal
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "imap"

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Folders(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names of folders that the server does not say itself which they are (RFC 6154)."""

    drafts: str | None = None
    sent: str | None = None
    trash: str | None = None


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a mail account needs to be told."""

    address: str
    """The user's address: what is sent comes from it."""
    password: SecretRef
    imap_host: str
    imap_port: int = 993
    imap_tls: Literal["tls", "starttls", "none"] = "tls"
    """`none` is for a server on this machine."""
    smtp_host: str | None = None
    """Without it nothing can be sent, only drafted."""
    smtp_port: int = 465
    smtp_tls: Literal["tls", "starttls", "none"] = "tls"
    smtp_login: bool = True
    """Whether the SMTP server wants user and password."""
    user: str | None = None
    """By which one logs in. None: the address."""
    name: str = ""
    """What others see beside the address."""
    addresses: tuple[str, ...] = ()
    """Further addresses of the user's: mail from and to them is the user's own."""
    folders: Folders = Folders()
    files_sent: bool = False
    """Whether the SMTP server itself puts what it sends among the sent mails, as Gmail does."""
    authserv: str | None = None
    """The name by which the user's own server signs what it found of a sender (Authentication-Results). Without it,
    every sender counts as unverified."""
    ca: str | None = None
    """Path of a file with the certificates to trust instead of the system's (PEM)."""
    attach_from: tuple[str, ...] = ()
    """Folders whose files may be attached."""
    save_to: str | None = None
    """Folder for attachments that are saved. None: none are."""

    def __post_init__(self) -> None:
        for address in (self.address, *self.addresses):
            try:
                normal(address)
            except ValueError as error:
                raise ValueError(f"{address!r} is no mail address") from error
        for host, tls in ((self.imap_host, self.imap_tls), (self.smtp_host, self.smtp_tls)):
            if tls == "none" and host is not None and host not in _LOOPBACK:
                raise ValueError(f"{host} is another machine, so mail and password need tls there")

    @property
    def own(self) -> frozenset[str]:
        """The user's addresses, in normal form."""
        return frozenset(map(normal, (self.address, *self.addresses)))


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],
) -> Toolset:
    """The tools of an account. Nothing is connected before it is needed.

    Raises:
        OSError: the file `ca` cannot be read.
        ssl.SSLError: it holds no certificates.
    """
    from isthmus.connectors.mail.toolset import MailToolset  # noqa: PLC0415  # brings the libraries

    def trusted() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=None if account.ca is None else Path(account.ca).expanduser())

    context = await to_thread.run_sync(trusted)
    return MailToolset(name, account, labels=labels, secret=secret, context=context)
