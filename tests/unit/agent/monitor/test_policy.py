from __future__ import annotations

import re

import pytest
from tests.unit.agent.monitor.worlds import TOOLS

from isthmus.agent.monitor.policy import fingerprint, read, shipped
from isthmus.domain.errors import ConfigError


def test_a_file_says_only_what_it_changes() -> None:
    policy = read('[never]\nlabels = ["secret"]\n[effects]\nsend = "ask"\n')
    assert policy.never_labels == {"secret"}
    assert policy.effects["send"] == "ask"
    assert policy.effects["read"] == shipped().effects["read"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[senders]\nx = 1", r"\[senders\] is no section"),
        ("[never]\nhosts = []", "never.hosts is no rule"),
        ('[effects]\nsend = "allow"', "effects.send has to be one of endorsed, ask, never"),
        ('[effects]\ndestroy = "wanted"', "effects.destroy"),
        ('[keep]\nsilent = ["letter"]', "no kind 'letter'"),
        ('[people]\nletter = ["to"]', "no kind 'letter'"),
        ("[limits]\nper_turn = -1", "at least 0"),
        ("[limits]\nper_turn = true", "at least 0"),
        ('[never]\nlabels = ["Not A Label"]', "is no label"),
        ('[never]\ntools = "mail_send"', "list of texts"),
    ],
)
def test_a_rule_that_nobody_enforces_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert len(caught.value.problems) == 1
    assert re.search(says, caught.value.problems[0])


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match="no TOML"):
        read("[never")


def test_a_rule_about_a_tool_that_is_not_there_is_told() -> None:
    policy = read('[never]\ntools = ["mail_sent", "mail_send"]')
    assert policy.unenforceable(TOOLS.values()) == ("never.tools names 'mail_sent', and there is no such tool.",)


def test_two_policies_have_one_fingerprint_if_they_say_the_same() -> None:
    assert fingerprint(read("")) == fingerprint(shipped())
    assert fingerprint(read("[limits]\nmoney_unsaid = 20")) != fingerprint(shipped())
