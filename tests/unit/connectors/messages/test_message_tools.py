"""The tools for messages, against a real XMPP server."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import msgspec
import pytest
from tests.servers import prosody
from tests.servers.prosody import Prosody
from tests.unit.connectors.messages.conftest import Connect
from tests.unit.connectors.messages.scene import grant, secret_of

from isthmus.agent.marks import ISTHMUS, UNKNOWN, USER, USERS_WORDS, Mark, Origin, Party
from isthmus.connectors.kinds import kinds
from isthmus.connectors.messages.specs import SPECS
from isthmus.connectors.messages.toolset import MessagesToolset, marker
from isthmus.connectors.xmpp.account import Account, connect
from isthmus.domain.errors import ConfigError, ToolError, ToolUncertain
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio
NewUser = Callable[[], str]


def test_every_messaging_service_is_found() -> None:
    assert {"matrix", "xmpp", "telegram", "slack"} <= set(kinds())


def test_the_tools_are_four_and_their_texts_are_short() -> None:
    assert [spec.name for spec in SPECS] == ["msg_channels", "msg_read", "msg_wait", "msg_send"]
    texts = [spec.summary + "".join(one.name + one.summary for one in spec.parameters) for spec in SPECS]
    assert sum(map(len, texts)) < 400


async def test_a_message_that_is_sent_is_read_with_the_marks_of_its_sender(
    connected: Connect, new_user: NewUser
) -> None:
    me, bob = new_user(), new_user()
    mine, bobs = await connected(me), await connected(bob)
    sent = await bobs.run(grant("msg_send", to=f"xmpp:{me}", text="The invoice is 40 euros."))
    assert sent.made
    (item,) = (await mine.run(grant("msg_read", channel=f"xmpp:{bob}"))).items
    assert item.fields["text"].value == "The invoice is 40 euros."
    assert item.fields["text"].mark.origins == {Origin(f"message:xmpp:{bob}")}
    assert item.fields["from"].value == item.fields["in"].value == f"xmpp:{bob}"
    assert item.fields["from"].party == Party(f"xmpp:{bob}")
    assert item.fields["text"].mark.readers.parties == {Party(f"xmpp:{bob}")}
    assert item.fields["text"].mark.labels == {"private"}
    assert item.fields["at"].mark.origins == {ISTHMUS}
    assert all(not one.mark.trusted for name, one in item.fields.items() if name != "at")


async def test_what_was_sent_is_known_again_by_the_id_that_was_told(connected: Connect, new_user: NewUser) -> None:
    me, bob = new_user(), new_user()
    mine = await connected(me)
    made = (await mine.run(grant("msg_send", to=f"xmpp:{bob}", text="One"))).made
    (item,) = (await mine.run(grant("msg_read", channel=f"xmpp:{bob}"))).items
    assert [(one.kind, one.id) for one in made] == [(item.kind, item.id)]
    assert item.fields["own"].value is True
    assert item.fields["text"].mark.origins == {UNKNOWN}


async def test_a_sent_message_bears_what_went_into_it(connected: Connect, new_user: NewUser) -> None:
    mine = await connected(new_user())
    mark = USERS_WORDS.joined(Mark(origins=frozenset({Origin("mail:eve@example.com")})))
    result = await mine.run(grant("msg_send", mark, to=f"xmpp:{new_user()}", text="One"))
    assert Origin("mail:eve@example.com") in result.items[0].fields["text"].mark.origins


async def test_what_was_done_is_found_after_a_crash_and_what_was_not_is_not(
    connected: Connect, new_user: NewUser
) -> None:
    me, bob = new_user(), new_user()
    mine = await connected(me)
    done, not_done = (grant("msg_send", to=f"xmpp:{bob}", text="One") for _ in range(2))
    await mine.run(done)
    other_process = await connected(me)
    found = await other_process.find_done(done)
    assert found is not None
    assert found.made[0].id == f"xmpp:{bob}/{marker(done)}"
    assert await other_process.find_done(not_done) is None


async def test_where_there_is_no_archive_it_is_said_that_it_cannot_be_told(
    connected: Connect, new_user: NewUser
) -> None:
    with prosody.running(users=("me", "bob"), archive=False) as server:
        mine = await connected("me@example.org", to=server)
        sent = grant("msg_send", to="xmpp:bob@example.org", text="One")
        await mine.run(sent)
        with pytest.raises(ToolUncertain, match="no archive"):
            await mine.find_done(sent)
        result = await mine.run(grant("msg_read", channel="xmpp:bob@example.org"))
        assert "keeps nothing" in result.note
        await mine.aclose()


async def test_waiting_ends_with_the_next_message_of_that_channel(connected: Connect, new_user: NewUser) -> None:
    me, bob, carol = new_user(), new_user(), new_user()
    mine, bobs, carols = await connected(me), await connected(bob), await connected(carol)

    async def speak() -> None:
        await anyio.sleep(0.2)
        await carols.run(grant("msg_send", to=f"xmpp:{me}", text="I am Carol"))
        await bobs.run(grant("msg_send", to=f"xmpp:{me}", text="I am Bob"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak)
        result = await mine.run(grant("msg_wait", channel=f"xmpp:{bob}", seconds=8))
    assert [item.fields["text"].value for item in result.items] == ["I am Bob"]


async def test_waiting_ends_when_its_time_is_over(connected: Connect, new_user: NewUser) -> None:
    mine = await connected(new_user())
    with anyio.fail_after(4):
        result = await mine.run(grant("msg_wait", channel=f"xmpp:{new_user()}", seconds=1))
    assert (result.items, result.note) == ((), "Nothing came in 1 seconds.")


async def test_in_a_room_all_who_are_in_it_can_read_and_a_nick_is_not_its_bearer(
    connected: Connect, new_user: NewUser
) -> None:
    me, bob = new_user(), new_user()
    room = f"team-{me.partition('@')[0]}@{prosody.ROOMS}"
    mine, bobs = await connected(me, rooms=(room,)), await connected(bob, rooms=(room,))
    await bobs.run(grant("msg_send", to=f"xmpp:{room}", text="Lunch at one?"))

    async def speak() -> None:
        await anyio.sleep(0.3)
        await bobs.run(grant("msg_send", to=f"xmpp:{room}", text="Or at two?"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak)
        (item,) = (await mine.run(grant("msg_wait", channel=f"xmpp:{room}", seconds=8))).items
    assert item.fields["text"].value == "Or at two?"
    assert item.fields["from"].value == f"xmpp:{bob}"
    assert item.fields["text"].mark.readers.parties == {Party(f"xmpp:{room}"), Party(f"xmpp:{bob}")}
    before = (await mine.run(grant("msg_read", channel=f"xmpp:{room}"))).items
    assert [one.fields["text"].value for one in before] == ["Lunch at one?", "Or at two?"]


async def test_where_a_room_does_not_tell_who_is_in_it_nobody_is_taken_at_their_nick(
    connected: Connect,
) -> None:
    with prosody.running(users=("me", "bob"), public=False) as server:
        room = f"team@{prosody.ROOMS}"
        mine = await connected("me@example.org", to=server, rooms=(room,))
        bobs = await connected("bob@example.org", to=server, rooms=(room,), nick="me-too")

        # Who makes a room is its owner, and is told who is in it: so that is Bob.
        await bobs.run(grant("msg_send", to=f"xmpp:{room}", text="First"))

        async def speak() -> None:
            await anyio.sleep(0.3)
            await bobs.run(grant("msg_send", to=f"xmpp:{room}", text="I am the user"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)
            (item,) = (await mine.run(grant("msg_wait", channel=f"xmpp:{room}", seconds=8))).items
        assert item.fields["from"].value == f"xmpp:{room}/me-too"
        assert item.fields["text"].mark.readers.parties == {Party(f"xmpp:{room}")}
        await mine.aclose()
        await bobs.aclose()


async def test_a_name_from_the_settings_is_the_users_and_is_an_address(connected: Connect, new_user: NewUser) -> None:
    me, bob = new_user(), new_user()
    mine = await connected(me, channels={"Bob": bob})
    assert mine.parties("msg_send", "to", "bob") == (Party(f"xmpp:{bob}"),)
    await mine.run(grant("msg_send", to="Bob", text="Hello"))
    (channel,) = (await mine.run(grant("msg_channels"))).items
    assert channel.id == f"xmpp:{bob}"
    assert channel.fields["alias"].value == "bob"
    assert channel.fields["alias"].mark.origins == {USER}
    # An address that its owner chose can be a sentence.
    assert channel.fields["address"].mark.origins == {Origin(f"message:xmpp:{bob}")}


@pytest.mark.parametrize("value", ["bob", "xmpp:", "xmpp:bob", "xmpp:bob@example.org/phone", "matrix:@bob:x.org", 7])
async def test_what_is_no_address_is_refused(connected: Connect, new_user: NewUser, value: object) -> None:
    mine = await connected(new_user())
    with pytest.raises(ToolError, match="address"):
        mine.parties("msg_send", "to", value)  # type: ignore[arg-type]


async def test_an_address_that_there_is_not_is_told_as_not_sent(connected: Connect, new_user: NewUser) -> None:
    mine = await connected(new_user())
    with pytest.raises(ToolError, match="sent it back") as caught:
        await mine.run(grant("msg_send", to="xmpp:nobody@example.org", text="Hello"))
    assert not isinstance(caught.value, ToolUncertain)


async def test_too_long_a_text_and_an_empty_one_are_not_sent(connected: Connect, new_user: NewUser) -> None:
    mine = await connected(new_user())
    for text in ("x" * 10_000, "  "):
        with pytest.raises(ToolError):
            await mine.run(grant("msg_send", to=f"xmpp:{new_user()}", text=text))


async def test_a_wrong_password_and_an_absent_server_are_told(server: Prosody) -> None:
    def account(port: int) -> Account:
        return Account(
            address="u1@example.org", password=SecretRef("env", "X"), host="127.0.0.1", port=port, tls="none"
        )

    refused = await connect("chat", account(server.port), labels=frozenset(), secret=secret_of("wrong"))
    with pytest.raises(ToolError, match="password"):
        await refused.check()
    absent = await connect("chat", account(1), labels=frozenset(), secret=secret_of("x"))
    with pytest.raises(ToolError, match="cannot be reached"):
        await absent.check()


def test_a_password_never_crosses_the_network_in_clear_text() -> None:
    with pytest.raises(ValueError, match="tls"):
        Account(address="me@example.org", password=SecretRef("env", "X"), host="chat.example.org", tls="none")


def test_an_account_takes_nothing_that_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(
            {"address": "me@example.org", "password": "x", "pasword": "y"}, Account, dec_hook=lambda *_: None
        )


async def test_two_accounts_whose_addresses_look_alike_are_not_put_together(
    connected: Connect, new_user: NewUser
) -> None:
    mine = await connected(new_user())
    other = await connected(new_user())
    object.__setattr__(other.lines[0], "name", "other")
    with pytest.raises(ConfigError, match="look alike"):
        MessagesToolset.together([mine, other])
