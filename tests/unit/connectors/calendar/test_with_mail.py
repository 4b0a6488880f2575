"""An invitation from one person's agent to another's and back: two calendars and a mail server, all of them real."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.servers import dovecot, smtp
from tests.unit.connectors.calendar.conftest import LABELS, PASSWORD, Desk, secret, value

from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item, Toolset
from isthmus.connectors.mail.account import Account, connect
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio

_SECRET = SecretRef("env", "PASSWORD")


async def ask(tools: Toolset, tool: str, **given: Any) -> tuple[Item, ...]:
    arguments = {name: Argument(value=value, mark=USERS_WORDS) for name, value in given.items()}
    grant = Grant(call=f"{tool}-1", tool=tool, digest=digest(tool, given), mark=USERS_WORDS, arguments=arguments)
    return (await tools.run(grant)).items


async def test_who_is_invited_by_mail_answers_and_the_organiser_gets_the_answer(open_desk: Callable[..., Desk]) -> None:
    assert PASSWORD == dovecot.PASSWORD
    with (
        dovecot.running(users=("anna", "bob")) as post,
        smtp.running(deliver=smtp.by_lmtp(post.lmtp), password=PASSWORD) as relay,
    ):

        def desk(name: str) -> Desk:
            told = {"host": "127.0.0.1", "port": relay.port, "tls": "none", "user": name, "password": _SECRET}
            return open_desk(address=f"{name}@example.org", invitations="mail", smtp=told)

        async def mailbox(name: str) -> Toolset:
            told = {
                "address": f"{name}@example.org", "user": name, "password": _SECRET,
                "imap_host": "127.0.0.1", "imap_port": post.imap, "imap_tls": "none",
            }  # fmt: skip
            return await connect("mail", msgspec.convert(told, Account), labels=LABELS, secret=secret)

        anna, bob = desk("anna"), desk("bob")
        await anna.run(
            "cal_invite", attendees=["bob@example.org"], title="Lunch", start="2026-11-24T12:00", place="Café"
        )
        mails = await mailbox("bob")
        try:
            (mail,) = await ask(mails, "mail_search")
            (attachment,) = mail.items
            (read,) = await ask(mails, "mail_attachment", attachment=attachment.id)
            invitation = read.fields["text"]
            grant = bob.grant(
                "cal_answer", marks={"invitation": invitation.mark}, answer="accept", invitation=invitation.value
            )
            await bob.tools.run(grant)
        finally:
            await mails.aclose()
        entered = await bob.one("cal_list", start="2026-11-24", end="2026-11-24")
        assert (value(entered, "title"), value(entered, "place"), value(entered, "answer")) == (
            "Lunch",
            "Café",
            "accepted",
        )
        mails = await mailbox("anna")
        try:
            (answer,) = await ask(mails, "mail_search")
            assert value(answer, "subject") == "Answer: Lunch"
            (read,) = await ask(mails, "mail_attachment", attachment=answer.items[0].id)
            assert "ATTENDEE;PARTSTAT=ACCEPTED" in str(value(read, "text"))
        finally:
            await mails.aclose()
