"""Looks at one model: headline, what it is computed from, and what other sets of rules make of the same facts.

Nothing that is not known raises anything, and where sources disagree the lowest of the readings counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from isthmus.catalog.claim import Claim
from isthmus.catalog.openness import ai_act, mof, osai, osaid
from isthmus.catalog.openness.components import Release, release_of
from isthmus.catalog.openness.headline import Facts, headline, might_raise, missing
from isthmus.catalog.openness.open_licences import UNLICENSED, Licences, open_by_paper
from isthmus.catalog.openness.openness import Assessment, Axes, Docs
from isthmus.catalog.openness.tier import TIERS, tier_of
from isthmus.catalog.records.licence import Tier
from isthmus.catalog.records.model import DataState, ModelRecord, Openness, WeightsState

T = TypeVar("T")

_WEIGHTS: tuple[WeightsState, ...] = ("none", "gated", "public")
_DATA: tuple[DataState, ...] = ("closed", "described", "partial", "open")
_OPENNESS: tuple[Openness, ...] = ("closed", "partial", "open")


def assess(model: ModelRecord, licences: Licences) -> Assessment:
    """How open a model is.

    Args:
        model: its record.
        licences: licence records by id. A licence that is not among them is a licence that is not known.
    """
    release = release_of(model)
    facts = Facts(
        weights=_lowest(model.weights, _WEIGHTS),
        licence=_tier(model.licence, licences),
        data=_lowest(model.training.data, _DATA),
        train_code=_lowest(model.training.code, _OPENNESS),
        code_licence_open=_code_licence_open(release, licences),
    )
    return Assessment(
        model=model.id,
        headline=headline(facts),
        axes=Axes(
            weights=facts.weights,
            licence=facts.licence,
            data=facts.data,
            train_code=facts.train_code,
            checkpoints=_lowest(model.training.checkpoints, (False, True)),
            docs=_docs(model, release),
        ),
        unknown=might_raise(facts),
        badges=(
            mof.badge(release, mof.TOOL, licences),
            mof.badge(release, mof.PAPER, licences),
            osaid.badge(release, facts.data, licences),
            ai_act.badge(model, licences),
            osai.badge(model.osai_sum),
        ),
        missing=missing(facts),
    )


def _lowest(claim: Claim[T], order: Sequence[T]) -> T | None:
    return min(claim.readings, key=order.index, default=None)


def _tier(licence: Claim[str], licences: Licences) -> Tier | None:
    """The strictest tier of all readings. None: the licence is not known, or a reading of it has no record."""
    tiers = [tier_of(licences[name]) if name in licences else None for name in licence.readings]
    known = [tier for tier in tiers if tier is not None]
    return min(known, key=TIERS.index) if known and len(known) == len(tiers) else None


def _code_licence_open(release: Release, licences: Licences) -> bool | None:
    under = release.licences_of("training_code")
    return all(name != UNLICENSED and open_by_paper(name, licences) for name in under) if under else None


def _docs(model: ModelRecord, release: Release) -> Docs | None:
    """What documents there are, under whatever licence."""

    def there(*names: str) -> bool | None:
        seen = [given.present for name, given in release.components.items() if name in names]
        if any(present in {"yes", "partial"} for present in seen):
            return True
        return False if len(seen) == len(names) and None not in seen else None

    card = True if model.card.url else there("model_card")
    report = there("technical_report", "research_paper")
    if card:
        return "card and report" if report else "card"
    if report:
        return "report"
    return "none" if card is False and report is False else None
