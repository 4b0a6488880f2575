"""A licence as clauses that a programme can check: who may do what, up to which size, where, with which duties.

A clause says in our words what stands where; the licence's text is never kept here. What a licence does not say is
silence and stays silence: no clause is made up for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from isthmus.catalog.claim import State
from isthmus.catalog.records.base import Record
from isthmus.domain.licensing import Use
from isthmus.domain.offer import Evidence

Effect = Literal["no_rights", "need_licence", "attribution", "notice", "security_review"]
"""What happens to who is above a cap, in an excluded field or place: no rights at all; an agreement is needed; the
name must be shown; the licensor must be told; the licensor must review."""

Tier = Literal["proprietary", "noncommercial", "restricted", "scale-conditional", "permissive"]


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="clause"):
    """What all clauses have."""

    says: str
    """What it says, in a sentence of ours."""
    place: str
    """Where it stands: `section 2`, `preamble`."""
    sources: tuple[str, ...]
    """Keys of the record's `sources`."""
    state: State = "verified"
    evidence: Evidence = "E1"
    uses: tuple[Use, ...] = ()
    """The uses it bears on; empty: every use, or those that the kind of clause implies."""


class Grant(Clause, frozen=True, kw_only=True, tag="grant"):
    """What it permits, before its conditions; where `uses` is empty, all that the record's `grants` name."""


class CommercialUse(Clause, frozen=True, kw_only=True, tag="commercial_use"):
    """Whether it may be used in business."""

    allowed: bool
    unless_agreed: bool = True
    """Where it is not allowed: whether the licensor offers another licence."""


class UserCap(Clause, frozen=True, kw_only=True, tag="user_cap"):
    """What changes for who has many users."""

    monthly_users: int
    at_least: bool = False
    """Whether the number itself is above the cap."""
    measured: Literal["release_date", "rolling"] = "rolling"
    effect: Effect
    text: str = ""
    """What must be shown, where the effect is `attribution`."""


class RevenueCap(Clause, frozen=True, kw_only=True, tag="revenue_cap"):
    """What changes for who earns much."""

    amount: Decimal
    currency: str = "USD"
    period: Literal["month", "year"]
    at_least: bool = False
    scope: Literal["company", "group", "maas", "product"] = "company"
    """Whose revenue counts. maas: the group's, and only where it runs a model service."""
    effect: Effect
    text: str = ""
    """What must be shown, where the effect is `attribution`."""


class FieldExclusion(Clause, frozen=True, kw_only=True, tag="field_exclusion"):
    """Businesses that it does not cover."""

    fields: tuple[Literal["maas", "ai_work_assistant", "military"], ...]
    effect: Effect
    internal_exempt: bool = False


class TerritoryExclusion(Clause, frozen=True, kw_only=True, tag="territory_exclusion"):
    """Places that it does not cover."""

    countries: tuple[str, ...]
    """ISO 3166-1 alpha-2, or `EU`, `EEA`."""
    applies_to: Literal["seat", "place_of_use"]
    models: Literal["all", "multimodal"] = "all"
    effect: Effect = "no_rights"


class UsePolicy(Clause, frozen=True, kw_only=True, tag="use_policy"):
    """A list of forbidden purposes that comes with it."""

    url: str = ""
    mutable: bool
    """Whether the licensor may change it under you."""
    proportionate: bool | None = None
    """Whether it does no more than keep people safe. None: to be judged by people."""


class Outputs(Clause, frozen=True, kw_only=True, tag="outputs"):
    """What may be trained on what the model says."""

    train_other_models: Literal["free", "naming_duty", "same_terms", "forbidden"]
    name: str = ""
    """With which the name of a model trained on outputs must begin."""
    text: str = ""
    """What must be shown where such a model is passed on or offered."""
    noncommercial: bool = False


class Redistribution(Clause, frozen=True, kw_only=True, tag="redistribution"):
    """What must come along when weights, or what was made from them, are passed on."""

    allowed: bool = True
    licence_copy: bool = False
    notice_file: bool = False
    notice_text: str = ""
    """Line that the licence prescribes for that file."""
    state_changes: bool = False
    attribution_text: str = ""
    """Which the licence prescribes, such as `Built with Llama`."""
    passes_restrictions: bool = False
    """Whether its restrictions must be handed on."""
    naming_prefix: str = ""
    """With which the name of a derived model must begin."""
    hosting_counts: bool = False
    """Whether serving it to others counts as passing it on."""


class Attribution(Clause, frozen=True, kw_only=True, tag="attribution"):
    """What must be shown to users, whatever the size."""

    text: str


class Registration(Clause, frozen=True, kw_only=True, tag="registration"):
    """That one has to register or write first."""

    contact: str = ""


class HostedService(Clause, frozen=True, kw_only=True, tag="hosted_service"):
    """That offering it to others as a service needs more."""

    effect: Effect


class Termination(Clause, frozen=True, kw_only=True, tag="termination"):
    """What ends it."""

    on: tuple[
        Literal["breach", "patent_suit", "copyright_suit", "guardrail_bypass", "licensor_may_update", "revenue"], ...
    ] = msgspec.field(name="causes")
    """In files `causes`: YAML takes an unquoted `on` for a yes."""


AnyClause = (
    Grant
    | CommercialUse
    | UserCap
    | RevenueCap
    | FieldExclusion
    | TerritoryExclusion
    | UsePolicy
    | Outputs
    | Redistribution
    | Attribution
    | Registration
    | HostedService
    | Termination
)


class LicenceRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One licence in one version, by SPDX identifier or as `LicenseRef-isthmus-…`."""

    spdx: str | None = None
    scancode: str | None = None
    """Key of the ScanCode licence database."""
    names: tuple[str, ...] = ()
    """Other names that people and hubs give it, in lower case."""
    licensor: str = ""
    """Id of the provider record of who gives it; empty: anybody may. Whoever is served by the licensor itself is bound
    by the licensor's terms, not by this."""
    text_url: str
    """https; empty where there is no text."""
    text_sha256: tuple[str, ...] = ()
    """Of texts known to be it (see `licensing.text.digest`)."""
    text_version: str = ""
    osi_approved: bool
    fsf_libre: bool = False
    proprietary: bool = False
    """No licence to weights at all: what may be done stands in the terms of whoever serves the model."""
    grants: tuple[Use, ...]
    """The uses that it grants expressly or by its general grant, before its conditions are looked at."""
    clauses: tuple[AnyClause, ...] = ()
    superseded_by: str | None = None
