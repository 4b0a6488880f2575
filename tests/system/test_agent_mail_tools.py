"""The tools for mail against real servers from end to end, and killed in the midst of sending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.servers import dovecot, opensmtpd, smtp
from tests.servers.dovecot import PASSWORD, Dovecot

from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.tool import Argument, Grant, Toolset
from isthmus.connectors.mail.account import Account, connect
from isthmus.domain.errors import ToolUncertain
from isthmus.domain.label import label
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def secret(_: SecretRef) -> str:
    return PASSWORD


def account(imap: int, smtp_port: int, *, login: bool = True) -> Account:
    return Account(
        address="me@example.org",
        user="me",
        password=SecretRef("env", "MAIL_PASSWORD"),
        imap_host="127.0.0.1",
        imap_port=imap,
        imap_tls="none",
        smtp_host="127.0.0.1",
        smtp_port=smtp_port,
        smtp_tls="none",
        smtp_login=login,
    )


def grant(tool: str, call: str = "call", **arguments: Any) -> Grant:
    given = {name: Argument(value=value, mark=USERS_WORDS) for name, value in arguments.items()}
    return Grant(call=call, tool=tool, digest=f"digest of {call}", mark=USERS_WORDS, arguments=given)


async def _tools(imap: int, smtp_port: int, *, login: bool = True) -> Toolset:
    return await connect("me", account(imap, smtp_port, login=login), labels=frozenset({label("mail")}), secret=secret)


async def _soon(found: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(10):
        while not await found():
            await anyio.sleep(0.02)


async def test_a_mail_goes_out_over_one_server_and_comes_in_over_another() -> None:
    with dovecot.running(users=("me", "bob")) as server, opensmtpd.running(server.lmtp) as port:
        tools = await _tools(server.imap, port, login=False)

        await tools.run(
            grant("mail_send", to=["bob@example.org"], bcc=["me@example.org"], subject="Grüße", body="Zeile\n.\nEnde\n")
        )

        async def arrived() -> bool:
            return bool(server.mails("INBOX", user="bob")) and bool(server.mails("INBOX"))

        await _soon(arrived)
        (item,) = (await tools.run(grant("mail_search"))).items
        assert item.fields["subject"].value == "Grüße"
        read = await tools.run(grant("mail_read", mail=item.id))
        assert read.items[0].fields["body"].value == "Zeile\n.\nEnde"
        bobs = message_from_bytes(server.mails("INBOX", user="bob")[0])
        assert (bobs["to"], bobs["bcc"]) == ("bob@example.org", None)
        assert len(server.mails("Sent")) == 1
        await tools.aclose()


async def test_fifty_mails_are_triaged(record_property: Callable[[str, object], None]) -> None:
    with dovecot.running() as server:
        for number in range(50):
            kind = ("Invoice", "Newsletter", "Question")[number % 3]
            server.deliver(f"From: a{number}@example.com\r\nSubject: {kind} {number}\r\n\r\nBody {number}\r\n")
        tools = await _tools(server.imap, 1)
        begun = time.perf_counter()

        items = (await tools.run(grant("mail_search", unread=True, limit=50))).items
        searched = time.perf_counter() - begun
        news = [item.id for item in items if str(item.fields["subject"].value).startswith("Newsletter")]
        questions = [item.id for item in items if str(item.fields["subject"].value).startswith("Question")]
        await tools.run(grant("mail_move", mails=news, folder="Archive"))
        await tools.run(grant("mail_flag", mails=questions, flag="flagged"))

        record_property("seconds to list 50 mails", round(searched, 3))
        record_property("seconds for all", round(time.perf_counter() - begun, 3))
        assert (len(items), len(news), len(questions)) == (50, 17, 16)
        assert len(server.mails("INBOX")) == 33
        assert sum(r"\Flagged" in flags for flags in server.flags("INBOX")) == 16
        await tools.aclose()


@pytest.mark.parametrize("taken", [False, True])
async def test_killed_while_the_server_takes_a_mail_it_is_not_sent_twice(taken: bool) -> None:
    with dovecot.running() as server, smtp.running(password=PASSWORD) as relay:
        sender: list[subprocess.Popen[bytes]] = []

        def kill() -> None:
            os.kill(sender[0].pid, signal.SIGKILL)

        relay.on_data = kill
        relay.break_at = None if taken else "taking"
        sender.append(_sender(server, relay.port))
        assert sender[0].wait(30) == -signal.SIGKILL
        tools = await _tools(server.imap, relay.port)
        relay.on_data, relay.break_at = None, None
        send = grant("mail_send", to=["bob@example.net"], subject="once", body="x")

        with pytest.raises(ToolUncertain, match="cannot be told"):
            await tools.find_done(send)
        with pytest.raises(ToolUncertain, match="cannot be told"):
            await tools.run(send)

        assert len(relay.taken) <= 1
        assert len(server.mails("Drafts")) == 1
        await tools.aclose()


async def test_killed_before_the_server_takes_a_mail_it_is_sent_once_afterwards() -> None:
    with dovecot.running() as server, smtp.running(password=PASSWORD) as relay:
        sender: list[subprocess.Popen[bytes]] = []
        relay.on_recipient = lambda: os.kill(sender[0].pid, signal.SIGKILL)
        sender.append(_sender(server, relay.port))
        assert sender[0].wait(30) == -signal.SIGKILL
        relay.on_recipient = None
        tools = await _tools(server.imap, relay.port)
        send = grant("mail_send", to=["bob@example.net"], subject="once", body="x")

        assert await tools.find_done(send) is None
        await tools.run(send)

        assert len(relay.taken) == 1
        assert await tools.find_done(send) is not None
        await tools.aclose()


def _sender(server: Dovecot, port: int) -> subprocess.Popen[bytes]:
    """Another process that sends the mail."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.system.test_agent_mail_tools", str(server.imap), str(port)], cwd=ROOT
    )


async def _send(imap: int, port: int) -> None:
    tools = await _tools(imap, port)
    await tools.run(grant("mail_send", to=["bob@example.net"], subject="once", body="x"))


if __name__ == "__main__":
    anyio.run(_send, int(sys.argv[1]), int(sys.argv[2]))
