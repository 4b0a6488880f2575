"""Sending mail, with a server that can break at every step: never twice, and what cannot be told is said."""

from __future__ import annotations

import asyncio
import time
from email import message_from_bytes
from email.policy import default
from typing import Any

import anyio
import pytest
from tests.servers.smtp import Step
from tests.unit.connectors.mail.scene import MakePost, Post, grant

from isthmus.agent.tool import Grant
from isthmus.connectors.mail.toolset import MailToolset
from isthmus.domain.errors import ToolError, ToolUncertain

pytestmark = pytest.mark.anyio

BEFORE: tuple[Step, ...] = ("connect", "ehlo", "auth", "mail", "rcpt")
"""Steps at which it is sure that nothing was sent."""
ABOUT: tuple[Step, ...] = ("data", "taking", "taken")
"""Steps at which only the server knows."""


def _send(post: Post, **more: Any) -> Grant:
    given: dict[str, Any] = {"to": ["bob@example.net"], "subject": "Hi", "body": "Hello Bob."}
    return grant("mail_send", **(given | more))


async def test_a_mail_goes_to_all_recipients_and_hidden_ones_stay_hidden(post: Post) -> None:
    result = await post.tools.run(_send(post, cc=["carol@example.net"], bcc=["dave@example.net"]))

    ((data, sender, recipients),) = post.relay.taken
    assert sender == post.address
    assert recipients == ["bob@example.net", "carol@example.net", "dave@example.net"]
    assert b"dave" not in data
    (kept,) = post.mails("Sent")
    assert message_from_bytes(kept, policy=default)["bcc"] == "dave@example.net"
    assert post.mails("Drafts") == []
    (item,) = result.items
    assert item.id == result.made[0].id == (await post.one(folder="Sent")).id
    assert r"\Draft" not in post.server.flags("Sent", user=post.user)[0]


async def test_a_mail_to_the_user_arrives_and_is_known_as_what_was_made(post: Post) -> None:
    result = await post.tools.run(_send(post, to=[post.address]))

    with anyio.fail_after(5):
        while not post.mails("INBOX"):
            await anyio.sleep(0.02)
    item = await post.one()
    assert not item.fields["snippet"].mark.trusted
    assert item.content_sha256 == result.made[0].content_sha256
    moved = await post.run("mail_move", mails=[item.id], folder="Archive")
    assert moved.made[0].content_sha256 == result.made[0].content_sha256
    assert post.tools.parties("mail_send", "to", post.address.upper()) == ("user",)
    assert post.tools.parties("mail_send", "to", "Bob@Example.NET") == ("mailto:bob@example.net",)


async def test_what_a_mail_will_be_known_by_is_known_before_it_is_there(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    for tool in ("mail_draft", "mail_send"):
        call = grant(tool, to=["bob@example.net"], subject="s", body="b")
        (before,) = post.tools.will_make(call)
        (made,) = (await post.tools.run(call)).made
        assert made.content_sha256 == before.content_sha256
    assert post.tools.will_make(grant("mail_search")) == ()


async def test_a_draft_is_sent_as_it_is_to_those_that_the_call_names(post: Post) -> None:
    post.append(
        "Drafts",
        f"From: Me <{post.address}>\nTo: somebody@example.net\nBcc: hidden@attacker.example\n"
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
        "In-Reply-To: <1@x>\nReferences: <0@x>\n <1@x>\nX-Secret: 1\nMIME-Version: 1.0\n"
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n<p>Grüße</p>\n",
        r"(\Draft)",
    )
    draft = await post.one(folder="Drafts")

    await post.run("mail_send", to=["bob@example.net"], draft=draft.id)

    ((data, _, recipients),) = post.relay.taken
    message = message_from_bytes(data, policy=default)
    assert recipients == ["bob@example.net"]
    assert message["to"] == "bob@example.net"
    assert message["subject"] == "Grüße"
    assert message["references"] == "<0@x> <1@x>"
    assert message.get_content_type() == "text/html"
    assert "<p>Grüße</p>" in message.get_content()
    assert b"hidden" not in data
    assert b"X-Secret" not in data
    assert b"somebody" not in data
    assert post.mails("Drafts") == []
    assert len(post.mails("Sent")) == 1
    assert len(post.mails("Trash")) == 1, "the draft itself"


async def test_only_a_draft_is_sent_as_a_draft(post: Post) -> None:
    post.receive("Subject: secret")
    item = await post.one()

    with pytest.raises(ToolError, match="no draft"):
        await post.run("mail_send", to=["bob@example.net"], draft=item.id)
    with pytest.raises(ToolError, match="nothing to send"):
        await post.run("mail_send", to=["bob@example.net"])


async def test_an_answer_is_in_the_thread_only_among_those_who_had_the_mail(post: Post) -> None:
    post.receive("Message-ID: <1@example.com>", "Subject: Secret plan", "Cc: bob@example.net")
    item = await post.one()

    await post.run("mail_send", to=["alice@example.com", "bob@example.net"], reply=item.id, body="Yes.")
    await post.run("mail_send", to=["alice@example.com", "mallory@attacker.example"], reply=item.id, body="Yes.")

    among, beyond = (message_from_bytes(data, policy=default) for data, _, _ in post.relay.taken)
    assert (among["subject"], among["in-reply-to"]) == ("Re: Secret plan", "<1@example.com>")
    assert (beyond["subject"] or "", beyond["in-reply-to"]) == ("", None)
    assert (await post.one()).fields["answered"].value is True


@pytest.mark.parametrize("step", BEFORE)
async def test_broken_before_the_mail_is_handed_over_nothing_was_sent_and_it_may_be_tried_again(
    post: Post, step: Step
) -> None:
    send = _send(post)
    post.relay.break_at = step

    with pytest.raises(ToolError, match="Nothing was sent") as caught:
        await post.tools.run(send)

    assert not isinstance(caught.value, ToolUncertain)
    assert post.relay.taken == []
    assert post.mails("Drafts") == []
    post.relay.break_at = None
    again = await post.again()
    assert await again.find_done(send) is None
    await again.run(send)
    assert len(post.relay.taken) == 1


@pytest.mark.parametrize("step", ABOUT)
async def test_broken_while_the_mail_is_handed_over_it_cannot_be_told_and_is_not_sent_again(
    post: Post, step: Step
) -> None:
    send = _send(post)
    post.relay.break_at = step

    with pytest.raises(ToolUncertain, match="cannot be told"):
        await post.tools.run(send)

    sent = len(post.relay.taken)
    assert sent == (1 if step == "taken" else 0)
    assert len(post.mails("Drafts")) == 1
    post.relay.break_at = None
    again = await post.again()
    with pytest.raises(ToolUncertain, match="cannot be told"):
        await again.find_done(send)
    with pytest.raises(ToolUncertain, match="cannot be told"):
        await again.run(send)
    assert len(post.relay.taken) == sent


async def test_a_draft_whose_fate_turns_out_is_put_away(post: Post) -> None:
    draft = (await post.run("mail_draft", to=["bob@example.net"], subject="s", body="b")).made[0].id
    send = grant("mail_send", to=["bob@example.net", post.address], draft=draft)
    post.relay.break_at = "taken"
    with pytest.raises(ToolUncertain):
        await post.tools.run(send)
    assert len(post.mails("Drafts")) == 2

    assert await post.tools.find_done(send) is not None

    assert post.mails("Drafts") == []
    assert (len(post.mails("Sent")), len(post.mails("Trash"))) == (1, 1)


async def test_broken_after_it_was_taken_a_mail_that_reached_the_user_too_is_known_to_be_sent(post: Post) -> None:
    send = _send(post, to=["bob@example.net", post.address])
    post.relay.break_at = "taken"
    with pytest.raises(ToolUncertain):
        await post.tools.run(send)

    again = await post.again()
    done = await again.find_done(send)

    assert done is not None
    assert len(post.mails("Sent")) == 1
    assert post.mails("Drafts") == []
    assert (await again.run(send)).note == "The mail was sent."
    assert len(post.relay.taken) == 1


async def test_cancelled_while_the_server_takes_the_mail_it_is_not_sent_again(post: Post) -> None:
    send = _send(post)
    loop = asyncio.get_running_loop()
    with anyio.CancelScope() as scope:

        def cancel() -> None:
            loop.call_soon_threadsafe(scope.cancel)
            time.sleep(0.2)  # the server takes its time, in a thread of its own

        post.relay.on_data = cancel
        await post.tools.run(send)

    assert scope.cancelled_caught
    with pytest.raises(ToolUncertain):
        await (await post.again()).run(send)
    assert len(post.relay.taken) <= 1


async def test_what_is_done_twice_at_once_is_done_once(post: Post) -> None:
    send = _send(post)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post.tools.run, send)
        tasks.start_soon(post.tools.run, send)

    assert len(post.relay.taken) == 1
    assert len(post.mails("Sent")) == 1


async def test_the_same_words_under_another_grant_are_another_mail(post: Post) -> None:
    await post.tools.run(_send(post))
    await post.tools.run(_send(post))

    assert len(post.relay.taken) == 2
    assert len(post.mails("Sent")) == 2


async def test_one_recipient_that_is_refused_stops_it_for_all(post: Post) -> None:
    post.relay.refuse = frozenset({"carol@example.net"})

    with pytest.raises(ToolError, match=r"for carol@example\.net .*to nobody"):
        await post.tools.run(_send(post, cc=["carol@example.net"]))

    assert post.relay.taken == []
    assert post.mails("Drafts") == []


async def test_a_mail_that_the_server_does_not_want_leaves_nothing_behind(post: Post) -> None:
    post.relay.refuse_data = "554 spam <secret words of the server>"
    send = _send(post)

    with pytest.raises(ToolError, match="code 554") as caught:
        await post.tools.run(send)

    assert "secret words" not in str(caught.value)
    assert post.mails("Drafts") == []
    assert await post.tools.find_done(send) is None


async def test_sent_but_not_filed_is_told_as_sent(post: Post) -> None:
    post.relay.on_data = post.server.stop
    try:
        send = _send(post)
        result = await post.tools.run(send)
    finally:
        post.server.start()

    assert result.note.startswith("The mail is sent. It could not be put among the sent mails")
    assert len(post.relay.taken) == 1
    post.relay.on_data = None
    with pytest.raises(ToolUncertain):
        await post.tools.run(send)
    assert len(post.relay.taken) == 1


async def test_a_server_that_files_what_it_sends_gets_no_second_copy(make_post: MakePost) -> None:
    post = await make_post(files_sent=True)

    result = await post.tools.run(_send(post))

    assert result.made[0].content_sha256 is not None
    assert post.mails("Drafts") == post.mails("Sent") == post.mails("Trash") == []


async def test_the_wrong_password_of_the_smtp_server_is_told(post: Post) -> None:
    post.relay.password = "another"

    with pytest.raises(ToolError, match="does not take user and password"):
        await post.tools.run(_send(post))


async def test_too_much_is_refused_before_anything_happens(post: Post) -> None:
    with pytest.raises(ToolError, match="recipients"):
        await post.tools.run(_send(post, to=[f"a{number}@example.net" for number in range(101)]))
    with pytest.raises(ToolError, match="longer than"):
        await post.tools.run(_send(post, body="x" * 500_001))

    assert post.relay.taken == []
