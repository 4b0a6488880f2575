from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.agent.monitor.worlds import NOW, World, allowed, codes, file, mail, mark

from isthmus.agent.approval import Answered, Approval, Verdict
from isthmus.agent.monitor.approving import Answer, answer
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.judging import Ask
from isthmus.agent.tool import ToolResult

EVE = "eve@evil.example"


def asked(world: World) -> tuple[ProposedCall, Approval]:
    call = world.propose("mail_send", to=[EVE], body="hello")
    judgement = world.decide(call)
    assert isinstance(judgement, Ask)
    return call, judgement.approval


def said(approval: Approval, verdict: Verdict) -> Answered:
    return Answered(approval=approval.id, verdict=verdict, by="me", at=NOW)


@pytest.fixture
def world() -> World:
    return World("Please answer the mail.").sees(mail("1", EVE, "hi", "hello?"))


def test_a_yes_is_a_grant_for_what_was_shown(world: World) -> None:
    call, approval = asked(world)
    grant = answer(approval, said(approval, "approve_once"), call, world.branch, NOW).grant
    assert grant is not None
    assert grant.plain() == {"to": [EVE], "body": "hello"}


def test_a_yes_is_void_for_anything_else(world: World) -> None:
    call, approval = asked(world)
    yes = said(approval, "approve_once")
    other = replace(world.propose("mail_send", to=[EVE], body="hello, and all else"), id=call.id)

    def why(given: Answer) -> str:
        assert given.grant is None
        assert given.why is not None
        return given.why.code

    assert why(answer(approval, yes, other, world.branch, NOW)) == "arguments_changed"
    assert why(answer(approval, yes, replace(call, id="call-9"), world.branch, NOW)) == "other_call"
    assert why(answer(approval, replace(yes, approval="approval-9"), call, world.branch, NOW)) == "other_question"
    assert why(answer(approval, yes, call, world.branch, NOW + timedelta(hours=2))) == "expired"
    grant = answer(approval, yes, call, world.branch, NOW).grant
    assert grant is not None
    done = world.branch.acted(call, grant, ToolResult(), NOW, by_person=True)
    assert why(answer(approval, yes, call, done, NOW)) == "already_made"


@pytest.mark.parametrize("verdict", ["redact", "draft_instead", "refuse"])
def test_no_other_answer_makes_the_call(world: World, verdict: Verdict) -> None:
    call, approval = asked(world)
    given = answer(approval, said(approval, verdict), call, world.branch, NOW)
    assert given.grant is None
    assert given.why is not None


def test_an_endorsed_address_is_not_asked_about_again(world: World) -> None:
    call, approval = asked(world)
    given = answer(approval, said(approval, "endorse_value"), call, world.branch, NOW)
    assert given.grant is not None
    world.branch = world.branch.acted(call, given.grant, ToolResult(), NOW, by_person=True)
    world.endorsements = list(given.endorsements)
    assert allowed(world.judge("mail_send", to=[EVE], body="@mail_1.body"))
    assert "destination_not_endorsed" in codes(world.judge("mail_send", to=["eve2@evil.example"], body="hello"))


def test_a_file_is_approved_each_time_and_never_for_good() -> None:
    world = World("Tidy up, delete what is old.").sees(file("f1", "a", "x", mark()), file("f2", "b", "x", mark()))
    judgement = world.judge("file_delete", file="f1")
    assert isinstance(judgement, Ask)
    assert "endorse_value" not in {remedy.code for remedy in judgement.approval.remedies}
    call = world.propose("file_delete", file="f1")
    question = replace(judgement.approval, call=call.id)
    assert answer(question, said(question, "endorse_value"), call, world.branch, NOW).grant is None
