"""What is done with a message that comes in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isthmus.agent.channels.commands import Answer, Pair, Unknown, command
from isthmus.agent.channels.meeting import Greet, Ignore, Inbound, Obey, Turn, belongs, conversation, meet, place
from isthmus.agent.channels.people import People

ME, EVE = "matrix:@me:example.org", "matrix:@eve:example.org"
PEOPLE = People(named=frozenset({ME}))
SAID = Inbound(
    id="!r/1",
    channel="matrix:!r:example.org",
    sender=ME,
    name="Me",
    text="Which mails are unread?",
    direct=True,
    mentions_me=False,
    own=False,
    automatic=False,
)


def test_what_somebody_says_who_may_is_a_turn() -> None:
    assert meet(SAID, PEOPLE) == Turn(SAID.text, f"{ME} in {SAID.channel}")


def test_somebody_unknown_is_greeted_where_nobody_else_is() -> None:
    assert meet(replace(SAID, sender=EVE), PEOPLE) == Greet()


def test_somebody_unknown_is_told_nothing_in_a_room() -> None:
    assert meet(replace(SAID, sender=EVE, direct=False, mentions_me=True), PEOPLE) == Ignore()


def test_a_command_of_somebody_unknown_is_no_command() -> None:
    assert meet(replace(SAID, sender=EVE, text="/approve ABC234"), PEOPLE) == Greet()


def test_in_a_room_the_agent_has_to_be_called_upon() -> None:
    assert meet(replace(SAID, direct=False), PEOPLE) == Ignore()
    assert isinstance(meet(replace(SAID, direct=False, mentions_me=True), PEOPLE), Turn)


@pytest.mark.parametrize("change", [{"own": True}, {"automatic": True}, {"text": "  "}])
def test_programmes_and_empty_messages_are_never_answered(change: dict[str, object]) -> None:
    assert meet(replace(SAID, **change), PEOPLE) == Ignore()  # type: ignore[arg-type]


def test_two_people_never_share_a_conversation() -> None:
    assert conversation(SAID.channel, ME) != conversation(SAID.channel, EVE)
    assert belongs(conversation(SAID.channel, ME), ME)
    assert not belongs(conversation(SAID.channel, ME), EVE)
    assert place(conversation(SAID.channel, ME)) == (ME, SAID.channel)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("/approve k7q2pw", Answer("approve_once", "K7Q2PW")),
        ("!refuse K7Q2PW", Answer("refuse", "K7Q2PW")),
        ("/endorse@isthmus_bot K7Q2PW", Answer("endorse_value", "K7Q2PW")),
        ("/draft K7Q2PW", Answer("draft_instead", "K7Q2PW")),
        ("/pair ABCD2345", Pair("ABCD2345")),
        ("/help", "help"),
        ("/stop", "stop"),
        ("/dance", Unknown("dance")),
        ("please /approve K7Q2PW", None),
        ("1/2 of it", None),
    ],
)
def test_what_begins_with_a_stroke_is_a_command(text: str, meant: object) -> None:
    assert command(text) == meant
    if meant is not None:
        assert meet(replace(SAID, text=text), PEOPLE) == Obey(meant)
