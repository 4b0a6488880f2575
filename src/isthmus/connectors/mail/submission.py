"""Handing a mail to the user's SMTP server (RFC 6409): what became of it is known, or it is said that it is not."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from isthmus.connectors.mail.imap import Uncertain
from isthmus.connectors.mail.mailbox import Server
from isthmus.domain.errors import ToolError

SECONDS = 60.0
"""For the server to answer a command."""
ACCEPTING_SECONDS = 600.0
"""For it to take a mail: the time RFC 5321, section 4.5.3.2.6, gives it. Whoever hears nothing knows nothing."""


class Refused(ToolError):
    """The server refused the mail itself."""


async def submit(
    server: Server,
    login: tuple[str, str] | None,
    message: bytes,
    *,
    sender: str,
    recipients: Sequence[str],
    before: Callable[[], Awaitable[None]],
    seconds: float = SECONDS,
    accepting_seconds: float = ACCEPTING_SECONDS,
) -> None:
    """Hand over a mail. When this returns, the server has taken it for all recipients.

    Args:
        server: where it is.
        login: user and password. None: it wants none.
        message: with line ends as on the wire, and without Bcc.
        sender: in normal form, as the recipients are.
        recipients: all of them, those of hidden copies too.
        before: done in the last moment in which the mail is surely not sent, when the server has taken sender and all
            recipients.
        seconds: for the server to answer a command.
        accepting_seconds: for it to take the mail.

    Raises:
        ToolError: it was not sent.
        Refused: nor will it be: the server has seen it and does not want it. `before` has happened then.
        Uncertain: the connection was lost while the server took it.
    """
    where = f"{server.host}:{server.port}"
    smtp = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "tls",
        start_tls=server.tls == "starttls",
        tls_context=server.context,
        timeout=seconds,
        # The machine's own name is nobody's business.
        local_hostname="localhost",
    )
    try:
        try:
            await smtp.connect()
            if login is not None:
                await smtp.login(*login)
            await smtp.mail(sender, options=[] if message.isascii() else ["BODY=8BITMIME"])
            for recipient in recipients:
                await smtp.rcpt(recipient)
        except (SMTPException, OSError, ValueError) as error:
            raise _told(where, error) from error
        await before()
        try:
            await smtp.data(message, timeout=accepting_seconds)
        except SMTPResponseException as error:
            raise Refused(
                f"The server {where} does not take the mail (code {error.code}). Nothing was sent.",
                hint="Change the mail, or try again later." if error.code < 500 else "Change the mail.",
            ) from error
        except (SMTPException, OSError) as error:
            raise Uncertain(f"The connection to {where} was lost while it took the mail") from error
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=1.0)
    finally:
        smtp.close()


def _told(where: str, error: Exception) -> ToolError:
    """What went wrong before anything was sent, in our words: a server's may hold anything."""
    match error:
        case SMTPRecipientRefused():
            return ToolError(
                f"The server {where} does not take mail for {error.recipient} (code {error.code}). "
                "Nothing was sent, to nobody.",
                hint="Check the address, or leave it out.",
            )
        case SMTPSenderRefused():
            return ToolError(
                f"The server {where} does not take mail from {error.sender} (code {error.code}). Nothing was sent.",
                hint="The user has to check the account's address.",
            )
        case SMTPAuthenticationError():
            return ToolError(
                f"The server {where} does not take user and password. Nothing was sent.",
                hint="The user has to check them.",
            )
        case SMTPNotSupported():
            return ToolError(
                f"The server {where} offers neither the way to log in nor the encryption that the account asks for. "
                "Nothing was sent.",
                hint="The user has to check host, port and tls of the account.",
            )
        case _ if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return ToolError(
                f"The server {where} has no certificate that can be trusted, or speaks no TLS there. Nothing was sent.",
                hint="The user has to check host, port and tls of the account.",
            )
        case SMTPResponseException():
            return ToolError(f"The server {where} refuses (code {error.code}). Nothing was sent.", hint="Try later.")
        case _:
            return ToolError(f"The server {where} cannot be reached. Nothing was sent.", hint="Try again later.")
