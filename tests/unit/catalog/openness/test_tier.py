"""How free a licence leaves its users: the strictest of what its clauses lead to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.unit.catalog.openness.records import APACHE, SERVICE, WORDS, licence

from isthmus.catalog.openness.tier import tier_of
from isthmus.catalog.records.licence import (
    AnyClause,
    Attribution,
    CommercialUse,
    FieldExclusion,
    HostedService,
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

CAP = UserCap(monthly_users=700_000_000, measured="release_date", effect="need_licence", **WORDS)
NONCOMMERCIAL = CommercialUse(allowed=False, **WORDS)
PREFIX = Redistribution(naming_prefix="Llama", **WORDS)


@pytest.mark.parametrize(("clause", "tier"), [
    (CommercialUse(allowed=True, **WORDS), "permissive"),
    (NONCOMMERCIAL, "noncommercial"),
    (CAP, "scale-conditional"),
    (RevenueCap(amount=Decimal(20_000_000), period="month", effect="no_rights", **WORDS), "scale-conditional"),
    (RevenueCap(amount=Decimal(1), period="year", effect="attribution", **WORDS), "scale-conditional"),
    (FieldExclusion(fields=("maas",), effect="need_licence", **WORDS), "restricted"),
    (TerritoryExclusion(countries=("EU",), applies_to="seat", **WORDS), "restricted"),
    (UsePolicy(mutable=False, proportionate=True, **WORDS), "permissive"),
    (UsePolicy(mutable=True, proportionate=True, **WORDS), "restricted"),
    (UsePolicy(mutable=False, **WORDS), "restricted"),
    (Outputs(train_other_models="free", **WORDS), "permissive"),
    (Outputs(train_other_models="naming_duty", **WORDS), "restricted"),
    (Outputs(train_other_models="free", noncommercial=True, **WORDS), "restricted"),
    (Redistribution(licence_copy=True, notice_file=True, state_changes=True, **WORDS), "permissive"),
    (PREFIX, "restricted"),
    (Redistribution(passes_restrictions=True, **WORDS), "restricted"),
    (Redistribution(allowed=False, **WORDS), "restricted"),
    (Attribution(text="Made with it", **WORDS), "restricted"),
    (Registration(**WORDS), "restricted"),
    (HostedService(effect="need_licence", **WORDS), "restricted"),
    (Termination(on=("breach", "patent_suit", "copyright_suit"), **WORDS), "permissive"),
    (Termination(on=("guardrail_bypass",), **WORDS), "restricted"),
    (Termination(on=("revenue",), **WORDS), "scale-conditional"),
])  # fmt: skip
def test_a_clause_leads_to_a_tier(clause: AnyClause, tier: Tier) -> None:
    assert tier_of(licence("LicenseRef-x", clause)) == tier


def test_the_strictest_clause_decides() -> None:
    assert tier_of(licence("LicenseRef-x", CAP, PREFIX)) == "restricted"
    assert tier_of(licence("LicenseRef-x", PREFIX, NONCOMMERCIAL, CAP)) == "noncommercial"


def test_a_licence_without_conditions_is_permissive_and_no_licence_is_proprietary() -> None:
    assert tier_of(APACHE) == "permissive"
    assert tier_of(SERVICE) == "proprietary"


def test_a_licence_that_grants_less_than_the_common_uses_is_not_permissive() -> None:
    assert tier_of(licence("LicenseRef-x", grants=("internal", "product"))) == "restricted"
    silent = ("internal", "product", "hosted-service", "fine-tune", "redistribute")
    assert tier_of(licence("LicenseRef-x", grants=silent)) == "permissive"  # type: ignore[arg-type]  # uses all of them
