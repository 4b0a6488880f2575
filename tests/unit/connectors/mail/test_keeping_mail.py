"""Moving, flagging, trashing and drafting on a real server: what only the user sees, and can undo."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path

import pytest
from tests.servers import dovecot
from tests.unit.connectors.mail.scene import MakePost, Post, grant, secret

from isthmus.agent.marks import Mark, Origin, Readers
from isthmus.connectors.mail.account import Account, Folders, connect
from isthmus.domain.errors import ToolError
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio


def _parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=default)


async def test_flags_are_set_and_taken_away_again(post: Post) -> None:
    post.receive("Subject: x")
    item = await post.one()

    assert (await post.run("mail_flag", mails=[item.id], flag="flagged")).note == "1 marked."
    assert (await post.one()).fields["flagged"].value is True
    await post.run("mail_flag", mails=[item.id], flag="flagged", on=False)

    assert "flagged" not in (await post.one()).fields


async def test_flagging_removes_no_mail_that_another_programme_marked_as_deleted(post: Post) -> None:
    post.receive("Subject: one")
    post.receive("Subject: two")
    (two, one) = await post.found()
    with post.server.client(post.user) as client:
        client.select("INBOX")
        client.uid("STORE", one.id.split("/")[1].split(".")[0], "+FLAGS", r"(\Deleted)")

    await post.run("mail_flag", mails=[two.id], flag="read")
    await post.run("mail_trash", mails=[two.id])

    assert len(post.mails("INBOX")) == 1


async def test_mails_are_moved_and_moved_back(post: Post) -> None:
    for number in range(3):
        post.receive(f"Subject: {number}")
    items = await post.found()

    result = await post.run("mail_move", mails=[item.id for item in items[:2]], folder="archive")

    assert result.note == "2 moved."
    assert result.made == (), "of mail that others wrote no mark is kept"
    moved = await post.found(folder="Archive")
    assert sorted(str(item.fields["subject"].value) for item in moved) == ["1", "2"]
    await post.run("mail_move", mails=[item.id for item in moved], folder="INBOX")
    assert len(post.mails("INBOX")) == 3


async def test_nothing_is_moved_to_where_others_see_it(post: Post) -> None:
    post.receive("Subject: x")
    item = await post.one()
    with post.server.client(post.user) as client:
        assert any(b"Public/Team" in line for line in client.list()[1] if isinstance(line, bytes))

    assert not any(one.id.startswith("Public") for one in (await post.run("mail_folders")).items)
    with pytest.raises(ToolError, match="no such folder"):
        await post.run("mail_move", mails=[item.id], folder="Public/Team")


async def test_trash_keeps_the_mail(post: Post) -> None:
    post.receive("Subject: x")
    item = await post.one()

    await post.run("mail_trash", mails=[item.id])

    assert post.mails("INBOX") == []
    assert len(post.mails("Trash")) == 1


async def test_some_of_the_mails_being_gone_stops_nothing(post: Post) -> None:
    post.receive("Subject: one")
    post.receive("Subject: two")
    (two, one) = await post.found()
    await post.run("mail_trash", mails=[one.id])

    result = await post.run("mail_trash", mails=[one.id, two.id])

    assert result.note == "1 moved to the trash; 1 were no longer there."
    with pytest.raises(ToolError, match="no longer there"):
        await post.run("mail_move", mails=[one.id, two.id], folder="Archive")


async def test_what_was_done_before_an_error_is_told(post: Post) -> None:
    post.receive("Subject: one")
    item = await post.one()

    result = await post.run("mail_trash", mails=[item.id, "Nowhere/1.1"])

    assert result.failed
    assert result.note.startswith("1 moved to the trash. The others were not: That cannot be done: there is no such")
    with pytest.raises(ToolError, match="no such folder"):
        await post.run("mail_flag", mails=["Nowhere/1.1"], flag="read")
    with pytest.raises(ToolError, match="already"):
        await post.run("mail_move", mails=[(await post.one(folder="Trash")).id], folder="Trash")


async def test_whether_mails_were_moved_before_a_crash_is_told(post: Post) -> None:
    post.receive("Subject: x")
    item = await post.one()
    move = grant("mail_move", mails=[item.id], folder="Archive")

    assert await post.tools.find_done(move) is None
    await post.tools.run(move)
    done = await post.tools.find_done(move)

    assert done is not None
    assert "moved" in done.note


async def test_without_move_mails_are_copied_and_only_they_are_taken_away() -> None:
    with dovecot.running(without=("MOVE", "SPECIAL-USE", "LIST-EXTENDED"), special=False) as server:
        account = Account(
            address="me@example.org",
            user="me",
            password=SecretRef("env", "X"),
            imap_host="127.0.0.1",
            imap_port=server.imap,
            imap_tls="none",
        )
        tools = await connect("work", account, labels=frozenset(), secret=secret)
        server.deliver("From: a@example.com\r\nSubject: one\r\n\r\nx\r\n")
        server.deliver("From: a@example.com\r\nSubject: two\r\n\r\nx\r\n")
        with server.client() as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Deleted)")
        (two,) = (await tools.run(grant("mail_search"))).items

        await tools.run(grant("mail_trash", mails=[two.id]))

        assert len(server.mails("INBOX")) == 1
        assert len(server.mails("Trash")) == 1
        await tools.aclose()


async def test_a_draft_lies_among_the_drafts_and_is_not_sent(post: Post) -> None:
    mark = Mark(readers=Readers(frozenset()), origins=frozenset({Origin("web:example.com")}))
    draft = grant(
        "mail_draft", mark, to=["Bob@Example.net"], cc=["carol@example.net"], subject="Grüße", body="Zeile 1\nZeile ü"
    )

    result = await post.tools.run(draft)

    (data,) = post.mails("Drafts")
    message = _parsed(data)
    assert message["to"] == "bob@example.net"
    assert message["cc"] == "carol@example.net"
    assert message["from"] == post.address
    assert message["subject"] == "Grüße"
    assert message.get_content().replace("\r\n", "\n") == "Zeile 1\nZeile ü\n"
    assert post.relay.taken == []
    (item,) = result.items
    assert result.made[0].id == item.id == (await post.one(folder="drafts")).id
    assert item.fields["subject"].mark.origins == mark.origins
    assert item.fields["subject"].mark.labels == {"private"}


async def test_the_same_draft_is_made_once(post: Post) -> None:
    draft = grant("mail_draft", to=["bob@example.net"], subject="once", body="x")
    assert await post.tools.find_done(draft) is None

    first = await post.tools.run(draft)
    again = await (await post.again()).run(draft)

    assert len(post.mails("Drafts")) == 1
    assert again.made == first.made
    done = await post.tools.find_done(draft)
    assert done is not None
    assert done.made == first.made


async def test_a_draft_stays_known_when_it_is_moved(post: Post) -> None:
    made = (await post.run("mail_draft", to=["bob@example.net"], subject="s", body="x")).made[0]

    moved = (await post.run("mail_trash", mails=[made.id])).made[0]

    assert moved.id != made.id
    assert moved.id.startswith("Trash/")
    assert moved.content_sha256 == made.content_sha256


async def test_an_answer_goes_to_who_is_answered_and_stays_in_the_thread(post: Post) -> None:
    post.receive(
        "Message-ID: <2@example.com>",
        "References: <0@example.com> <1@example.com>",
        "Subject: Plan",
        "Reply-To: team@example.com",
    )
    item = await post.one()

    await post.run("mail_draft", reply=item.id, body="Yes.")

    message = _parsed(post.mails("Drafts")[0])
    assert message["to"] == "team@example.com"
    assert message["subject"] == "Re: Plan"
    assert message["in-reply-to"] == "<2@example.com>"
    assert message["references"] == "<0@example.com> <1@example.com> <2@example.com>"


async def test_long_threads_keep_ids_whole(post: Post) -> None:
    ids = [f"<{number}.{'x' * 90}@example.com>" for number in range(30)]
    post.receive(f"Message-ID: {ids[-1]}", "References: " + "\r\n ".join(ids[:-1]), "Subject: Re: long")
    item = await post.one()

    await post.run("mail_draft", reply=item.id, body="Yes.")

    (data,) = post.mails("Drafts")
    references = _parsed(data)["references"].split()
    assert references == [ids[0], *ids[-19:]]
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert _parsed(data)["subject"] == "Re: long"


async def test_files_and_attachments_go_along(post: Post, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("my notes")
    original = EmailMessage(policy=SMTP)
    original["From"], original["To"] = "alice@example.com", post.address
    original.set_content("x")
    original.add_attachment(b"\x00\x01bytes", maintype="image", subtype="png", filename="Bild ü.png")
    post.server.deliver(original.as_bytes(), to=post.address)
    item = await post.one()

    await post.run(
        "mail_draft",
        to=["bob@example.net"],
        subject="s",
        body="b",
        attach=[item.items[0].id],
        files=[str(folder / "notes.txt")],
    )

    message = _parsed(post.mails("Drafts")[0])
    found = [(part.get_filename(), part.get_content()) for part in message.iter_attachments()]
    assert found == [("Bild ü.png", b"\x00\x01bytes"), ("notes.txt", "my notes")]


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", ".ssh/key", "link.txt", "nothing.txt", "a\0b", "."])
async def test_only_files_in_the_named_folders_are_attached(post: Post, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    (folder / ".ssh").mkdir(parents=True)
    (folder / ".ssh" / "key").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")

    with pytest.raises(ToolError, match="may not be attached"):
        await post.run("mail_draft", to=["b@example.net"], subject="s", body="b", files=[str(folder / name)])


@pytest.mark.parametrize(
    "address", ["", "bob", "bob@", "b ob@example.net", "a@b.c\r\nBcc: x@y.z", "bob@exa mple.net", "ü@x.de"]
)
async def test_what_is_no_address_is_refused(post: Post, address: str) -> None:
    with pytest.raises(ToolError, match="no mail address"):
        await post.run("mail_draft", to=[address], subject="s", body="b")
    with pytest.raises(ToolError, match="no mail address"):
        post.tools.parties("mail_send", "to", address)


async def test_a_subject_with_line_ends_makes_no_further_header(post: Post) -> None:
    await post.run("mail_draft", to=["b@example.net"], subject="hi\r\nBcc: x@attacker.example", body="b")

    message = _parsed(post.mails("Drafts")[0])
    assert message["bcc"] is None


async def test_the_user_can_say_which_folder_is_for_what(make_post: MakePost) -> None:
    post = await make_post(folders=Folders(drafts="Archive"))

    await post.run("mail_draft", to=["b@example.net"], subject="s", body="b")

    assert len(post.mails("Archive")) == 1
    assert post.mails("Drafts") == []
