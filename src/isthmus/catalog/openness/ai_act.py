"""The licence test of Art. 53(2) of the AI Act: would the licence let a maker off some duties, as open source does?

Only the licence and what comes with fetching the weights are looked at. A licence must allow access, use, change and
distribution; it may ask for attribution, for the same terms, and for what is proportionate to keep people safe. It must
not be for research only or not for business, hang on how many users one has or what one earns, or leave some
businesses to another, paid licence. Models with systemic risk are never exempt. Not legal advice.

Source:
    Regulation (EU) 2024/1689, Art. 53(2); guidelines C(2025) 7719 of the Commission, paragraphs 78 to 92.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from isthmus.catalog.openness.open_licences import Licences
from isthmus.catalog.openness.openness import Badge
from isthmus.catalog.openness.tier import FREE_USES
from isthmus.catalog.records.licence import (
    AnyClause,
    CommercialUse,
    FieldExclusion,
    HostedService,
    LicenceRecord,
    Outputs,
    Redistribution,
    Registration,
    RevenueCap,
    Termination,
    TerritoryExclusion,
    UsePolicy,
    UserCap,
)
from isthmus.catalog.records.model import ModelRecord

RULES = "ai-act-53-2"

Result = Literal["fails", "unknown", "review", "passes"]

RESULTS: tuple[Result, ...] = ("fails", "unknown", "review", "passes")
"""What decides first. unknown: nothing known disqualifies it, but a fact is missing; review: people must judge."""


_NOTE = "A test of the licence alone. Copyright policy and the summary of training content stay duties."


class Finding(NamedTuple):
    """One thing that keeps a model from passing."""

    result: Result
    says: str


def badge(model: ModelRecord, licences: Licences) -> Badge:
    """What comes of the test. Of several readings of a fact, the one that passes least counts."""
    found = sorted(_findings(model, licences), key=lambda finding: RESULTS.index(finding.result))
    result = found[0].result if found else "passes"
    # Once something disqualifies it, what is not known no longer matters.
    telling = [finding for finding in found if result != "fails" or finding.result != "unknown"]
    missing = tuple(dict.fromkeys(finding.says for finding in telling))
    but_for_that = "But for that it passes. " if result == "unknown" and len(missing) == 1 else ""
    return Badge(rules=RULES, result=result, missing=missing, note=but_for_that + _NOTE)


def _findings(model: ModelRecord, licences: Licences) -> Iterator[Finding]:
    if "none" in model.weights.readings:
        yield Finding("fails", "The weights are not published.")
    elif not model.weights.known:
        yield Finding("unknown", "Whether the weights are published is not known.")
    if not model.licence.known:
        yield Finding("unknown", "The licence is not known.")
    for name in model.licence.readings:
        licence = licences.get(name)
        if licence is None:
            yield Finding("unknown", f"Of the licence {name} no clauses are known.")
        else:
            yield from _of_licence(licence)
    if True in model.systemic_risk.readings:
        yield Finding("fails", "A model with systemic risk is not exempt.")
    elif not model.systemic_risk.known:
        yield Finding("unknown", "Whether it is a model with systemic risk is not known.")
    if "gated" in model.weights.readings:
        personal = model.collects_personal_data
        if not personal.known:
            yield Finding("review", "Whether one must give personal data to fetch the weights is not known.")
        elif True in personal.readings:
            yield Finding("review", "Who fetches the weights must give personal data, which may count as payment.")


def _of_licence(licence: LicenceRecord) -> Iterator[Finding]:
    if licence.proprietary:
        yield Finding("fails", f"There is no licence to the weights ({licence.id}).")
        return
    if missing := sorted(FREE_USES - set(licence.grants)):
        yield Finding("fails", f"It grants no {', '.join(missing)} ({licence.id}).")
    for clause in licence.clauses:
        result = _of_clause(clause)
        if result is not None:
            yield Finding(result, f"{clause.says.rstrip('.')} ({licence.id}, {clause.place}).")


def _of_clause(clause: AnyClause) -> Result | None:
    """None: a clause that an open licence may have."""
    match clause:
        case CommercialUse(allowed=False) | UserCap() | RevenueCap() | TerritoryExclusion():
            return "fails"
        case Redistribution(allowed=False) | UsePolicy(proportionate=False) | Outputs(noncommercial=True):
            return "fails"
        case Termination(on=events) if "revenue" in events:
            return "fails"
        case FieldExclusion(fields=fields):
            return "review" if set(fields) == {"military"} else "fails"
        case HostedService(effect=effect):
            return "fails" if effect in {"no_rights", "need_licence"} else "review"
        case Termination(on=events) if {"guardrail_bypass", "licensor_may_update"} & set(events):
            return "review"
        case UsePolicy(proportionate=None) | UsePolicy(mutable=True) | Registration():
            return "review"
        case Outputs(train_other_models="forbidden"):
            return "review"
        case _:
            return None
