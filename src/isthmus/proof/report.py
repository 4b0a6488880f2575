"""The report for programmes: all that a run showed, as plain JSON values."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from typing import Any

from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import UNREADABLE, Needs, Policy, Rule
from isthmus.proof.endpoints import ENDPOINTS
from isthmus.proof.matrix import lines
from isthmus.proof.plan import FAILURES
from isthmus.proof.run import Proof
from isthmus.proof.verdict import Result

FORMAT = 1

NOT_COVERED = (
    "Offers themselves: stand-ins took their places, so nothing is said of what a provider does with what it is sent.",
    "Texts other than the canaries. A detector has misses, which the reference of detectors states; what it misses "
    "bears no label.",
    "Paraphrase: lineage knows text again that is quoted, not what is said in other words.",
    "What a client does with an answer, and what passes by isthmus altogether.",
)


def report(proof: Proof) -> dict[str, Any]:
    """All of it. Canaries appear by kind, never by text."""
    settings = proof.settings
    verdicts = proof.verdicts()
    return {
        "format": FORMAT,
        "isthmus": version("isthmus"),
        "holds": proof.holds,
        "began": proof.began.isoformat(timespec="seconds"),
        "seconds": round(proof.seconds, 1),
        "quick": proof.plan.quick,
        "settings": {
            "file": None if settings.source is None else str(settings.source),
            "sha256": proof.settings_hash,
            "catalog_version": settings.version,
            "policy_version": settings.policy.version,
        },
        "policy": policy_rows(settings.policy),
        "offers": [offer_row(offer) for offer in settings.offers.values()],
        "workloads": [
            {"workload": one.name, "offers": one.offers, "labels": sorted(one.labels)}
            for one in settings.workloads.values()
        ],
        "endpoints": [endpoint.title for endpoint in ENDPOINTS],
        "failures": FAILURES,
        "coverage": coverage(proof),
        "counts": {
            "requests": len(proof.results),
            "controls": sum(result.cell.label is None for result in proof.results),
            **{verdict: verdicts[verdict] for verdict in ("held", "lowered", "crossed", "forbidden")},
        },
        "matrix": [
            {"label": line.label, "way": line.way.title, "cells": line.cells, "offers": line.verdicts}
            for line in lines(proof)
        ],
        "violations": [violation_row(result) for result in proof.violations],
        "traces": [dataclasses.asdict(trace) for trace in proof.traces],
        "strays": dict(proof.strays),
        "blind": [control_row(result) for result in proof.blind],
        "shut": [control_row(result) for result in proof.shut],
        "faults": [violation_row(result) for result in proof.faults],
        "searched": {"log_lines": proof.log_lines, "files": proof.files},
        "untried": sorted({f"{r.cell.label}, {r.cell.way.title}: {r.untried}" for r in proof.results if r.untried}),
        "not_covered": [*proof.plan.left_out, *NOT_COVERED],
        "repeat": repeat(proof),
    }


def coverage(proof: Proof) -> str:
    """What of all that could be tried was tried, as a sentence."""
    first = (
        "Every label by every way in, at every endpoint, towards every workload and offer"
        if proof.plan.full
        else "Every label by every way in, towards an offer that may not see it where there is one; every pair of "
        "label, way in, endpoint, and workload or offer"
    )
    second = (
        "each failure with each label, endpoint, and workload or offer, in a plain message"
        if proof.plan.quick
        else "each failure with each label, way in, endpoint, and workload or offer (all pairs); each kind of text in "
        "two ways at least"
    )
    return f"{first}; {second}."


def repeat(proof: Proof) -> str:
    """The command that shows it again."""
    source = proof.settings.source
    return (
        "isthmus perimeter test" + (f" --config {source}" if source else "") + (" --quick" if proof.plan.quick else "")
    )


def policy_rows(policy: Policy) -> list[dict[str, Any]]:
    return [_rule(rule) for rule in policy.rules.values()]


def offer_row(offer: Offer) -> dict[str, Any]:
    cleared = offer.clearance
    return {
        "offer": offer.name,
        "model": offer.model,
        "dialect": offer.dialect,
        "side": offer.side,
        "region": offer.region,
        "jurisdiction": offer.jurisdiction,
        "retention_days": offer.retention_days,
        "training": offer.training,
        "evidence": offer.evidence,
        "cleared": "everything" if cleared.everything else sorted(cleared.labels),
    }


def violation_row(result: Result) -> dict[str, Any]:
    cell = result.cell
    return {
        "label": cell.label or UNREADABLE,  # a control has none of its own
        "kind": cell.kind,
        "way": cell.way.title,
        "endpoint": cell.endpoint.title,
        "asked_for": cell.target,
        "failure": None if cell.failure == "none" else f"{cell.failing} {FAILURES[cell.failure]}",
        "reasons": dict(result.reasons),
        "status": result.status,
    }


def control_row(result: Result) -> dict[str, Any]:
    cell = result.cell
    return {"way": cell.way.title, "endpoint": cell.endpoint.title, "asked_for": cell.target, "code": result.code}


def needs_told(needs: Needs | None) -> dict[str, Any] | None:
    """What an offer must be, as far as anything is asked."""
    if needs is None:
        return None
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in ((field.name, getattr(needs, field.name)) for field in dataclasses.fields(needs))
        if value not in (None, frozenset())
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "label": rule.label,
        "detect": sorted(rule.detect),
        "needs": needs_told(rule.needs),
        "else": rule.lower,
        "implies": sorted(rule.implies),
        "strict": rule.strict,
        "remember_days": rule.remember_days,
    }
