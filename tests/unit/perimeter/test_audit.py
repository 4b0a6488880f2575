"""What is said of a policy before a single request: each remark where it belongs, and nowhere else."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.rules import NAMES, offer, offers, policies, policy, rule

from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer, Workload
from isthmus.perimeter.audit import Code, Remark, audit
from isthmus.perimeter.policy import UNREADABLE, Needs, Policy, Rule

OWN = Needs(side=frozenset({"own"}))
EU = Needs(region=frozenset({"EU"}))
HOME = offer("home", side="own", clearance=Clearance(everything=True))
GPT = offer("gpt", region="EU", evidence="E3")
EMAIL = frozenset({"email"})
PHI = Label("phi")


def remarks(
    rules: Policy, *known: Offer, workloads: Iterable[Workload] = (), declared: Iterable[Label] = ()
) -> list[Remark]:
    by_name: Mapping[str, Offer] = {one.name: one for one in known or (HOME, GPT)}
    return list(audit(rules, by_name, {one.name: one for one in workloads}, declared=declared))


def said(code: Code, found: Iterable[Remark]) -> list[tuple[str, str]]:
    """Level and subject of the remarks with a code."""
    return [(remark.level, remark.subject) for remark in found if remark.code == code]


def found(name: str, **fields: object) -> Rule:
    """A rule of something that is looked for."""
    return rule(name, **({"detect": EMAIL, "kinds": EMAIL, "needs": OWN} | fields))


def test_a_policy_in_order_has_no_errors() -> None:
    assert [r for r in remarks(policy(found("phi"), rule("eu", needs=EU))) if r.level == "error"] == []


def test_a_label_that_no_offer_may_see_and_nothing_takes_off() -> None:
    assert said("nothing_cleared", remarks(policy(found("phi")), GPT)) == [("error", "phi")]
    assert said("nothing_cleared", remarks(policy(found("phi")), GPT, HOME)) == []
    assert said("nothing_cleared", remarks(policy(found("phi", lower="redact")), GPT)) == []
    assert said("nothing_cleared", remarks(policy(found("phi", lower="block")), GPT)) == [("error", "phi")]


def test_a_label_that_nothing_is_cleared_for_by_what_it_implies() -> None:
    rules = policy(rule("legal", needs=EU, implies=frozenset({PHI})), found("phi"))
    assert ("error", "legal") in said("nothing_cleared", remarks(rules, GPT))


@given(policies(), st.lists(offers, unique_by=lambda one: one.name))
def test_nothing_cleared_is_told_iff_no_offer_would_be_sent_the_label(rules: Policy, known: list[Offer]) -> None:
    told = {subject for _, subject in said("nothing_cleared", audit(rules, {one.name: one for one in known}, {}))}
    for name, one in rules.rules.items():
        lowerable = frozenset({name}) if one.lower in {"redact", "pseudonymise"} else frozenset[Label]()
        goes = any(rules.lowered(offer_, frozenset({name}), lowerable) is not None for offer_ in known)
        assert (name in told) == (not goes and not lowerable)


@given(policies(), st.lists(offers, unique_by=lambda one: one.name), st.frozensets(st.sampled_from(NAMES)))
def test_a_workload_is_told_of_iff_its_own_labels_keep_every_request_out(
    rules: Policy, known: list[Offer], labels: frozenset[Label]
) -> None:
    by_name = {one.name: one for one in known}
    workload = Workload(name="w", offers=tuple(by_name), labels=labels)
    told = said("workload_refused", audit(rules, by_name, {"w": workload}))
    refused = all(rules.lowered(one, labels, frozenset()) is None for one in known)
    assert (told == [("error", "w")]) == (bool(labels) and refused)


def test_an_offer_that_claims_a_label_whose_needs_it_does_not_meet() -> None:
    claims = offer("gpt", clearance=Clearance(frozenset({PHI})))
    assert said("contradiction", remarks(policy(found("phi")), claims, HOME)) == [("error", "gpt")]
    assert said("contradiction", remarks(policy(rule("phi")), claims, HOME)) == []
    assert said("contradiction", remarks(policy(found("phi")), GPT, HOME)) == []


def test_a_need_for_what_no_offer_is() -> None:
    rules = policy(rule("legal", needs=Needs(region=frozenset({"CH"}))))
    assert said("unknown_fact", remarks(rules)) == [("error", "legal")]
    assert said("unknown_fact", remarks(rules, HOME, offer("swiss", region="CH"))) == []


def test_one_of_several_regions_that_nobody_has_keeps_nobody_out() -> None:
    rules = policy(rule("legal", needs=Needs(region=frozenset({"CH", "EU"}))))
    assert said("unknown_fact", remarks(rules)) == [("note", "legal")]


def test_needs_that_never_decide_because_of_what_the_label_implies() -> None:
    rules = policy(rule("legal", needs=EU, implies=frozenset({PHI})), rule("phi", needs=Needs(region=EU.region)))
    assert said("shadowed", remarks(rules)) == [("error", "legal")]
    rules = policy(rule("legal", needs=OWN, implies=frozenset({PHI})), rule("phi", needs=EU))
    assert said("shadowed", remarks(rules)) == []


def test_needs_that_never_decide_because_another_label_is_found_wherever_this_one_is() -> None:
    more = frozenset({"email", "phone"})
    rules = policy(found("mail", needs=EU), found("pii", kinds=more, needs=Needs(side=OWN.side, region=EU.region)))
    assert said("shadowed", remarks(rules)) == [("error", "mail")]
    lowered = policy(found("mail"), found("pii", kinds=more, lower="redact"))
    assert said("shadowed", remarks(lowered)) == []
    assert said("shadowed", remarks(policy(found("mail"), found("pii", kinds=more, needs=EU)))) == []


def test_of_two_labels_that_are_the_same_one_is_told_of() -> None:
    assert len(said("shadowed", remarks(policy(found("a"), found("b"))))) == 1


def test_labels_that_imply_one_another() -> None:
    a, b = Label("a"), Label("b")
    rules = policy(rule("a", needs=OWN, implies=frozenset({b})), rule("b", needs=OWN, implies=frozenset({a})))
    assert said("circle", remarks(rules)) == [("error", "a")]
    assert said("circle", remarks(policy(rule("a", needs=OWN, implies=frozenset({b})), rule("b", needs=EU)))) == []


def test_a_workload_whose_own_labels_keep_every_request_out() -> None:
    workload = Workload(name="w", offers=("gpt",), labels=frozenset({PHI}))
    assert said("workload_refused", remarks(policy(found("phi")), workloads=[workload])) == [("error", "w")]
    both = Workload(name="w", offers=("gpt", "home"), labels=frozenset({PHI}))
    assert said("workload_refused", remarks(policy(found("phi")), workloads=[both])) == []


def test_a_label_that_nothing_looks_for_and_nothing_declares() -> None:
    rules = policy(rule("legal", needs=EU))
    assert said("never_found", remarks(rules)) == [("note", "legal")]
    assert said("never_found", remarks(rules, declared=[Label("legal")])) == []
    by_workload = Workload(name="w", offers=("gpt",), labels=frozenset({Label("legal")}))
    assert said("never_found", remarks(rules, workloads=[by_workload])) == []
    assert said("never_found", remarks(policy(found("phi")))) == []


@pytest.mark.parametrize(("lower", "told"), [("redact", True), ("pseudonymise", True), ("block", False), (None, False)])
def test_a_label_that_is_taken_off_is_as_tight_as_its_detectors(lower: str | None, told: bool) -> None:
    expected = [("loose", "phi")] if told else []
    assert said("lowered_by_finding", remarks(policy(found("phi", lower=lower)))) == expected


def test_an_offer_that_is_cleared_by_facts_nobody_has_shown() -> None:
    rules = policy(rule("legal", needs=EU))
    assert said("unproved_facts", remarks(rules, offer("gpt", region="EU"))) == [("loose", "gpt")]
    assert said("unproved_facts", remarks(rules, GPT)) == []
    asked = policy(rule("legal", needs=Needs(region=EU.region, evidence_min="E1")))
    assert said("unproved_facts", remarks(asked, offer("gpt", region="EU", evidence="E1"))) == []
    assert said("unproved_facts", remarks(rules, offer("home", region="EU", side="own"))) == []
    assert said("unproved_facts", remarks(rules, offer("gpt", region="US"), HOME)) == []


def test_unreadable_content_that_may_leave() -> None:
    open_ = policy(found("phi"), rule(UNREADABLE, needs=EU))
    assert said("unreadable_leaves", remarks(open_)) == [("loose", "gpt")]
    assert said("unreadable_leaves", remarks(policy(found("phi")))) == []
    implied = policy(found("phi"), rule(UNREADABLE, needs=EU, implies=frozenset({PHI})))
    assert said("unreadable_leaves", remarks(implied)) == []


def test_a_workload_that_lets_unreadable_content_leave() -> None:
    careless = Workload(name="w", offers=("gpt", "home"), unreadable=frozenset())
    assert said("unreadable_leaves", remarks(policy(found("phi")), workloads=[careless])) == [("loose", "w")]
    careful = Workload(name="w", offers=("gpt", "home"), unreadable=frozenset({PHI}))
    assert said("unreadable_leaves", remarks(policy(found("phi")), workloads=[careful])) == []


def test_a_label_that_is_declared_and_has_no_rule() -> None:
    declared = [Label("internal")]
    assert said("no_rule", remarks(policy(found("phi")), declared=declared)) == [("note", "internal")]
    assert said("no_rule", remarks(policy(found("phi"), rule("internal", needs=EU)), declared=declared)) == []
    assert said("no_rule", remarks(policy(), declared=declared)) == []
    assert said("no_rule", remarks(policy(found("phi")), declared=[UNREADABLE])) == []


def test_errors_come_first() -> None:
    levels = [remark.level for remark in remarks(policy(found("phi", lower="redact"), found("legal")), GPT)]
    assert levels == sorted(levels, key=["error", "loose", "note"].index)
    assert set(levels) >= {"error", "loose"}
