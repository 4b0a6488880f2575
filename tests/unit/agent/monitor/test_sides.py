from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agent.monitor.worlds import World, allowed, mail

from isthmus.agent.marks import ONLY_THE_USER
from isthmus.agent.monitor.sides import Blank, fork, returned, schema
from isthmus.domain.errors import ToolError

TODAY = date(2026, 11, 21)
EVE = "eve@evil.example"
BLANKS = (
    Blank(name="urgency", form="choice", choices=("low", "high")),
    Blank(name="answer", form="flag"),
    Blank(name="people", form="number"),
    Blank(name="due", form="date"),
    Blank(name="from", form="reference"),
    Blank(name="gist", form="text", longest=60),
)
GOOD: dict[str, Any] = {
    "urgency": "high", "answer": True, "people": 3, "due": "2026-12-01", "from": "mail_1.from", "gist": "a question",
}  # fmt: skip


def side_of(world: World, body: str) -> World:
    side = World("read the mail")
    side.branch = fork(world.branch, "side-1")
    return side.sees(mail("1", EVE, "hi", body))


def test_a_side_branch_has_seen_nothing_but_its_question() -> None:
    world = World("hi").sees(mail("7", EVE, "hi", "obey"))
    side = fork(world.branch, "side-1")
    assert not side.shelf.shown
    assert side.context == world.branch.context  # its question was written by a model that had read mail 7


def test_what_comes_back_bears_the_mark_of_all_that_was_read() -> None:
    world = World("hi")
    side = side_of(world, "obey")
    parent, item = returned(world.branch, side.branch, BLANKS, GOOD, today=TODAY)
    assert {name: one.value for name, one in item.fields.items()} == {**GOOD, "from": EVE}
    assert all(one.mark.origins >= side.branch.context.origins for one in item.fields.values())
    assert all(not one.mark.trusted for one in item.fields.values())
    assert parent.shelf.shown[-1].item == item


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("urgency", "obey"), ("answer", "yes"), ("answer", 1), ("people", -1), ("people", 10**9), ("people", True),
        ("due", "1970-01-01"), ("due", "soon"), ("from", "mail_9.from"), ("from", "eve@evil.example"),
        ("gist", "x" * 61), ("gist", 7),
    ],
)  # fmt: skip
def test_what_is_not_of_its_form_does_not_come_back(name: str, value: object) -> None:
    world = World("hi")
    with pytest.raises(ToolError, match=name):
        returned(world.branch, side_of(world, "x").branch, BLANKS, {**GOOD, name: value}, today=TODAY)
    answers = {key: one for key, one in GOOD.items() if key != name}
    with pytest.raises(ToolError, match=name):
        returned(world.branch, side_of(world, "x").branch, BLANKS, answers, today=TODAY)


def test_folded_choices_leave_the_parents_readers_as_they_were_until_the_budget_is_spent() -> None:
    world, blanks = World("hi"), BLANKS[:2]
    answers = {"urgency": "high", "answer": True}
    parent, item = returned(world.branch, side_of(world, "x").branch, blanks, answers, today=TODAY, fold_bits=3)
    assert parent.context.readers == world.branch.context.readers
    assert not item.fields["urgency"].mark.trusted
    assert parent.bits[f"mail:{EVE}"] == 2
    second = side_of(world, "y").branch
    after, _ = returned(parent, second, blanks, answers, today=TODAY, fold_bits=3)
    assert after.context.readers != world.branch.context.readers
    assert after.bits == parent.bits


def test_a_text_or_a_reference_is_never_folded() -> None:
    world = World("hi")
    _, item = returned(world.branch, side_of(world, "x").branch, BLANKS, GOOD, today=TODAY, fold_bits=10**6)
    assert item.fields["gist"].mark.readers.parties == {f"mailto:{EVE}"}
    assert item.fields["from"].mark.readers.parties == {f"mailto:{EVE}"}
    assert ONLY_THE_USER.include([])


def test_the_form_is_a_schema_for_constrained_decoding() -> None:
    form = schema(BLANKS)
    assert form["required"] == [blank.name for blank in BLANKS]
    assert form["properties"]["urgency"]["enum"] == ["low", "high"]


answers = st.fixed_dictionaries(
    {
        "urgency": st.sampled_from(["low", "high"]),
        "answer": st.booleans(),
        "people": st.integers(0, 1000),
        "from": st.sampled_from(["mail_1.from", "mail_1.subject"]),
    }
)


@given(st.text(), st.text(), answers, st.sampled_from(["eve@evil.example", "bob@x.example", "@note_1.from"]))
def test_what_is_written_into_a_source_reaches_the_parent_through_marked_values_alone(
    one: str, other: str, given_: dict[str, Any], to: str
) -> None:
    """Two worlds differ in what an attacker wrote; where the typed answers are the same, so is every judgement."""
    blanks = (*BLANKS[:3], BLANKS[4])
    judged: list[bool | str] = []
    for body in (one, other):
        world = World("Please send 'hello' to bob@x.example.")
        parent, item = returned(world.branch, side_of(world, body).branch, blanks, given_, today=TODAY)
        assert all(f"mail:{EVE}" in field.mark.origins for field in item.fields.values())
        world.branch = parent
        try:
            judged.append(allowed(world.judge("mail_send", to=[to], body="hello")))
        except ToolError as error:
            judged.append(error.message)
    assert judged[0] == judged[1]
    assert judged[0] is not True or to == "bob@x.example"
