"""One connection to an account's IMAP server, for all who ask something of it: made when needed, and anew when lost."""

from __future__ import annotations

import imaplib
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio import to_thread
from imap_tools.errors import ImapToolsError

from isthmus.connectors.mail.mailbox import Mailbox, Refused, Server, WrongPassword
from isthmus.domain.errors import ToolError

T = TypeVar("T")

_LOST = (OSError, imaplib.IMAP4.abort, EOFError)


class Imap:
    """An account at an IMAP server. One thing is asked at a time."""

    def __init__(
        self, name: str, server: Server, user: str, password: Callable[[], Awaitable[str]], *, seconds: float
    ) -> None:
        """Nothing is connected yet.

        Args:
            name: of the account, as errors call it.
            server: where it is.
            user: by which one logs in.
            password: reads it in the moment it is used.
            seconds: for the server to answer.
        """
        self._name = name
        self._server = server
        self._user = user
        self._password = password
        self._seconds = seconds
        self._lock = anyio.Lock()
        # Of their own: a server that hangs must not take the threads that others need.
        self._threads = anyio.CapacityLimiter(2)
        self._mailbox: Mailbox | None = None

    async def read(self, work: Callable[[Mailbox], T]) -> T:
        """Ask what changes nothing; asked again where the connection was lost meanwhile.

        Raises:
            ToolError: it cannot be done.
        """
        async with self._lock:
            for last in (self._mailbox is None, True):
                try:
                    return await self._with(work)
                except _LOST as error:
                    if last:
                        raise self._told(error) from error
                except (Refused, WrongPassword, imaplib.IMAP4.error, ImapToolsError, ValueError) as error:
                    raise self._told(error) from error
            raise AssertionError("the last round returns or raises")

    async def change(self, work: Callable[[Mailbox], T]) -> T:
        """Ask for a change. It is asked for once, over a connection that was just heard from.

        Raises:
            ToolError: it cannot be done.
            Uncertain: the connection was lost meanwhile; it may have been done.
        """
        await self.read(Mailbox.check)
        async with self._lock:
            try:
                return await self._with(work)
            except _LOST as error:
                raise Uncertain(self._told(error).message) from error
            except (Refused, WrongPassword, imaplib.IMAP4.error, ImapToolsError, ValueError) as error:
                raise self._told(error) from error

    async def aclose(self) -> None:
        """End the connection."""
        mailbox = self._mailbox
        if mailbox is None:
            return
        if self._lock.locked():
            mailbox.cut()  # whoever asks something on it right now is told, and lets go of it
            return
        self._mailbox = None
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(mailbox.close, limiter=self._threads)

    def another(self) -> Imap:
        """A further connection to the same account, for who waits on it."""
        return Imap(self._name, self._server, self._user, self._password, seconds=self._seconds)

    async def _with(self, work: Callable[[Mailbox], T]) -> T:
        mailbox = self._mailbox
        if mailbox is None:
            mailbox = self._mailbox = await self._connected()
        try:
            return await to_thread.run_sync(work, mailbox, abandon_on_cancel=True, limiter=self._threads)
        except (Refused, WrongPassword, ToolError):
            raise
        except BaseException:
            # Cancelled, lost, or in the midst of an answer nobody understands: what comes next on it means nothing.
            self._mailbox = None
            mailbox.cut()
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(mailbox.release, limiter=self._threads)
            raise

    async def _connected(self) -> Mailbox:
        password = await self._password()
        unwanted = threading.Event()

        def connected() -> Mailbox:
            mailbox = Mailbox(self._server, self._user, password, seconds=self._seconds)
            if unwanted.is_set():
                mailbox.close()
            return mailbox

        try:
            return await to_thread.run_sync(connected, abandon_on_cancel=True, limiter=self._threads)
        except BaseException:
            unwanted.set()
            raise

    def _told(self, error: BaseException) -> ToolError:
        """What went wrong, in our words: a server's may hold anything."""
        where = f"{self._server.host}:{self._server.port}"
        match error:
            case WrongPassword():
                return ToolError(
                    f"The mail server {where} does not take user and password of account {self._name}.",
                    hint="The user has to check them; some providers want a password made for one programme.",
                )
            case ssl.SSLError():
                return ToolError(
                    f"The mail server {where} has no certificate that can be trusted, or speaks no TLS there.",
                    hint="The user has to check host, port and tls of the account.",
                )
            case TimeoutError():
                return ToolError(f"The mail server {where} does not answer.", hint="Try again later.")
            case OSError() | imaplib.IMAP4.abort() | EOFError():
                return ToolError(f"The mail server {where} cannot be reached.", hint="Try again later.")
            case Refused():
                return ToolError(f"That cannot be done: {error}.")
            case _:
                return ToolError(f"The mail server {where} answers in a way that is not understood.")


class Uncertain(Exception):
    """Whether it was done cannot be told."""
