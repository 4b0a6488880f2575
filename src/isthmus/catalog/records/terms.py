"""Terms: what whoever serves a model may do with what it is sent, per tier, with the exceptions."""

from __future__ import annotations

from typing import Literal

import msgspec

from isthmus.catalog.claim import Claim, State
from isthmus.catalog.records.base import Record
from isthmus.domain.licensing import Use
from isthmus.domain.offer import Evidence

TrainingDefault = Literal["never", "opt-in", "opt-out", "always"]
"""Whether what is sent trains models: never; only if one asks for it; unless one objects; without a way out."""


class TrainingTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    default: Claim[TrainingDefault] = Claim()
    human_review: Claim[bool] = Claim()


class RetentionClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that is kept besides, or longer."""

    what: str
    days: Claim[int] = Claim()
    """Unknown: for a time that nobody tells."""
    can_be_disabled: bool | None = None


class ModelException(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models for which other rules hold."""

    models: tuple[str, ...]
    """Ids of model records."""
    days: Claim[int] = Claim()
    zero_retention: bool = False
    """Whether zero retention can be had for them at all."""
    says: str


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long what was sent is kept. Never a yes or no."""

    default_days: Claim[int] = Claim()
    """Longest of what is kept of an ordinary request, without an agreement."""
    stored: Claim[bool] = Claim()
    """Whether prompts and answers are stored by default, where sources disagree on that and none says for how long."""
    classes: tuple[RetentionClass, ...] = ()
    safety_exception: str = ""
    """What is kept longer when it is taken for abuse, in a sentence; empty: nothing is said of it."""
    model_exceptions: tuple[ModelException, ...] = ()


class ZeroRetention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether nothing at all being kept can be had, and how."""

    how: Claim[Literal["default", "self", "approval", "contract", "none"]] = Claim()
    excluded_features: tuple[str, ...] = ()
    excluded_models: tuple[str, ...] = ()
    withdrawable: bool = False
    """Whether the operator may take models out of it later."""


class UseTerm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What they say of one use of the service or of what it answers."""

    use: Use
    permits: Literal["yes", "with_duties", "agreement", "no"]
    says: str
    place: str
    sources: tuple[str, ...]
    state: State = "declared"
    evidence: Evidence = "E1"


class TermsRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Terms of one tier, as `provider/tier`."""

    provider: str
    """Id of a provider record."""
    tier: str
    url: str
    training: TrainingTerms = TrainingTerms()
    retention: Retention = Retention()
    zero_retention: ZeroRetention = ZeroRetention()
    uses: tuple[UseTerm, ...] = ()
    """The clause on competing models is what is said of `train-on-outputs`."""
    output_ownership: Claim[str] = Claim()
    baa: Claim[bool] = Claim()
    """Whether a business associate agreement (HIPAA) can be had."""
    baa_note: str = ""
    downstream: bool = False
    """Whether those of a further operator behind this one hold as well."""
    account_check: str = ""
    """Name of the probe that reads the setting from the account; empty: there is none."""
