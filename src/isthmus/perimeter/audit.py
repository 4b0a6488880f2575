"""What can be said of a policy without a single request: where it cannot be enforced, and where it is loose.

Rules are facts about facts, so these are proofs over the offers there are, not samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from isthmus.domain.label import Label
from isthmus.domain.offer import Offer, Workload
from isthmus.perimeter.policy import UNREADABLE, Needs, Policy, Rule

Level = Literal["error", "loose", "note"]
"""error: it cannot be enforced or contradicts itself. loose: it lets through what one may not expect. note: good to
know."""

Code = Literal[
    "nothing_cleared",
    "contradiction",
    "unknown_fact",
    "shadowed",
    "circle",
    "workload_refused",
    "never_found",
    "lowered_by_finding",
    "unproved_facts",
    "unreadable_leaves",
    "no_rule",
]
"""
nothing_cleared      no offer may see the label, and no transform takes it off
contradiction        an offer says it is cleared for a label whose needs it does not meet
unknown_fact         a need names a value that no offer has
shadowed             the needs of a label never decide: another label that is always there asks for as much or more
circle               labels imply one another
workload_refused     every request of a workload is refused by its own labels
never_found          nothing looks for the label and nothing declares it
lowered_by_finding   a transform takes the label off what detectors find; what they miss crosses
unproved_facts       an offer is cleared by facts that only you have declared
unreadable_leaves    an offer that is not your own may see content that no detector can read
no_rule              a label is declared somewhere and has no rule
"""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is to be said of a policy."""

    level: Level
    code: Code
    subject: str
    """The label, offer or workload."""
    sentence: str


def audit(
    policy: Policy,
    offers: Mapping[str, Offer],
    workloads: Mapping[str, Workload],
    *,
    declared: Iterable[Label] = (),
) -> Sequence[Remark]:
    """All that is to be said, errors first.

    Args:
        policy: the rules.
        offers: all there are.
        workloads: all there are.
        declared: labels that keys declare.
    """
    remarks = [
        *_labels(policy, offers),
        *_offers(policy, offers),
        *_workloads(policy, offers, workloads),
        *_names(policy, workloads, frozenset(declared)),
    ]
    order: dict[Level, int] = {"error": 0, "loose": 1, "note": 2}
    return sorted(remarks, key=lambda remark: order[remark.level])


def _labels(policy: Policy, offers: Mapping[str, Offer]) -> Iterator[Remark]:
    for name, rule in policy.rules.items():
        closed = policy.closure({name})
        cleared = [offer for offer in offers.values() if not policy.missing(offer, closed)]
        if not cleared and not rule.is_lowered:
            yield Remark(
                "error",
                "nothing_cleared",
                name,
                f"No offer is cleared for {name!r} and no transform takes it off: every request that bears it is "
                "refused. Add an offer that meets its needs, or ask for less.",
            )
        yield from _facts(name, rule.needs, offers)
        for other in sorted(closed - {name}):
            if name in policy.closure({other}):
                if name < other:
                    yield Remark(
                        "error", "circle", name, f"{name!r} and {other!r} imply one another. Make them one label."
                    )
            elif rule.needs is not None and _asks_as_much(policy.rule(other), rule.needs):
                yield Remark(
                    "error",
                    "shadowed",
                    name,
                    f"The needs of {name!r} never decide: it implies {other!r}, which asks for as much or more. Take "
                    "the one or the other out.",
                )
        yield from _twins(policy, rule)
        if rule.is_lowered:
            yield Remark(
                "loose",
                "lowered_by_finding",
                name,
                f"{name!r} is taken off by {rule.lower} where {', '.join(sorted(rule.detect))} is found. What a "
                "detector misses crosses to offers that are not cleared: see its misses in the reference of detectors.",
            )


def _facts(name: Label, needs: Needs | None, offers: Mapping[str, Offer]) -> Iterator[Remark]:
    if needs is None:
        return
    for fact in ("region", "jurisdiction"):
        wanted: frozenset[str] = getattr(needs, fact)
        known = {value for offer in offers.values() if (value := getattr(offer, fact)) is not None}
        # One of several is enough: only where none of them is anywhere does it keep everybody out.
        level: Level = "note" if wanted & known else "error"
        for value in sorted(wanted - known):
            told = f"known are {', '.join(sorted(known))}" if known else "no offer says its own"
            yield Remark(level, "unknown_fact", name, f"{name!r} needs {fact} {value!r}, which no offer has; {told}.")


def _asks_as_much(rule: Rule, needs: Needs) -> bool:
    return rule.needs is not None and rule.needs.includes(needs)


def _twins(policy: Policy, rule: Rule) -> Iterator[Remark]:
    """Labels that are found by no more than what another, stricter one is found by."""
    if not rule.kinds or rule.needs is None:
        return
    for name, other in policy.rules.items():
        if (
            name != rule.label
            and rule.kinds <= other.kinds
            and _asks_as_much(other, rule.needs)
            and (rule.kinds < other.kinds or name < rule.label)
            and (other.lower is None or other.lower == rule.lower)
        ):
            yield Remark(
                "error",
                "shadowed",
                rule.label,
                f"The needs of {rule.label!r} never decide where it is found: {name!r} is found there too and asks for "
                "as much or more. Look for something else, or take it out.",
            )


def _offers(policy: Policy, offers: Mapping[str, Offer]) -> Iterator[Remark]:
    for offer in offers.values():
        if offer.clearance.everything:
            continue
        for name in sorted(offer.clearance.labels):
            rule = policy.rules.get(name)
            if rule is not None and rule.needs is not None and (unmet := list(rule.needs.unmet(offer))):
                yield Remark(
                    "error",
                    "contradiction",
                    offer.name,
                    f"{offer.name} says that it is cleared for {name!r}, but it {', and it '.join(unmet)}. The needs "
                    "hold. Take the label out of `cleared`, or mend the facts.",
                )
        for name, rule in policy.rules.items():
            needs = rule.needs
            if (
                needs is not None
                and offer.side != "own"
                and offer.evidence in {"E0", "E1"}
                and needs.evidence_min is None
                and (needs.region or needs.jurisdiction or needs.training or needs.retention_days_max is not None)
                and not policy.missing(offer, policy.closure({name}))
            ):
                yield Remark(
                    "loose",
                    "unproved_facts",
                    offer.name,
                    f"{offer.name} is cleared for {name!r} by facts on evidence {offer.evidence}. Ask for more with "
                    "`evidence_min`.",
                )
        if offer.side != "own" and policy.has_rules and not policy.missing(offer, policy.closure({UNREADABLE})):
            yield Remark(
                "loose",
                "unreadable_leaves",
                offer.name,
                f"{offer.name} may see images and other content that no detector can read.",
            )


def _workloads(policy: Policy, offers: Mapping[str, Offer], workloads: Mapping[str, Workload]) -> Iterator[Remark]:
    for workload in workloads.values():
        closed = policy.closure(workload.labels)
        if closed and all(policy.missing(offers[name], closed) for name in workload.offers):
            yield Remark(
                "error",
                "workload_refused",
                workload.name,
                f"No offer of workload {workload.name!r} is cleared for its own labels: every request is refused.",
            )
        if policy.has_rules and workload.unreadable is not None:
            closed = policy.closure(workload.unreadable)
            out = [
                name
                for name in workload.offers
                if offers[name].side != "own" and not policy.missing(offers[name], closed)
            ]
            if out:
                yield Remark(
                    "loose",
                    "unreadable_leaves",
                    workload.name,
                    f"Images of workload {workload.name!r} may go to {', '.join(out)}, unread.",
                )


def _names(policy: Policy, workloads: Mapping[str, Workload], declared: frozenset[Label]) -> Iterator[Remark]:
    by_workloads = {
        name for workload in workloads.values() for name in workload.labels | (workload.unreadable or set())
    }
    implied = {name for rule in policy.rules.values() for name in rule.implies}
    named = by_workloads | implied | declared
    if not policy.has_rules:
        return
    for name in sorted(named - policy.rules.keys() - {UNREADABLE}):
        yield Remark(
            "note", "no_rule", name, f"{name!r} has no rule: only offers that list it in `cleared` may see it."
        )
    for name, rule in policy.rules.items():
        if not rule.kinds and name not in named and name != UNREADABLE:
            yield Remark(
                "note",
                "never_found",
                name,
                f"Nothing looks for {name!r} and no workload or key declares it: it comes from clients and registered "
                "documents only.",
            )
