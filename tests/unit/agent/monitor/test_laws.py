"""What holds for every world, every word a model writes and every call it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.agent.monitor.worlds import NOW, TOOLS, World, contact, event, file, mail, mailto

from isthmus.agent.approval import Answered
from isthmus.agent.marks import USER, Mark, Origin, Readers
from isthmus.agent.monitor.approving import answer
from isthmus.agent.monitor.endorsing import Case
from isthmus.agent.monitor.judging import Allowed, Ask
from isthmus.agent.monitor.replay import again, outcome, readout, record, replay, written
from isthmus.agent.ports import LoggedEvent
from isthmus.agent.tool import Item, ToolResult
from isthmus.domain.errors import ToolError

PEOPLE = ("bob@x.example", "carol@x.example", "eve@evil.example", "me@home.example")
NAMES = ("plan.docx", "salary.xlsx", "holiday plans", "minutes")

SAYINGS: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("What is in my mail?", frozenset(), frozenset()),
    ("Send a short summary to bob@x.example, please.", frozenset({"bob@x.example"}), frozenset()),
    ("Forward the file 'plan.docx' to bob@x.example.", frozenset({"bob@x.example"}), frozenset({"plan.docx"})),
    ("Please delete the file 'salary.xlsx'.", frozenset(), frozenset()),
    ("Share the document 'minutes' with carol@x.example.", frozenset({"carol@x.example"}), frozenset({"minutes"})),
    (
        "Create an event 'Lunch' on 2026-11-30 and post 'See you' to the 'team' channel.",
        frozenset({"team"}),
        frozenset(),
    ),
    ("Send a mail to each person, saying 'Happy new year'.", frozenset(PEOPLE), frozenset()),
    ("Look at www.news.example and message Bob what it says.", frozenset({"bob"}), frozenset()),
)
"""What the user says, to whom it sends something, and the names of the things that it sends."""

Draw = Callable[[st.SearchStrategy[Any]], Any]

readers = st.one_of(
    st.just(Readers(everyone=True)),
    st.frozensets(st.sampled_from([mailto(one) for one in PEOPLE]), max_size=2).map(Readers),
)
origins = st.sampled_from([Origin("unknown"), USER, Origin("mail:eve@evil.example"), Origin("web:news.example")])
marks = st.builds(lambda who, by: Mark(readers=who, origins=frozenset({by})), readers, origins)


def canary(number: int) -> str:
    return f"canary{number:03}secret"


@st.composite
def things(draw: st.DrawFn) -> list[Item]:
    """Things of which every one holds a canary of its own."""
    found: list[Item] = []
    for number in range(draw(st.integers(1, 5))):
        secret, bears = canary(number), draw(marks)
        name = draw(st.sampled_from(NAMES))
        match draw(st.sampled_from(["file", "mail", "event", "contact"])):
            case "file":
                found.append(file(f"f{number}", name, f"{secret} www.evil.example", bears, size=number))
            case "mail":
                made = mail(f"m{number}", draw(st.sampled_from(PEOPLE)), name, secret)
                found.append(replace(made, fields={key: replace(one, mark=bears) for key, one in made.fields.items()}))
            case "event":
                made = event(f"e{number}", name, NOW, draw(st.lists(st.sampled_from(PEOPLE), max_size=2)), secret)
                found.append(replace(made, fields={key: replace(one, mark=bears) for key, one in made.fields.items()}))
            case _:
                found.append(
                    contact(draw(st.sampled_from(["Bob", "Carol", secret])), draw(st.sampled_from(PEOPLE)), bears)
                )
    return found


def texts(world: World) -> st.SearchStrategy[str]:
    """What a model that is the attacker's would write: all it has seen, others' addresses, the user's words, ids."""
    seen = [
        str(one.value) for shown in world.branch.shelf.shown for one in shown.item.fields.values() if not shown.closed
    ]
    pieces = st.sampled_from(
        [*seen, *PEOPLE, *NAMES, "Happy new year", "See you", "team", "Bob", "www.evil.example/?q=", "7"]
    )
    return st.one_of(pieces, st.lists(pieces, min_size=1, max_size=4).map(" ".join), st.just(" ".join(seen)))


def arguments(draw: Draw, world: World, tool: str) -> dict[str, Any]:
    """Any arguments; often such as the user's words could be thought to cover, which is where a gate leaks."""
    near = next(named for said, named, _ in SAYINGS if said == world.words)
    references = [f"@{shown.handle}" for shown in world.branch.shelf.shown]
    references += [f"@{one.reference}" for one in world.branch.shelf.fields()]
    ids = [shown.item.id for shown in world.branch.shelf.shown]
    result: dict[str, Any] = {}
    for parameter in TOOLS[tool].parameters:
        if not parameter.required and parameter.role != "destination" and draw(st.integers(0, 2)) == 0:
            continue
        if parameter.kind == "amount":
            result[parameter.name] = draw(st.integers(0, 10**9))
            continue
        value = st.one_of(texts(world), st.sampled_from([*references, *ids, *PEOPLE]))
        if parameter.role == "destination" and near and draw(st.integers(0, 4)):
            value = st.sampled_from(sorted(near))
        elif parameter.role == "object" and ids and draw(st.integers(0, 4)):
            value = st.sampled_from([*ids, *(f"@{shown.handle}" for shown in world.branch.shelf.shown)])
        elif parameter.kind == "text" and draw(st.booleans()):
            value = st.sampled_from([*references, "hello", "Happy new year", "See you"])
        result[parameter.name] = draw(st.lists(value, min_size=1, max_size=2)) if parameter.many else draw(value)
    return result


@st.composite
def scenes(draw: st.DrawFn) -> tuple[World, int, list[Item]]:
    number = draw(st.integers(0, len(SAYINGS) - 1))
    world, found = World(SAYINGS[number][0]), draw(things())
    for item in found:
        world.sees(item, tool=draw(st.sampled_from(["look", "list"])))
    return world, number, found


def attempt(draw: Draw, world: World, tool: str) -> Any:
    try:
        return world.propose(tool, **arguments(draw, world, tool))
    except ToolError:
        return None


SENDS = [name for name, spec in TOOLS.items() if spec.effect == "send"]
TRIED = [name for name, spec in TOOLS.items() if spec.effect != "read"]


@settings(max_examples=150, deadline=None)
@given(scenes(), st.data())
def test_no_secret_goes_to_who_may_not_read_it_and_nothing_to_whom_nobody_named(
    scene: tuple[World, int, list[Item]], data: st.DataObject
) -> None:
    world, number, found = scene
    _, named, sent = SAYINGS[number]
    for _ in range(data.draw(st.integers(1, 4))):
        call = attempt(data.draw, world, data.draw(st.sampled_from([*TRIED, *SENDS, *SENDS])))
        if call is None or not isinstance(judgement := world.decide(call), Allowed):
            continue
        if call.spec.effect in {"send", "fetch"}:
            told = {party for _, worth in call.played("destination") for party in worth.parties}
            if call.spec.effect == "send":
                for _, worth in call.played("destination"):
                    assert str(worth.value).casefold() in named
            carried = " ".join(str(worth.value) for worths in call.values.values() for worth in worths)
            touched = {
                reference.partition(".")[0]
                for worths in call.values.values()
                for w in worths
                for reference in w.references
            }
            for secret, item in enumerate(found):
                shown = next(one for one in world.branch.shelf.shown if one.item.id == item.id)
                disclosed = canary(secret) in carried or (
                    shown.handle in touched and any(w.value == item.id for ws in call.values.values() for w in ws)
                )
                if disclosed:
                    names = {str(one.value) for key, one in item.fields.items() if key in {"name", "subject", "title"}}
                    assert names & sent or (shown.mark.readers.include(told) and (told or shown.mark.readers.everyone))
        world.branch = world.branch.acted(call, judgement.grant, _nothing(), NOW)


def _nothing() -> ToolResult:
    return ToolResult()


@settings(max_examples=120, deadline=None)
@given(scenes(), marks, st.data())
def test_more_taint_never_makes_a_call_allowed(
    scene: tuple[World, int, list[Item]], more: Mark, data: st.DataObject
) -> None:
    world, _, _ = scene
    tool = data.draw(st.sampled_from(TRIED))
    given_ = arguments(data.draw, world, tool)
    tainted = replace(world)
    if data.draw(st.booleans()):
        tainted.branch = world.branch.heard(more)
    else:
        shown = tuple(
            replace(
                one,
                item=replace(
                    one.item,
                    fields={key: replace(f, mark=f.mark.joined(more)) for key, f in one.item.fields.items()},
                ),
            )
            for one in world.branch.shelf.shown
        )
        tainted.branch = replace(world.branch, shelf=replace(world.branch.shelf, shown=shown))
    try:
        before, after = world.judge(tool, **given_), tainted.judge(tool, **given_)
    except ToolError:
        return
    assert isinstance(before, Allowed) or not isinstance(after, Allowed)


@settings(max_examples=60, deadline=None)
@given(scenes(), st.data())
def test_an_approval_is_void_for_any_other_argument_and_a_grant_is_given_once(
    scene: tuple[World, int, list[Item]], data: st.DataObject
) -> None:
    world, _, _ = scene
    tool = data.draw(st.sampled_from(TRIED))
    call, other = attempt(data.draw, world, tool), attempt(data.draw, world, tool)
    if call is None or not isinstance(asked := world.decide(call), Ask):
        return
    said = Answered(approval=asked.approval.id, verdict="approve_once", by="me", at=NOW)
    granted = answer(asked.approval, said, call, world.branch, NOW)
    assert granted.grant is not None
    assert granted.grant.digest == asked.approval.digest == call.digest
    if other is not None:
        changed = replace(other, id=call.id)
        assert (answer(asked.approval, said, changed, world.branch, NOW).grant is None) == (
            changed.digest != call.digest
        )
        assert answer(asked.approval, said, replace(call, id=other.id), world.branch, NOW).grant is None
    after = world.branch.acted(call, granted.grant, _nothing(), NOW, by_person=True)
    assert answer(asked.approval, said, call, after, NOW).grant is None
    world.branch = after
    assert not isinstance(world.decide(call), Allowed | Ask)


@settings(max_examples=60, deadline=None)
@given(scenes(), st.data())
def test_every_decision_is_made_again_from_its_record(
    scene: tuple[World, int, list[Item]], data: st.DataObject
) -> None:
    world, _, _ = scene
    call = attempt(data.draw, world, data.draw(st.sampled_from(TRIED)))
    if call is None:
        return
    case = Case(call=call, branch=world.branch, intents=world.intents, endorsements=(), policy=world.policy, now=NOW)
    judgement = world.decide(call)
    assert outcome(again(readout(Case, written(case)))) == outcome(judgement)
    event_ = LoggedEvent(seq=1, conversation="talk", turn="1", kind="judged", at=NOW, content=record(case, judgement))
    assert replay([event_]) == []
    lie = replace(event_, content={**event_.content, "outcome": "allowed 0"})
    assert [one.was for one in replay([lie])] == ["allowed 0"]
