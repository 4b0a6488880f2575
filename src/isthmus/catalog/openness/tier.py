"""How free a licence leaves whoever uses the weights, in one word, computed from its clauses."""

from __future__ import annotations

from isthmus.catalog.records.licence import (
    AnyClause,
    Attribution,
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
    Tier,
    UsePolicy,
    UserCap,
)
from isthmus.domain.licensing import Use

TIERS: tuple[Tier, ...] = ("proprietary", "noncommercial", "restricted", "scale-conditional", "permissive")
"""From the strictest to the freest."""

FREE_USES: frozenset[Use] = frozenset({"internal", "product", "hosted-service", "fine-tune", "redistribute"})
"""What a permissive licence grants. Of training on outputs many say nothing, and silence takes nothing away."""


def tier_of(licence: LicenceRecord) -> Tier:
    """The strictest tier that the grant or any clause of a licence leads to.

    Duties that cost nothing but a copy, a notice or a name in the documents leave a licence permissive, and so does a
    policy of uses that does no more than keep people safe and cannot be changed later.
    """
    if licence.proprietary:
        return "proprietary"
    granted: Tier = "permissive" if set(licence.grants) >= FREE_USES else "restricted"
    return min((granted, *(_tier_by(clause) for clause in licence.clauses)), key=TIERS.index)


def _tier_by(clause: AnyClause) -> Tier:
    match clause:
        case CommercialUse(allowed=False):
            return "noncommercial"
        case UserCap() | RevenueCap():
            return "scale-conditional"
        case Termination(on=events) if "revenue" in events:
            return "scale-conditional"
        case FieldExclusion() | TerritoryExclusion() | Attribution() | Registration() | HostedService():
            return "restricted"
        case UsePolicy(proportionate=proportionate, mutable=mutable) if not proportionate or mutable:
            return "restricted"
        case Outputs(train_other_models=rule, noncommercial=noncommercial) if rule != "free" or noncommercial:
            return "restricted"
        case Redistribution() if not clause.allowed or clause.passes_restrictions or clause.naming_prefix:
            return "restricted"
        case Termination(on=events) if {"guardrail_bypass", "licensor_may_update"} & set(events):
            return "restricted"
        case _:
            return "permissive"
