"""What the mails and sentences are, how answers are counted, and that a whole mail comes of a head."""

import math
from collections import Counter
from datetime import date, timedelta

import pytest
from bench.triage import (
    KINDS,
    MODEL,
    NOW,
    TIMES,
    Answered,
    Inbox,
    Report,
    bits,
    both,
    confusion,
    constant,
    letters,
    sentences,
    shown,
)
from rich.console import Console

from isthmus.agent.marks import ISTHMUS, Mark
from isthmus.agent.tool import Argument, Grant


def answers(*pairs: tuple[str, str | None]) -> list[Answered]:
    return [Answered(wanted=wanted, given=given, seconds=1.0) for wanted, given in pairs]


def test_there_are_ten_mails_of_each_kind_and_every_five_have_one_of_each() -> None:
    mails = letters()
    assert Counter(mail.kind for mail in mails) == dict.fromkeys(KINDS, 10)
    assert all({mail.kind for mail in mails[at : at + 5]} == set(KINDS) for at in range(0, 50, 5))
    assert len({mail.text for mail in mails}) == 50


def test_every_sentence_has_a_day_to_come_and_a_time_that_can_be_chosen() -> None:
    notes = sentences()
    assert len(notes) == 20
    assert all(timedelta(0) <= date.fromisoformat(one.date) - NOW.date() < timedelta(60) for one in notes)
    assert {one.time for one in notes} <= set(TIMES)


@pytest.mark.anyio
async def test_of_a_mail_the_head_is_known_and_the_text_when_it_is_read() -> None:
    first = letters()[0]
    inbox = Inbox([first])
    [head] = inbox.heads()
    assert "body" not in head.fields
    own = Mark(origins=frozenset({ISTHMUS}))
    arguments = {"mail": Argument(value=head.id, mark=own)}
    found = await inbox.run(Grant(call="c", tool="mail_read", digest="", mark=own, arguments=arguments))
    body = found.items[0].fields["body"]
    assert body.value == first.text
    assert not body.mark.trusted


def test_answers_that_are_all_the_same_tell_nothing_and_right_ones_tell_all() -> None:
    same = answers(*((kind, "invoice") for kind in KINDS))
    assert bits(same) == 0
    assert constant(same) == 1
    assert bits(answers(*((kind, kind) for kind in KINDS))) == pytest.approx(math.log2(5))
    assert confusion(same)["urgent", "invoice"] == 1


def test_a_day_and_a_time_are_right_together_and_none_where_one_is_missing() -> None:
    right, missing = both(answers(("d", "d"), ("d", "d")), answers(("t", "t"), ("t", None)))
    assert right.right
    assert right.seconds == 2
    assert missing.given is None


def test_what_was_not_answered_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    one = answers(("urgent", None), ("urgent", "urgent"))
    for table in shown(Report(mails=one, dates=one, times=one, routes=0, closed=True), MODEL):
        Console(width=120).print(table)
    told = capsys.readouterr().out
    assert "1 of 2" in told
    assert "9% to 91%" in told
    assert MODEL in told


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
