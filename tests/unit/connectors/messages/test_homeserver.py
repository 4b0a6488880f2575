"""Matrix, against a real homeserver; only where ISTHMUS_SYNAPSE=1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

import anyio
import pytest
from tests.servers import matrix
from tests.servers.matrix import Synapse
from tests.unit.connectors.messages.scene import Scripted, grant, secret_of, until

from isthmus.connectors.matrix.account import Account, connect
from isthmus.connectors.messages.front import Front
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.toolset import MessagesToolset
from isthmus.domain.errors import ToolError
from isthmus.domain.offer import SecretRef

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def homeserver() -> Iterator[Synapse]:
    with matrix.running() as running:
        yield running


async def rooms(homeserver: Synapse, user: str, token: str) -> MessagesToolset:
    account = Account(homeserver=homeserver.url, user=user, token=SecretRef("env", "X"))
    return await connect("home", account, labels=frozenset(), secret=secret_of(token))


async def test_a_person_invites_the_agent_and_is_answered(homeserver: Synapse, journal: Journal) -> None:
    (me, mine), (agent_id, token) = homeserver.register("me"), homeserver.register("agent")
    toolset, agent = await rooms(homeserver, agent_id, token), Scripted()

    def invite() -> str:
        made = homeserver.call("POST", "createRoom", {"invite": [agent_id], "is_direct": True}, mine)
        return str(made["room_id"])

    def say(room: str, text: str) -> None:
        path = f"rooms/{quote(room)}/send/m.room.message/{text}"
        homeserver.call("PUT", path, {"msgtype": "m.text", "body": text}, mine)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Front(toolset.lines[0], journal, agent, users=[f"matrix:{me}"]).run)
        await anyio.sleep(0.5)
        room = await asyncio.to_thread(invite)
        with anyio.fail_after(8):
            while f"matrix:{room}" not in [one.id for one in (await toolset.run(grant("msg_channels"))).items]:
                await anyio.sleep(0.1)
        await asyncio.to_thread(say, room, "hello")
        await until(lambda: agent.turns)
        with anyio.fail_after(8):
            while len((found := await toolset.run(grant("msg_read", channel=f"matrix:{room}"))).items) < 2:
                await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    assert [item.fields["text"].value for item in found.items] == ["hello", "You said: hello"]
    assert [item.fields["from"].value for item in found.items] == [f"matrix:{me}", f"matrix:{agent_id}"]
    await toolset.aclose()

    # What is said meanwhile is more than one sync tells.
    def say_much() -> None:
        for number in range(120):
            say(room, f"n{number}")

    await asyncio.to_thread(say_much)
    again, after = await rooms(homeserver, agent_id, token), Scripted()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Front(again.lines[0], journal, after, users=[f"matrix:{me}"]).run)
        await until(lambda: len(after.turns) == 120, 60)
        tasks.cancel_scope.cancel()
    assert [text for _, text in after.turns] == [f"n{number}" for number in range(120)]
    await again.aclose()


async def test_a_person_is_written_to_first_and_once(homeserver: Synapse) -> None:
    (bob, _), (agent_id, token) = homeserver.register("bob"), homeserver.register("writer")
    toolset = await rooms(homeserver, agent_id, token)
    sending = grant("msg_send", to=f"matrix:{bob}", text="Hello Bob")
    assert await toolset.find_done(sending) is None
    first, second = await toolset.run(sending), await toolset.run(sending)
    assert first.made == second.made
    found = await toolset.find_done(sending)
    assert found is not None
    assert found.made == first.made
    assert len((await toolset.run(grant("msg_channels"))).items) == 1
    await toolset.aclose()


async def test_nothing_is_sent_into_an_encrypted_room(homeserver: Synapse) -> None:
    user, token = homeserver.register("careful")
    secret = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    made = homeserver.call("POST", "createRoom", {"initial_state": [secret]}, token)
    toolset = await rooms(homeserver, user, token)
    with pytest.raises(ToolError, match="encrypted"):
        await toolset.run(grant("msg_send", to=f"matrix:{made['room_id']}", text="Hello"))
    await toolset.aclose()


async def test_a_token_that_is_not_taken_is_told(homeserver: Synapse) -> None:
    toolset = await rooms(homeserver, "@me:example.org", "wrong")
    with pytest.raises(ToolError, match="token") as caught:
        await toolset.check()
    assert "wrong" not in caught.value.sentence
    await toolset.aclose()
