"""The agent asks an isthmus that runs elsewhere, by HTTP: the labels of single messages count there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.fakes.agent_scene import Mail, MemoryLog, MemoryMarks, ended, mail
from tests.fakes.http_server import listening
from tests.fakes.road import RoadScene
from tests.unit.agent.test_on_the_road import FAR, HOME, SECRET, offers, scene

from isthmus.agent import Agent
from isthmus.agent.happenings import Happening
from isthmus.agent.on_the_road import profiled
from isthmus.agent.ports import Question
from isthmus.domain.errors import ConfigError, InvalidKey, NotCapable, UnknownModel, UpstreamMalformed
from isthmus.domain.message import CompletionRequest, Image, Message, Text
from isthmus.domain.offer import Capabilities, SecretRef
from isthmus.gateway.gateway import Gateway
from isthmus.gateway.keyring import KeyRing
from isthmus.providers.remote import RemoteReasoner
from isthmus.providers.secrets import Secrets

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def elsewhere(it: RoadScene, *, open_to_all: bool = True, **options: Any) -> AsyncIterator[RemoteReasoner]:
    it.road.roster = profiled(it.road.roster, "performance-first")
    gateway = Gateway(it.road, KeyRing({}, open_without_keys=open_to_all))
    async with listening(gateway) as port:
        reasoner = RemoteReasoner(f"http://127.0.0.1:{port}", **options)
        try:
            yield reasoner
        finally:
            await reasoner.aclose()


async def say(reasoner: RemoteReasoner) -> list[Happening]:
    box = Mail({"<1@x>": mail("<1@x>", "clinic@example.org", SECRET)})
    agent = Agent(reasoner=reasoner, toolsets=[box], log=MemoryLog(), marks=MemoryMarks())
    async with aclosing(agent.turn("Any mail?", conversation="c " * 150)) as turn:
        return [one async for one in turn]


async def ask(reasoner: RemoteReasoner, model: str, *parts: Any) -> None:
    request = CompletionRequest(model=model, messages=(Message(role="user", parts=parts or (Text(text="x"),)),))
    async with reasoner.ask(Question(request=request, labels=[frozenset()], conversation="c")):
        raise AssertionError("it was answered")


async def test_labels_of_single_messages_decide_there_who_is_asked() -> None:
    it = scene()
    async with elsewhere(it) as reasoner:
        happenings = await say(reasoner)
    assert offers(happenings) == ["far", "home"]
    assert ended(happenings).sides == {"closed", "own"}
    assert SECRET.encode() not in dict(it.sender.sent)["far"].body
    assert not any(b"isthmus" in request.body for _, request in it.sender.sent)
    assert [entry.conversation is not None for entry in it.ledger.entries] == [True, True]


async def test_usage_is_told_and_cost_is_not() -> None:
    async with elsewhere(scene()) as reasoner:
        log = MemoryLog()
        agent = Agent(reasoner=reasoner, toolsets=[Mail()], log=log, marks=MemoryMarks(), budget={"chat": Decimal(1)})
        async with aclosing(agent.turn("Any mail?", conversation="c")) as turn:
            happenings = [one async for one in turn]
    assert ended(happenings).cost is None
    assert [said["tokens"] for said in log.contents("model_said")] == [15, 15]


async def test_where_nobody_may_see_it_the_turn_is_refused() -> None:
    async with elsewhere(scene(FAR)) as reasoner:
        happenings = await say(reasoner)
    assert ended(happenings).outcome == "refused"
    assert "mail: mail_1" in ended(happenings).note


async def test_what_it_says_is_the_error_that_it_was_there() -> None:
    blind = Capabilities(vision="no")
    it = RoadScene({"home": []}, [replace(HOME, capabilities=blind)])
    async with elsewhere(it) as reasoner:
        with pytest.raises(UnknownModel):
            await ask(reasoner, "nothing")
        with pytest.raises(NotCapable):
            await ask(reasoner, "home", Image(data="aGk=", media_type="image/png"))
    async with elsewhere(it, open_to_all=False) as reasoner:
        with pytest.raises(InvalidKey):
            await ask(reasoner, "home")


async def test_a_key_is_read_when_it_is_used() -> None:
    secrets = Secrets({"K": "wrong"})
    async with elsewhere(scene(), open_to_all=False, key=SecretRef("env", "K"), secrets=secrets) as reasoner:
        with pytest.raises(InvalidKey):
            await ask(reasoner, "home")


async def test_what_is_no_isthmus_is_told_as_such() -> None:
    async def other(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    reasoner = RemoteReasoner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/")
    with pytest.raises(UpstreamMalformed, match="is no isthmus"):
        await ask(reasoner, "home")
    await reasoner.aclose()
    server.close()
    await server.wait_closed()


def test_an_address_is_one_of_http() -> None:
    with pytest.raises(ConfigError, match="is no address"):
        RemoteReasoner("localhost:8090")
