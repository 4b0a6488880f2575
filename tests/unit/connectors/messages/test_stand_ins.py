"""Telegram, Slack and Matrix, against stand-ins that somebody else wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from tests.servers import crabline
from tests.servers.crabline import Crabline, SlackSocket
from tests.unit.connectors.messages.scene import Scripted, grant, secret_of, until

from isthmus.agent.marks import ISTHMUS, Origin, Party
from isthmus.connectors.matrix.account import Account as MatrixAccount
from isthmus.connectors.matrix.account import connect as connect_matrix
from isthmus.connectors.messages.front import Front
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.toolset import MessagesToolset
from isthmus.connectors.slack.account import Account as SlackAccount
from isthmus.connectors.slack.account import connect as connect_slack
from isthmus.connectors.telegram.account import Account as TelegramAccount
from isthmus.connectors.telegram.account import connect as connect_telegram
from isthmus.domain.errors import ToolError, ToolUncertain
from isthmus.domain.offer import SecretRef

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
REF = SecretRef("env", "X")


@pytest.fixture(scope="module")
def telegram() -> Iterator[Crabline]:
    with crabline.running("telegram") as running:
        yield running


@pytest.fixture(scope="module")
def matrix() -> Iterator[Crabline]:
    with crabline.running("matrix") as running:
        yield running


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackSocket]:
    with crabline.slack_socket() as running:
        yield running


async def bot(telegram: Crabline) -> MessagesToolset:
    account = TelegramAccount(token=REF, server=telegram.manifest["baseUrl"])
    return await connect_telegram("bot", account, labels=frozenset(), secret=secret_of(telegram.manifest["botToken"]))


async def rooms(matrix: Crabline) -> MessagesToolset:
    known = matrix.manifest
    account = MatrixAccount(homeserver=known["baseUrl"], user=known["botUserId"], token=REF)
    return await connect_matrix("home", account, labels=frozenset(), secret=secret_of(known["accessToken"]))


async def workspace(slack: SlackSocket) -> MessagesToolset:
    account = SlackAccount(server=slack.server, team="TCRABLINE", token=REF, app_token=REF)

    async def secret(_: SecretRef) -> str:
        return str(next(tokens))

    tokens = iter([slack.slack.manifest["botToken"], "xapp-test"])
    return await connect_slack("work", account, labels=frozenset(), secret=secret)


async def answered(
    toolset: MessagesToolset, journal: Journal, user: str, say: Callable[[], Any], said: Callable[[], Any]
) -> Scripted:
    """Somebody says something to the agent, which answers."""
    agent = Scripted()
    front = Front(toolset.lines[0], journal, agent, users=[user])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(front.run)
        await anyio.sleep(0.5)
        await asyncio.to_thread(say)
        await until(said)
        tasks.cancel_scope.cancel()
    await toolset.aclose()
    return agent


async def test_telegram_is_spoken_and_previews_are_off(telegram: Crabline, journal: Journal) -> None:
    def sent() -> list[dict[str, Any]]:
        return telegram.recorded("/sendMessage")

    agent = await answered(
        await bot(telegram),
        journal,
        "telegram:4711",
        lambda: telegram.say(chatId=4711, fromId=4711, text="See http://example.org"),
        sent,
    )
    assert [text for _, text in agent.turns] == ["See http://example.org"]
    assert sent()[-1]["text"] == "You said: See http://example.org"
    assert "is_disabled" in str(sent()[-1]["link_preview_options"])


async def test_telegram_tells_a_message_once_and_none_is_lost(telegram: Crabline, journal: Journal) -> None:
    for number in range(3):
        telegram.say(chatId=42, fromId=42, text=f"No. {number}")
    agent = await answered(
        await bot(telegram), journal, "telegram:42", lambda: None,
        lambda: len([one for one in telegram.recorded("/sendMessage") if str(one["chat_id"]) == "42"]) == 3,
    )  # fmt: skip
    assert [text for _, text in agent.turns if text.startswith("No.")] == ["No. 0", "No. 1", "No. 2"]
    again = await answered(
        await bot(telegram), journal, "telegram:42", lambda: telegram.say(chatId=42, fromId=42, text="No. 3"),
        lambda: len([one for one in telegram.recorded("/sendMessage") if str(one["chat_id"]) == "42"]) == 4,
    )  # fmt: skip
    assert [text for _, text in again.turns] == ["No. 3"]


async def test_in_a_telegram_group_the_bot_has_to_be_called_upon(telegram: Crabline) -> None:
    toolset = await bot(telegram)
    line = toolset.lines[0]
    with line.ear.listening() as queue:
        await anyio.sleep(0.3)
        mention = [{"type": "mention", "offset": 0, "length": 13}]
        await asyncio.to_thread(
            lambda: telegram.say(
                chatId=-1001, chatType="supergroup", fromId=7, text="@crabline_bot hello", entities=mention
            )
        )
        await asyncio.to_thread(lambda: telegram.say(chatId=-1001, chatType="supergroup", fromId=7, text="just talk"))
        called, talk = await queue.get(), await queue.get()
    assert (called.mentions_me, talk.mentions_me) == (True, False)
    assert (called.sender, called.channel, called.direct) == ("telegram:7", "telegram:-1001", False)
    (item, _) = (await toolset.run(grant("msg_read", channel="telegram:-1001"))).items
    assert item.fields["from"].mark.origins == {ISTHMUS}  # a number that Telegram gave
    assert item.fields["text"].mark.origins == {Origin("message:telegram:7")}
    assert item.fields["text"].mark.readers.parties == {Party("telegram:-1001")}
    await toolset.aclose()


async def test_after_a_crash_it_is_said_that_telegram_cannot_tell(telegram: Crabline) -> None:
    toolset = await bot(telegram)
    with pytest.raises(ToolUncertain, match="cannot be asked"):
        await toolset.find_done(grant("msg_send", to="telegram:4711", text="Hello"))
    await toolset.aclose()


async def test_a_wrong_token_is_told(telegram: Crabline) -> None:
    account = TelegramAccount(token=REF, server=telegram.manifest["baseUrl"])
    toolset = await connect_telegram("bot", account, labels=frozenset(), secret=secret_of("1:wrong"))
    with pytest.raises(ToolError, match="token") as caught:
        await toolset.check()
    assert "1:wrong" not in caught.value.sentence
    await toolset.aclose()


async def test_matrix_is_spoken(matrix: Crabline, journal: Journal) -> None:
    room, me = "!talk:matrix.test", "@me:matrix.test"
    toolset = await rooms(matrix)

    async def messages() -> list[str]:
        found = await toolset.run(grant("msg_read", channel=f"matrix:{room}"))
        return [str(item.fields["text"].value) for item in found.items]

    agent = Scripted()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Front(toolset.lines[0], journal, agent, users=[f"matrix:{me}"]).run)
        await anyio.sleep(0.5)
        await asyncio.to_thread(lambda: matrix.say(roomId=room, senderId=me, text="What is on today?", direct=True))
        with anyio.fail_after(8):
            while len(await messages()) < 2 if agent.turns else True:
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert await messages() == ["What is on today?", "You said: What is on today?"]
    await toolset.aclose()


async def test_a_matrix_message_is_sent_once_and_found(matrix: Crabline) -> None:
    matrix.say(roomId="!once:matrix.test", senderId="@bob:matrix.test", text="Hello", direct=True, senderName="Bob")
    toolset = await rooms(matrix)
    sending = grant("msg_send", to="matrix:!once:matrix.test", text="Once")
    assert await toolset.find_done(sending) is None
    first, second = await toolset.run(sending), await toolset.run(sending)
    assert first.made == second.made
    found = await toolset.find_done(sending)
    assert found is not None
    assert found.made == first.made
    items = (await toolset.run(grant("msg_read", channel="matrix:!once:matrix.test"))).items
    assert [item.fields["text"].value for item in items] == ["Hello", "Once"]
    assert items[1].id == first.made[0].id
    hello = items[0].fields
    assert hello["text"].mark.origins == {Origin("message:matrix:@bob:matrix.test")}
    assert Party("matrix:@bob:matrix.test") in hello["text"].mark.readers.parties
    to_bob = await toolset.run(grant("msg_send", to="matrix:@bob:matrix.test", text="To the one I talk with"))
    assert to_bob.made
    await toolset.aclose()


async def test_slack_is_spoken_over_a_socket_and_previews_are_off(slack: SlackSocket, journal: Journal) -> None:
    def sent() -> list[dict[str, Any]]:
        return slack.slack.recorded("/chat.postMessage")

    agent = await answered(
        await workspace(slack),
        journal,
        "slack:TCRABLINE/UBOB",
        lambda: slack.say(channel="D0BOB", user="UBOB", text="Is &lt;this&gt; on? <https://example.org|here>"),
        sent,
    )
    assert [text for _, text in agent.turns] == ["Is <this> on? here (https://example.org)"]
    body = sent()[-1]
    assert body["text"] == "You said: Is &lt;this&gt; on? here (https://example.org)"
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    await until(lambda: slack.acknowledged)


async def test_a_slack_message_is_found_by_what_goes_along_with_it(slack: SlackSocket) -> None:
    slack.say(channel="C0TEAM", user="UBOB", text="Hello")
    slack.members["C0TEAM"] = ["UBOB", "UCAROL", "UCRABBOT"]
    toolset = await workspace(slack)
    done, not_done = (grant("msg_send", to="slack:TCRABLINE/C0TEAM", text="Once") for _ in range(2))
    made = (await toolset.run(done)).made
    found = await toolset.find_done(done)
    assert found is not None
    assert found.made == made
    assert await toolset.find_done(not_done) is None
    hello = (await toolset.run(grant("msg_read", channel="slack:TCRABLINE/C0TEAM"))).items[0].fields
    assert hello["text"].mark.readers.parties == {
        Party(f"slack:TCRABLINE/{one}") for one in ("C0TEAM", "UBOB", "UCAROL")
    }
    assert hello["from"].mark.origins == {ISTHMUS}
    listed = (await toolset.run(grant("msg_channels"))).items
    assert "slack:TCRABLINE/C0TEAM" in [item.id for item in listed]
    await toolset.aclose()


async def test_what_slack_said_while_the_socket_was_closed_is_read_from_the_histories(
    slack: SlackSocket, journal: Journal
) -> None:
    slack.slack.say(channel="D0EVE", user="UEVE", text="Are you there?")
    journal.take("work", [], "1699999999.000000")
    agent = await answered(
        await workspace(slack), journal, "slack:TCRABLINE/UEVE", lambda: None,
        lambda: [one for one in slack.slack.recorded("/chat.postMessage") if one["channel"] == "D0EVE"],
    )  # fmt: skip
    assert "Are you there?" in [text for _, text in agent.turns]


async def test_a_token_of_another_workspace_is_refused(slack: SlackSocket) -> None:
    account = SlackAccount(server=slack.server, team="TOTHER", token=REF)
    token = secret_of(slack.slack.manifest["botToken"])
    toolset = await connect_slack("work", account, labels=frozenset(), secret=token)
    with pytest.raises(ToolError, match="TOTHER"):
        await toolset.check()
