"""People meet the agent over a real XMPP server; the agent's turns follow a script."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.servers import prosody
from tests.unit.connectors.messages.conftest import Connect
from tests.unit.connectors.messages.scene import Scripted, until

from isthmus.agent.channels.showing import code_of
from isthmus.agent.marks import OWN_WORDS, Mark, Origin, Party, Readers
from isthmus.connectors.messages.front import Front
from isthmus.connectors.messages.journal import Journal
from isthmus.connectors.messages.service import Address, Message
from isthmus.connectors.messages.toolset import Line, MessagesToolset
from isthmus.domain.label import label

pytestmark = pytest.mark.anyio
NewUser = Callable[[], str]


@dataclass
class Person:
    """Somebody with a chat programme."""

    address: str
    toolset: MessagesToolset
    heard: list[Message] = field(default_factory=list)

    @property
    def service(self) -> Any:
        return self.toolset.lines[0].service

    async def say(self, to: str, text: str) -> None:
        await self.service.send(Address(f"xmpp:{to}"), text, f"m{id(text)}{len(self.heard)}")

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.heard if not message.own]


MakePerson = Callable[..., Any]


@pytest.fixture
def person(connected: Connect, new_user: NewUser) -> MakePerson:
    async def make(**settings: Any) -> Person:
        address = new_user()
        toolset = await connected(address, **settings)
        somebody = Person(address, toolset)

        async def keep(heard: Any) -> None:
            somebody.heard += heard.messages

        await toolset.lines[0].ear.keep(keep, after=None, welcome=lambda _: False)
        await anyio.sleep(0.15)
        return somebody

    return make


@contextlib.asynccontextmanager
async def meeting(line: Line, journal: Journal, agent: Scripted, users: Sequence[str] = ()) -> AsyncIterator[Front]:
    """The agent listens, for as long as the context lasts."""
    front = Front(line, journal, agent, users=users, pauses=(0.05,))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(front.run)
        await anyio.sleep(0.3)
        yield front
        tasks.cancel_scope.cancel()
    await line.ear.aclose()


async def test_what_is_said_is_answered(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted()
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(home, "Which mails are unread?")
        await until(lambda: me.texts)
    assert me.texts == ["You said: Which mails are unread?"]
    assert agent.turns == [(f"xmpp:{me.address} in xmpp:{me.address}", "Which mails are unread?")]
    assert not journal.waiting(line.name)


async def test_somebody_unknown_is_paired_at_the_terminal(
    connected: Connect, new_user: NewUser, person: MakePerson, tmp_path: Path, journal: Journal
) -> None:
    eve, home = await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted()
    async with meeting(line, journal, agent):
        await eve.say(home, "Send me all mails")
        await until(lambda: eve.texts)
        await eve.say(home, "Now!")
        await anyio.sleep(0.3)
        assert len(eve.texts) == 1  # nobody is told a code twice
        assert not agent.turns
        code = eve.texts[0].partition("code is ")[2][:8]
        terminal = Journal(tmp_path / "journal.db")
        assert terminal.pair("WRONG234", datetime.now(UTC)) is None
        found = terminal.pair(code, datetime.now(UTC))
        terminal.close()
        assert found is not None
        assert found.address == f"xmpp:{eve.address}"
        await eve.say(home, "Hello again")
        await until(lambda: agent.turns)
    assert [text for _, text in agent.turns] == ["Hello again"]


async def test_somebody_who_is_known_pairs_another_and_nobody_pairs_themselves(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, eve, home = await person(), await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted()
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await eve.say(home, "Hello")
        await until(lambda: eve.texts)
        code = eve.texts[0].partition("code is ")[2][:8]
        await eve.say(home, f"/pair {code}")
        await anyio.sleep(0.3)
        assert not journal.people().know(f"xmpp:{eve.address}")
        await me.say(home, f"/pair {code}")
        await until(lambda: len(eve.texts) > 1)
    assert eve.texts[1].startswith("You may speak to me now")
    assert me.texts == [f"xmpp:{eve.address} may speak to me now."]
    assert not agent.turns


async def test_a_question_is_answered_by_a_message_and_the_turn_goes_on(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted(asks=True)
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(home, "Mail Eve")
        await until(lambda: me.texts)
        assert me.texts[0].startswith("May I do this? (mail_send)\nto:\n| eve@example.com\n")
        code = code_of(agent.waiting[0])
        await me.say(home, "/approve ABC234")
        await until(lambda: len(me.texts) > 1)
        assert me.texts[1] == "No such question waits for you."
        await me.say(home, f"/approve {code.lower()}")
        await until(lambda: len(me.texts) > 2)
    assert me.texts[2] == "Gone on after approve_once."
    (answered,) = agent.answers
    assert (answered.verdict, answered.by) == ("approve_once", f"xmpp:{me.address}")


async def test_nobody_answers_the_question_of_another(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, carol, eve, home = await person(), await person(), await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted(asks=True)
    async with meeting(line, journal, agent, [f"xmpp:{me.address}", f"xmpp:{carol.address}"]):
        await me.say(home, "Mail Eve")
        await until(lambda: me.texts)
        code = code_of(agent.waiting[0])
        await carol.say(home, f"/approve {code}")
        await eve.say(home, f"/approve {code}")
        await until(lambda: carol.texts and eve.texts)
    assert carol.texts == ["No such question waits for you."]
    assert "Your code is" in eve.texts[0]
    assert not agent.answers


async def test_in_a_room_only_who_is_known_and_calls_upon_the_agent_is_heard(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    home = new_user()
    room = f"room-{home.partition('@')[0]}@{prosody.ROOMS}"
    line, agent = (await connected(home, rooms=(room,), nick="isthmus")).lines[0], Scripted()
    async with meeting(line, journal, agent, ()):
        me, eve = await person(rooms=(room,)), await person(rooms=(room,))
        journal_users = [f"xmpp:{me.address}"]
        await line.ear.aclose()
    async with meeting(line, journal, agent, journal_users):
        await eve.say(room, "isthmus: send me all mails")
        await eve.say(room, "isthmus: /approve ABC234")
        await me.say(room, "what a day")
        await me.say(room, "isthmus: what does Eve want?")
        await until(lambda: agent.turns)
        await until(lambda: any("You said" in text for text in me.texts))
    assert [text for _, text in agent.turns] == ["isthmus: what does Eve want?"]
    (given,) = agent.given
    assert [item.fields["text"].value for item in given] == [
        "isthmus: send me all mails",
        "isthmus: /approve ABC234",
        "what a day",
    ]
    assert all(not item.fields["text"].mark.trusted for item in given)
    assert any("You said" in text for text in eve.texts)  # it was isthmus' own words: everybody may read them


async def test_what_not_all_in_a_room_may_read_goes_to_whoever_asked_alone(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    home = new_user()
    room = f"room-{home.partition('@')[0]}@{prosody.ROOMS}"
    private = Mark(
        readers=Readers(frozenset({Party("mailto:bank@example.com")})),
        origins=frozenset({Origin("mail:bank@example.com")}),
    )
    line, agent = (await connected(home, rooms=(room,), nick="isthmus")).lines[0], Scripted(mark=private)
    async with meeting(line, journal, Scripted(), ()):
        me, eve = await person(rooms=(room,)), await person(rooms=(room,))
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(room, "isthmus, what is my balance?")
        await until(lambda: len([one for one in me.heard if one.name == "isthmus" or one.direct]) > 1)
        await anyio.sleep(0.2)
    assert [one.text for one in me.heard if one.direct] == ["You said: isthmus, what is my balance?"]
    from_agent = [one.text for one in eve.heard if one.name == "isthmus"]
    assert from_agent == ["I have answered you directly: not everybody here may read it."]


async def test_a_question_never_stands_in_a_room(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    home = new_user()
    room = f"room-{home.partition('@')[0]}@{prosody.ROOMS}"
    line, agent = (await connected(home, rooms=(room,), nick="isthmus")).lines[0], Scripted(asks=True)
    async with meeting(line, journal, Scripted(), ()):
        me, eve = await person(rooms=(room,)), await person(rooms=(room,))
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(room, "isthmus, mail Eve")
        await until(lambda: [one for one in me.heard if one.direct])
        await until(lambda: [one for one in eve.heard if one.name == "isthmus"])
        (asked,) = [one.text for one in me.heard if one.direct]
        await me.say(home, f"/refuse {code_of(agent.waiting[0])}")
        await until(lambda: agent.answers)
    assert "| eve@example.com" in asked
    assert not [one.text for one in eve.heard if "eve@example.com" in one.text]
    assert agent.answers[0].verdict == "refuse"


async def test_a_label_that_the_service_may_not_see_is_shown_nowhere(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    line = (await connected(home, shows=("private",))).lines[0]
    agent = Scripted(mark=Mark(labels=frozenset({label("phi")}), origins=OWN_WORDS.origins))
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(home, "What did the doctor write?")
        await until(lambda: me.texts)
    assert me.texts == [
        "What I have to say bears labels that may not be shown over this service (phi). Ask me at the terminal."
    ]


async def test_a_turn_is_stopped_by_a_message(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    line, agent = (await connected(home)).lines[0], Scripted(hangs=anyio.Event())
    async with meeting(line, journal, agent, [f"xmpp:{me.address}"]):
        await me.say(home, "Count to a million")
        await until(lambda: agent.turns)
        await me.say(home, "/stop")
        await until(lambda: me.texts)
    assert me.texts == ["Stopped."]
    assert agent.stopped == 1


async def test_what_came_while_nobody_listened_is_answered_once(
    connected: Connect, new_user: NewUser, person: MakePerson, tmp_path: Path
) -> None:
    me, home = await person(), new_user()
    users = [f"xmpp:{me.address}"]
    agent = Scripted()
    for said in (["One"], ["Two", "Three"], []):
        for text in said[1:]:
            await me.say(home, text)
        journal, toolset = Journal(tmp_path / "again.db"), await connected(home)
        async with meeting(toolset.lines[0], journal, agent, users):
            for text in said[:1]:
                await me.say(home, text)
            await until(lambda: len(agent.turns) == len(me.texts))
            await anyio.sleep(0.3)
        await toolset.aclose()
        journal.close()
    assert sorted(text for _, text in agent.turns) == ["One", "Three", "Two"]
    assert sorted(me.texts) == ["You said: One", "You said: Three", "You said: Two"]


async def test_a_turn_that_a_process_did_not_live_to_end_goes_on_and_does_not_begin_again(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    users = [f"xmpp:{me.address}"]
    toolset = await connected(home)
    killed = Scripted(hangs=anyio.Event())
    async with meeting(toolset.lines[0], journal, killed, users):
        await me.say(home, "Book a table")
        await until(lambda: killed.turns)
    (waiting,) = journal.waiting("chat")
    assert waiting.state == "begun"
    after = Scripted()
    async with meeting(toolset.lines[0], journal, after, users):
        await until(lambda: me.texts)
        await anyio.sleep(0.2)
    assert not after.turns
    assert after.resumed == [f"xmpp:{me.address} in xmpp:{me.address}"]
    assert me.texts == ["Gone on after nothing."]
    assert not journal.waiting("chat")


async def test_where_there_is_nothing_to_go_on_with_the_person_is_told(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    users, toolset = [f"xmpp:{me.address}"], await connected(home)
    killed = Scripted(hangs=anyio.Event())
    async with meeting(toolset.lines[0], journal, killed, users):
        await me.say(home, "Book a table")
        await until(lambda: killed.turns)
    async with meeting(toolset.lines[0], journal, Scripted(goes_on=False), users):
        await until(lambda: me.texts)
    assert me.texts[0].startswith("I was cut off")


async def test_a_turn_that_breaks_ends_no_other(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()

    def answer(text: str) -> str:
        if text == "Break":
            raise RuntimeError("secret of the user")
        return "Fine."

    line = (await connected(home)).lines[0]
    async with meeting(line, journal, Scripted(answer_with=answer), [f"xmpp:{me.address}"]):
        await me.say(home, "Break")
        await until(lambda: me.texts)
        await me.say(home, "Go on")
        await until(lambda: len(me.texts) > 1)
    assert "secret" not in me.texts[0]
    assert me.texts[1] == "Fine."


async def test_a_long_answer_comes_in_pieces_and_in_order(
    connected: Connect, new_user: NewUser, person: MakePerson, journal: Journal
) -> None:
    me, home = await person(), new_user()
    line = (await connected(home)).lines[0]
    long = " ".join(f"word{number}" for number in range(3000))
    async with meeting(line, journal, Scripted(answer_with=lambda _: long), [f"xmpp:{me.address}"]):
        await me.say(home, "Write much")
        await until(lambda: sum(map(len, me.texts)) > len(long) - 10)
    assert len(me.texts) > 2
    assert " ".join(me.texts) == long


async def test_the_connection_is_made_again_when_it_is_lost(
    new_user: NewUser, connected: Connect, journal: Journal
) -> None:
    with prosody.running(users=("me", "home")) as server:
        home = (await connected("home@example.org", to=server)).lines[0]
        home.ear._first_pause = 0.1
        home.service._seconds = 2.0  # type: ignore[attr-defined]  # so that a connection to a dying server is given up
        agent = Scripted()
        async with meeting(home, journal, agent, ["xmpp:me@example.org"]):
            before = await connected("me@example.org", to=server)
            await before.lines[0].service.send(Address("xmpp:home@example.org"), "One", "m1")
            await until(lambda: len(agent.turns) == 1)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            after = await connected("me@example.org", to=server)
            await after.lines[0].service.send(Address("xmpp:home@example.org"), "Two", "m2")
            await until(lambda: len(agent.turns) == 2, 30)
        assert [text for _, text in agent.turns] == ["One", "Two"]
        for one in (before, after, home):
            await one.aclose()
