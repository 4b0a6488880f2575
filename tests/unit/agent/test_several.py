"""Several accounts of one kind do not get in each other's way."""

from dataclasses import dataclass, replace

import pytest
from tests.fakes.agent_scene import NOW, Mail, MemoryLog, MemoryMarks, Scripted, ended, mail

from isthmus.agent import Agent
from isthmus.agent.monitor.policy import shipped
from isthmus.agent.several import told_apart
from isthmus.domain.errors import ConfigError

pytestmark = pytest.mark.anyio


@dataclass
class Box(Mail):
    account: str = "work"


def test_one_account_keeps_the_short_names() -> None:
    assert next(spec.name for spec in told_apart([Box()])["mail"].specs) == "mail_search"


def test_of_several_each_bears_the_name_of_its_account() -> None:
    found = told_apart([Box(account="Work & Co"), Box(account="home")])
    assert sorted(found) == ["mail_home", "mail_work_co"]
    spec = found["mail_work_co"].specs[0]
    assert (spec.name, spec.summary) == ("mail_work_co_search", "Does mail_search, account Work & Co.")


def test_the_same_account_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="two tool sets mail_work"):
        told_apart([Box(), Box()])


async def test_a_call_goes_to_the_account_that_its_tool_names() -> None:
    work = Box({"<1@x>": mail("<1@x>", "a@b.c", "x")}, account="work")
    home = Box(account="home")
    says = ("mail_home_send", {"to": ["bob@example.org"], "text": "I will be late"})
    agent = Agent(
        reasoner=Scripted([says], "Done."),
        toolsets=[work, home],
        log=MemoryLog(),
        marks=MemoryMarks(),
        hold_seconds=0,
        clock=lambda: NOW,
    )
    said = "Send a mail to bob@example.org from home saying 'I will be late'."
    assert ended([one async for one in agent.turn(said, conversation="c")]).outcome == "done"
    assert (len(work.sent), len(home.sent)) == (0, 1)


def test_a_rule_about_a_tool_that_is_not_there_keeps_the_agent_from_starting() -> None:
    policy = replace(shipped(), never_tools=frozenset({"mail_burn"}))
    with pytest.raises(ConfigError) as caught:
        Agent(reasoner=Scripted("x"), toolsets=[Mail()], log=MemoryLog(), marks=MemoryMarks(), policy=policy)
    assert caught.value.problems == ("never.tools names 'mail_burn', and there is no such tool.",)
