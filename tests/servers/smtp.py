"""An SMTP server in a thread of the tests that delivers to a mail server by LMTP, and can break at every step."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typing_extensions import override

Step = Literal["connect", "ehlo", "auth", "mail", "rcpt", "data", "taking", "taken"]
"""Where the server breaks the connection: `data` before the mail is transferred, `taking` after it is and without
keeping it, `taken` after it is delivered and without saying so."""


@dataclass(kw_only=True)
class Relay:
    """The server, and what it has seen."""

    port: int = 0
    deliver: Callable[[bytes, str, str], None] | None = None
    """Hands a mail on: message, sender, recipient."""
    password: str | None = None
    """None: nobody has to log in."""
    break_at: Step | None = None
    refuse: frozenset[str] = frozenset()
    """Recipients that are not known."""
    refuse_data: str | None = None
    """The answer to a mail that is not taken."""
    on_data: Callable[[], None] | None = None
    """Called when a mail was transferred, before it is taken."""
    on_recipient: Callable[[], None] | None = None
    """Called when a recipient is named, before it is taken."""
    taken: list[tuple[bytes, str, list[str]]] = field(default_factory=list)
    """Mails that were taken: message, sender, recipients."""

    # -- hooks of aiosmtpd ----------------------------------------------------------------------------------------

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        _break(server, self.break_at == "ehlo")
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        _break(server, self.break_at == "mail")
        if self.password is not None and not session.authenticated:
            return "530 who are you?"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        _break(server, self.break_at == "rcpt")
        if self.on_recipient is not None:
            self.on_recipient()
        if address in self.refuse:
            return "550 who?"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.on_data is not None:
            self.on_data()
        if self.break_at == "taking":
            _break(server, True)
            return "451 broken"
        if self.refuse_data is not None:
            return self.refuse_data
        content, sender = envelope.content, envelope.mail_from or ""
        assert isinstance(content, bytes)
        self.taken.append((content, sender, list(envelope.rcpt_tos)))
        if self.deliver is not None:
            for recipient in envelope.rcpt_tos:
                await asyncio.to_thread(self.deliver, content, sender, recipient)
        if self.break_at == "taken":
            _break(server, True)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        _break(server, self.break_at == "auth")
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == (self.password or "").encode(), handled=False)


class _Server(SMTP):
    @override
    async def smtp_DATA(self, arg: str) -> None:
        if self.event_handler.break_at == "data":
            _break(self, True)
            return
        await super().smtp_DATA(arg)

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        _break(self, self.event_handler.break_at == "connect")


def _break(server: SMTP, now: bool) -> None:
    if now and isinstance(server.transport, asyncio.Transport):
        server.transport.abort()


def by_lmtp(port: int, *, domain: str = "example.org") -> Callable[[bytes, str, str], None]:
    """Delivers what is for a domain; the rest goes nowhere, as if it went out into the world."""

    def deliver(message: bytes, sender: str, recipient: str) -> None:
        if recipient.endswith(f"@{domain}"):
            with smtplib.LMTP("127.0.0.1", port) as lmtp:
                lmtp.sendmail(sender, [recipient], message)

    return deliver


@contextlib.contextmanager
def running(
    *,
    deliver: Callable[[bytes, str, str], None] | None = None,
    password: str | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[Relay]:
    """A server for as long as the context lasts. With `context` it speaks TLS from the first byte."""
    relay = Relay(deliver=deliver, password=password)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    def session() -> _Server:
        return _Server(
            relay,
            hostname="mail.example.org",
            auth_require_tls=False,
            authenticator=relay.authenticate,
            loop=loop,
        )

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=context))
        relay.port = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run, name="smtp", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
