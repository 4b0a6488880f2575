"""Which offers serve a request, in which order: a pure function over facts.

First the filter: an offer stays only if it is cleared for the labels, licensed for what the workload is for, can do
what the request needs, has room for it, is not retired and does not rest. Then the order, by the goal of the workload:

    order      as the operator listed them
    cheapest   by expected cost; unknown prices last
    best       by declared or measured quality; unknown last
    fastest    by the moving average of seconds to the first byte; offers not yet measured first, so that they are

Ties keep the operator's order. Every offer that is left out, or put behind another, gets a code and a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from isthmus.domain.decision import Candidate, Decision, Rejection
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Capabilities, Need, Offer, Workload
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import plain
from isthmus.perimeter.policy import Policy
from isthmus.routing.health import HealthBoard
from isthmus.routing.roster import Roster

_NO_LABELS: frozenset[Label] = frozenset()
_NO_RULES = Policy()
_NOBODY: Mapping[str, str] = {}
_CAN: dict[Need, str] = {
    "tools": "call tools",
    "vision": "read images",
    "audio": "listen to sound",
    "documents": "read documents",
    "json_object": "answer in JSON",
    "json_schema": "answer by a JSON schema",
    "logprobs": "return log probabilities",
    "choices": "return more than one answer",
    "reasoning": "reason at a requested effort",
}


def choose(
    workload: Workload,
    facts: RequestFacts,
    labels: tuple[Labelled, ...],
    roster: Roster,
    health: HealthBoard,
    *,
    now: float,
    today: date,
    policy: Policy = _NO_RULES,
    direct: frozenset[Label] | None = None,
    lowerable: frozenset[Label] = _NO_LABELS,
    held_back: Mapping[str, str] = _NOBODY,
) -> Decision:
    """Choose the route of one request.

    Args:
        workload: whose offers are the candidates.
        facts: what the request needs.
        labels: everything known about what is in it, with sources.
        roster: the offers in force.
        health: asked, not changed.
        now: monotonic seconds, on the clock of `health`.
        today: for retirements.
        policy: the rules of labels in force.
        direct: the names of `labels`, without those that others imply; None: none is implied.
        lowerable: those of `direct` that a transform can take off.
        held_back: offers that go last whatever the goal, each with the reason as a sentence.

    Returns:
        The decision. Its route is empty when no offer is left; `rejected` then has a reason for each.
    """
    if direct is None:
        direct = frozenset(labelled.label for labelled in labels) if labels else _NO_LABELS
    candidates: list[Candidate] = []
    rejected: list[Rejection] = []
    for offer_name in workload.offers:
        offer = roster.offers[offer_name]
        lowered = policy.lowered(offer, direct, lowerable) if direct else _NO_LABELS
        if lowered is None:
            reasons = policy.missing(offer, policy.closure(direct))
            sentence = " ".join(reasons[name] for name in sorted(reasons))
            rejected.append(Rejection(offer.name, "not_cleared", sentence))
            continue
        rejection = _barred(offer, workload) or _unfit(offer, facts, today) or _resting(offer, health, now)
        if rejection is None:
            candidates.append(Candidate(offer, facts, lowered))
        else:
            rejected.append(rejection)
    if len(candidates) > 1:
        candidates = _ordered(candidates, workload, health)
        if held_back:
            candidates.sort(key=lambda candidate: candidate.offer.name in held_back)
        first = candidates[0]
        rejected += [
            Rejection(
                c.offer.name,
                "preferred_other",
                held_back.get(c.offer.name) or _preference(c, first, workload, health),
            )
            for c in candidates[1:]
        ]
    return Decision(
        workload=workload.name,
        goal=workload.goal,
        route=tuple(candidates),
        rejected=tuple(rejected),
        labels=labels,
        catalog_version=roster.version,
        policy_version=policy.version,
    )


def _unfit(offer: Offer, facts: RequestFacts, today: date) -> Rejection | None:
    """Why the offer cannot serve this request, whatever its health."""
    if offer.retired_on is not None and offer.retired_on <= today:
        return Rejection(offer.name, "retired", f"{offer.name} was retired on {offer.retired_on.isoformat()}.")
    can = offer.capabilities
    if (unable := _unable(can, facts.operation)) is not None:
        return Rejection(offer.name, "not_capable", f"{offer.name} {unable}.")
    for need in facts.needs:
        if getattr(can, need) == "no":
            return Rejection(offer.name, "not_capable", f"{offer.name} cannot {_CAN[need]}.")
    if can.context_tokens is not None and facts.input_tokens >= can.context_tokens:
        sentence = f"about {facts.input_tokens} tokens of input do not fit the {can.context_tokens} of {offer.name}."
        return Rejection(offer.name, "context_too_long", sentence[0].upper() + sentence[1:])
    asked = facts.max_output_tokens
    if asked is not None and can.output_tokens is not None and asked > can.output_tokens:
        sentence = f"{asked} tokens of output were asked for; {offer.name} gives {can.output_tokens} at most."
        return Rejection(offer.name, "output_too_long", sentence)
    return None


def _barred(offer: Offer, workload: Workload) -> Rejection | None:
    """Why licence or terms keep the offer from what the workload is for."""
    if not offer.barred:
        return None
    sentences = [
        f"{offer.name} may not be used for {use!r}: {ruling.sentence}"
        for use, ruling in offer.barred
        if use in workload.uses
    ]
    return Rejection(offer.name, "not_licensed", " ".join(sentences)) if sentences else None


def _unable(can: Capabilities, operation: Operation) -> str | None:
    """Why an offer cannot do an operation at all, if so.

    Models that answer in words are the rule, those for anything else the exception: what is not known to be one of
    these is none. Tokens need no offer to be counted: an estimate can always be made.
    """
    match operation:
        case "complete" if can.completions == "no":
            return "cannot answer in words"
        case "embed" if can.embeddings != "yes":
            return "is not known to turn texts into vectors (capabilities.embeddings)"
        case "moderate" if can.moderation != "yes":
            return "is not known to judge whether a text is harmful (capabilities.moderation)"
        case _:
            return None


def _resting(offer: Offer, health: HealthBoard, now: float) -> Rejection | None:
    sentence = health.resting(offer.name, now)
    return None if sentence is None else Rejection(offer.name, "resting", sentence)


def _ordered(candidates: list[Candidate], workload: Workload, health: HealthBoard) -> list[Candidate]:
    infinite = Decimal("Infinity")
    match workload.goal:
        case "order":
            return candidates
        case "cheapest":
            return sorted(candidates, key=lambda c: infinite if c.expected_cost is None else c.expected_cost)
        case "best":
            return sorted(candidates, key=lambda c: 1.0 if c.offer.quality is None else -c.offer.quality)
        case "fastest":
            return sorted(candidates, key=lambda c: health.of(c.offer.name).first_byte or 0.0)


def _preference(candidate: Candidate, first: Candidate, workload: Workload, health: HealthBoard) -> str:
    """Why `first` goes before `candidate`, as a sentence."""
    name, other = candidate.offer.name, first.offer.name
    match workload.goal:
        case "order":
            return f"{workload.name} lists {other} before {name}."
        case "cheapest":
            if candidate.expected_cost is None:
                return f"The price of {name} is not known; {other} is expected to cost {_dollars(first.expected_cost)}."
            return (
                f"{name} is expected to cost {_dollars(candidate.expected_cost)}, "
                f"{other} {_dollars(first.expected_cost)}."
            )
        case "best":
            quality = "not known" if candidate.offer.quality is None else f"{candidate.offer.quality:g}"
            against = "not known" if first.offer.quality is None else f"{first.offer.quality:g}"
            return f"The quality of {name} is {quality}, that of {other} {against}."
        case "fastest":
            mine, best = health.of(name).first_byte, health.of(other).first_byte
            if best is None:
                return f"{other} has not been measured yet and is tried before {name}."
            return f"{name} answers after {mine or 0.0:.3f} s on average, {other} after {best:.3f} s."


def _dollars(amount: Decimal | None) -> str:
    return "an unknown amount" if amount is None else f"${plain(amount)}"
