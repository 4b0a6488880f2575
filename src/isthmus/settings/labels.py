"""From the labels of the file to the policy in force."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping

from isthmus.detectors.registry import deep_kinds, groups, kinds
from isthmus.domain.label import Label, label
from isthmus.perimeter.policy import Needs, Policy, Rule
from isthmus.settings.lines import KeyPath
from isthmus.settings.problems import Problems, did_you_mean, shown
from isthmus.settings.schema import LabelTable, NeedsTable


def rule_of(name: str, table: LabelTable, path: KeyPath, offers: Iterable[str], problems: Problems) -> Rule | None:
    """The rule of one label; None where something about it is not right, which is then among the problems."""
    before = len(problems)
    try:
        own = label(name)
    except ValueError as exc:
        problems.add(path, f"is not a label: {exc}")
        return None
    found = _kinds(table, path, problems)
    if table.otherwise in {"redact", "pseudonymise"} and not found:
        problems.add((*path, "else"), "can take nothing off: nothing is looked for. Say `detect`, or take `else` out")
    needs = None if table.needs is None else _needs(table.needs, path, offers, problems)
    if len(problems) > before:
        return None
    return Rule(
        label=own,
        needs=needs,
        detect=frozenset(table.detect),
        kinds=found,
        lower=table.otherwise,
        implies=frozenset(Label(implied) for implied in table.implies) - {own},
        strict=table.ledger == "strict",
        remember_days=table.remember_days,
    )


def policy_of(rules: Mapping[Label, Rule]) -> Policy:
    """The policy of all rules, with its version: 16 hexadecimal digits, or none where there are no rules."""
    return Policy(rules, hashlib.sha256(rules_text(rules).encode()).hexdigest()[:16]) if rules else Policy()


def rules_text(rules: Mapping[Label, Rule]) -> str:
    """All rules as canonical JSON: what the version of a policy is the hash of."""
    content = [dataclasses.asdict(rules[name]) for name in sorted(rules)]
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=sorted)


def _kinds(table: LabelTable, path: KeyPath, problems: Problems) -> frozenset[str]:
    """The kinds that `detect` names, groups taken apart."""
    found: set[str] = set()
    known_groups, known_kinds = groups(), kinds()
    for wanted in table.detect:
        if wanted in known_groups:
            found |= known_groups[wanted]
        elif wanted in known_kinds:
            found.add(wanted)
        elif wanted in deep_kinds():
            problems.add(
                (*path, "detect"),
                f"{shown(wanted)} is found by `isthmus scan --deep` alone, which no request waits for: take it out",
            )
        else:
            problems.add(
                (*path, "detect"),
                f"{shown(wanted)} is nothing a detector finds. {did_you_mean(wanted, [*known_groups, *known_kinds])}",
            )
    return frozenset(found)


def _needs(table: NeedsTable, path: KeyPath, offers: Iterable[str], problems: Problems) -> Needs | None:
    known = list(offers)
    for offer in table.offers:
        if offer not in known:
            problems.add((*path, "needs", "offers"), f"{shown(offer)} is not an offer. {did_you_mean(offer, known)}")
    if table == NeedsTable():
        problems.add((*path, "needs"), "asks for nothing, so every offer would see the label. Say what it must be")
    return Needs(
        side=frozenset(table.side),
        region=frozenset(table.region),
        jurisdiction=frozenset(table.jurisdiction),
        retention_days_max=table.retention_days_max,
        training=table.training,
        evidence_min=table.evidence_min,
        offers=frozenset(table.offers),
    )
