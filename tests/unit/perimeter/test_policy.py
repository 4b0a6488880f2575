"""Laws of the rules: they decide what may leave."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.rules import label_sets, needs, offer, offers, policies, policy, rule

from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import UNREADABLE, Needs, Policy


@given(policies(), offers, label_sets, label_sets)
def test_more_labels_never_widen_the_choice(
    rules: Policy, some: Offer, labels: frozenset[Label], more: frozenset[Label]
) -> None:
    if not rules.missing(some, rules.closure(labels | more)):
        assert not rules.missing(some, rules.closure(labels))


@given(policies(), offers, label_sets, label_sets, label_sets, label_sets)
def test_nor_do_they_where_labels_can_be_taken_off(
    rules: Policy,
    some: Offer,
    labels: frozenset[Label],
    more: frozenset[Label],
    lowerable: frozenset[Label],
    spoiled: frozenset[Label],
) -> None:
    """Whether the new ones can be taken off or not, and where old ones now stand in more places than can be mended."""
    if rules.lowered(some, labels | more, (labels | more) & lowerable - spoiled) is not None:
        assert rules.lowered(some, labels, labels & lowerable) is not None


@given(policies(), offers, label_sets, label_sets)
def test_what_is_left_after_lowering_is_cleared(
    rules: Policy, some: Offer, labels: frozenset[Label], lowerable: frozenset[Label]
) -> None:
    taken = rules.lowered(some, labels, lowerable & labels)
    if taken is not None:
        assert taken <= lowerable
        assert not rules.missing(some, rules.closure(labels - taken))


@given(policies(), label_sets)
def test_a_closure_is_closed_and_holds_what_it_began_with(rules: Policy, labels: frozenset[Label]) -> None:
    closed = rules.closure(labels)
    assert closed >= labels
    assert rules.closure(closed) == closed


@given(needs, offers)
def test_a_fact_that_becomes_unknown_never_clears_an_offer(asked: Needs, some: Offer) -> None:
    vague = replace(some, region=None, jurisdiction=None, retention_days=None, training="unknown", evidence="E0")
    if list(asked.unmet(some)):
        assert list(asked.unmet(vague))


@given(needs, needs, offers)
def test_needs_that_include_others_are_met_by_no_more_offers(one: Needs, other: Needs, some: Offer) -> None:
    if one.includes(other) and not list(one.unmet(some)):
        assert not list(other.unmet(some))


@given(needs)
def test_needs_include_themselves(asked: Needs) -> None:
    assert asked.includes(asked)


@given(policies(), label_sets)
def test_an_offer_cleared_for_everything_sees_everything(rules: Policy, labels: frozenset[Label]) -> None:
    assert not rules.missing(offer(clearance=Clearance(everything=True)), labels)


def test_a_label_without_a_rule_is_seen_by_offers_that_name_it_only() -> None:
    rules = policy()
    named = offer(clearance=Clearance(frozenset({Label("x")})))
    assert not rules.missing(named, [Label("x")])
    assert list(rules.missing(offer(), [Label("x")]).values()) == ["a is not cleared for label 'x'."]


def test_the_reason_names_every_need_that_is_not_met() -> None:
    rules = policy(
        rule("pii", needs=Needs(region=frozenset({"EU"}), training="never", retention_days_max=0, evidence_min="E3"))
    )
    [reason] = rules.missing(offer(region="US", retention_days=30), [Label("pii")]).values()
    assert reason == (
        "a is not cleared for label 'pii': it processes in US, not in EU, and it may keep what it was sent for "
        "30 days, 0 days at most are allowed, and it has training 'unknown', 'never' is needed, and it has its facts "
        "on evidence E0, E3 is needed."
    )


def test_what_cannot_be_read_stays_on_own_ground_unless_a_rule_says_otherwise() -> None:
    assert policy().missing(offer(), [UNREADABLE])
    assert not policy().missing(offer(side="own"), [UNREADABLE])
    loose = policy(rule("unreadable", needs=Needs(side=frozenset({"closed"}))))
    assert not loose.missing(offer(), [UNREADABLE])


def test_another_offer_of_the_same_name_is_judged_anew() -> None:
    rules = policy(rule("phi", needs=Needs(side=frozenset({"own"}))))
    assert not rules.missing(offer(side="own"), [Label("phi")])
    assert rules.missing(offer(side="closed"), [Label("phi")])


@given(policies(), offers, st.lists(label_sets, max_size=5))
def test_what_was_asked_before_changes_no_answer(rules: Policy, some: Offer, asked: list[frozenset[Label]]) -> None:
    fresh = [Policy(rules.rules, rules.version).missing(some, sorted(labels)) for labels in asked]
    assert [rules.missing(some, sorted(labels)) for labels in asked] == fresh
