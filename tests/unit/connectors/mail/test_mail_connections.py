"""Connections to the mail server: made when needed, made anew when lost, and told of when they cannot be."""

from __future__ import annotations

import ssl
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from tests.servers import dovecot, smtp
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.unit.connectors.mail.scene import Post, grant, secret

from isthmus.agent.tool import Item, Toolset
from isthmus.connectors.kinds import kinds
from isthmus.connectors.mail import watch
from isthmus.connectors.mail.account import KIND, Account, connect
from isthmus.connectors.mail.mailbox import Mailbox, Server, Wanted
from isthmus.connectors.mail.specs import specs
from isthmus.connectors.mail.submission import submit
from isthmus.connectors.mail.toolset import MailToolset
from isthmus.domain.errors import ConfigError, ToolError
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio


@pytest.fixture
def own() -> Iterator[Dovecot]:
    """A server that may be stopped."""
    with dovecot.running() as running:
        yield running


def _account(server: Dovecot, **settings: Any) -> Account:
    fields: dict[str, Any] = {
        "address": "me@example.org",
        "user": "me",
        "password": SecretRef("env", "X"),
        "imap_host": "127.0.0.1",
        "imap_port": server.imap,
        "imap_tls": "none",
    }
    return Account(**(fields | settings))


async def _tools(account: Account) -> MailToolset:
    tools: Toolset = await connect("work", account, labels=frozenset(), secret=secret)
    assert isinstance(tools, MailToolset)
    return tools


async def test_the_account_is_found_among_the_kinds() -> None:
    assert kinds()[KIND].account is Account


async def test_an_account_of_which_all_is_well_passes_its_check(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    await post.tools.check()


async def test_the_server_may_be_gone_and_back(own: Dovecot) -> None:
    own.deliver("From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
    tools = await _tools(_account(own))
    assert len((await tools.run(grant("mail_search"))).items) == 1

    own.stop()
    with pytest.raises(ToolError, match="cannot be reached"):
        await tools.run(grant("mail_search"))
    own.start()

    (item,) = (await tools.run(grant("mail_search"))).items
    own.stop()
    own.start()
    await tools.run(grant("mail_flag", mails=[item.id], flag="read"))
    assert r"\Seen" in own.flags("INBOX")[0]
    await tools.aclose()


async def test_a_wrong_password_is_told_without_the_password(server: Dovecot) -> None:
    async def wrong(_: SecretRef) -> str:
        return "hunter2"

    tools = await connect("work", _account(server, user="me1"), labels=frozenset(), secret=wrong)

    with pytest.raises(ToolError, match="does not take user and password of account work") as caught:
        await tools.run(grant("mail_search"))
    assert "hunter2" not in repr(caught.value)


async def test_a_secret_that_is_not_there_is_told(server: Dovecot) -> None:
    async def missing(_: SecretRef) -> str:
        raise ConfigError("not set")

    tools = await connect("work", _account(server), labels=frozenset(), secret=missing)

    with pytest.raises(ToolError, match="password of account work cannot be read"):
        await tools.run(grant("mail_search"))


async def test_a_server_that_hangs_is_waited_for_no_longer_than_said() -> None:
    async def hang(stream: ByteStream) -> None:
        async with stream:
            await anyio.sleep(30)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(SocketAttribute.local_port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hang)
        account = Account(
            address="me@example.org",
            password=SecretRef("env", "X"),
            imap_host="127.0.0.1",
            imap_port=port,
            imap_tls="none",
        )
        tools = MailToolset(
            "work", account, labels=frozenset(), secret=secret, context=ssl.create_default_context(), seconds=0.2
        )
        with pytest.raises(ToolError, match="does not answer"):
            await tools.run(grant("mail_search"))
        tasks.cancel_scope.cancel()
    await listener.aclose()


async def test_who_stops_waiting_waits_no_longer(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    begun = time.monotonic()

    with anyio.move_on_after(0.2):
        await post.tools.watch(_nothing)

    assert time.monotonic() - begun < 2
    post.receive("Subject: x")
    assert len(await post.found()) == 1


async def _never() -> None:
    raise AssertionError("nothing may be sent")


async def _nothing(_: Item) -> None:
    raise AssertionError("nothing came")


async def test_by_tls_only_servers_with_a_known_certificate_are_spoken_to(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain, key, ca = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    with dovecot.running(certificate=(chain, key)) as server, smtp.running(password=PASSWORD, context=context) as relay:
        for port, tls in ((server.imaps, "tls"), (server.imap, "starttls")):
            settings = {
                "imap_port": port,
                "imap_tls": tls,
                "smtp_host": "localhost",
                "smtp_port": relay.port,
                "smtp_tls": "tls",
            }
            tools = await _tools(_account(server, ca=str(ca), **settings))
            await tools.run(grant("mail_send", to=["bob@example.net"], subject="s", body="b"))
            await tools.aclose()
            unknowing = await _tools(_account(server, **settings))
            with pytest.raises(ToolError, match="certificate"):
                await unknowing.run(grant("mail_search"))
        where = Server(host="localhost", port=relay.port, tls="tls", context=ssl.create_default_context())
        with pytest.raises(ToolError, match="certificate"):
            await submit(where, None, b"", sender="a@x.org", recipients=["b@x.org"], before=_never)
        assert len(relay.taken) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "nobody"}, "is no mail address"),
        ({"imap_host": "mail.example.org", "imap_tls": "none"}, "need tls"),
        ({"smtp_host": "mail.example.org", "smtp_tls": "none"}, "need tls"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_an_account_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    fields = {"address": "me@example.org", "password": SecretRef("env", "X"), "imap_host": "mail.example.org"}

    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(fields | wrong, Account)


class Watched:
    """What a watch has told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ids: list[str] = []

    async def on_new(self, item: Item) -> None:
        self.told.append(str(item.fields["subject"].value))
        self.ids.append(item.id)

    async def has(self, *subjects: str) -> None:
        with anyio.fail_after(15):
            while self.told[-len(subjects) :] != list(subjects):
                await anyio.sleep(0.01)


async def _told_before(server: Dovecot, tools: Toolset, user: str = "me") -> str:
    """A mail that came before, and its name: what comes after it is new, however long a watch takes to begin."""
    server.deliver("From: a@example.com\r\nSubject: before\r\n\r\nx\r\n", to=f"{user}@example.org")
    (item,) = (await tools.run(grant("mail_search", limit=1))).items
    return item.id


async def test_the_page_of_the_tools_names_every_setting_and_tool() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "tools" / "mail.md").read_text()
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])["accounts"]["me"]
    assert example.pop("kind") == KIND
    assert example.pop("labels") == ["private"]
    scheme, _, name = example.pop("password").partition(":")

    assert msgspec.convert(example | {"password": SecretRef(scheme, name)}, Account).own == {"me@example.org"}
    for field in (
        *Account.__struct_fields__,
        *(spec.name for spec in specs(can_send=True, can_attach_files=True, can_save=True)),
    ):
        assert f"`{field}" in page, field


async def test_new_mail_is_told_as_it_comes_once_and_in_order(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    after = await _told_before(post.server, post.tools, post.user)
    watched = Watched()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(post.tools.watch, watched.on_new, after=after))
        for number in range(3):
            post.receive(f"Subject: new {number}")
            await watched.has(*(f"new {one}" for one in range(number + 1)))
        tasks.cancel_scope.cancel()

    assert watched.told == ["new 0", "new 1", "new 2"]
    assert watched.ids == [item.id for item in await post.found()][2::-1]


async def test_what_was_there_before_a_first_watch_is_not_told(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    post.receive("Subject: old")
    watched = Watched()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post.tools.watch, watched.on_new)
        with anyio.fail_after(15):
            while not watched.told:  # until the watch has begun
                post.receive("Subject: new")
                await anyio.sleep(0.7)
        tasks.cancel_scope.cancel()

    assert set(watched.told) == {"new"}


async def test_what_came_while_nobody_watched_is_told_then(post: Post) -> None:
    assert isinstance(post.tools, MailToolset)
    after = await _told_before(post.server, post.tools, post.user)
    post.receive("Subject: one")
    post.receive("Subject: two")
    watched = Watched()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(post.tools.watch, watched.on_new, after=after))
        await watched.has("one", "two")
        tasks.cancel_scope.cancel()


async def test_a_watch_outlives_the_server(own: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FIRST_PAUSE", 0.05)
    tools = await _tools(_account(own))
    after = await _told_before(own, tools)
    watched = Watched()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(tools.watch, watched.on_new, after=after))
        own.deliver("From: a@example.com\r\nSubject: first\r\n\r\nx\r\n")
        await watched.has("first")
        own.stop()
        await anyio.sleep(0.1)
        own.start()
        own.deliver("From: a@example.com\r\nSubject: back\r\n\r\nx\r\n")
        await watched.has("first", "back")
        tasks.cancel_scope.cancel()

    await tools.aclose()


async def test_where_the_server_cannot_push_it_is_asked_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    with dovecot.running(without=("IDLE",)) as server:
        tools = await _tools(_account(server))
        after = await _told_before(server, tools)
        watched = Watched()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(tools.watch, watched.on_new, after=after))
            await anyio.sleep(0.1)
            server.deliver("From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
            await watched.has("x")
            tasks.cancel_scope.cancel()
        await tools.aclose()


async def test_mail_that_comes_while_the_folder_is_searched_is_heard_of(server: Dovecot) -> None:
    box = Mailbox(Server(host="127.0.0.1", port=server.imap, tls="none"), "me199", PASSWORD)
    box.search("INBOX", Wanted())
    assert not box.heard()

    server.deliver("From: a@example.com\r\nSubject: x\r\n\r\nx\r\n", to="me199@example.org")
    box.check()  # any command: the server speaks of new mail in its answer, and then no more

    assert box.heard()
    box.close()
