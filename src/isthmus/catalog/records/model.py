"""A model: weights with an identity, how open they are, what they can do. Who serves it is an offer's matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

import msgspec

from isthmus.catalog.claim import Claim
from isthmus.catalog.records.base import Record

WeightsState = Literal["none", "gated", "public"]
"""none: nobody outside gets them; gated: after asking or giving one's name; public: anybody may fetch them."""

Openness = Literal["closed", "partial", "open"]
DataState = Literal["closed", "described", "partial", "open"]

Relation = Literal["finetune", "quantized", "merge", "adapter", "distilled"]

Presence = Literal["yes", "partial", "no"]

ComponentName = Literal[
    "model_architecture",
    "model_parameters_final",
    "technical_report",
    "evaluation_results",
    "model_card",
    "data_card",
    "sample_model_outputs",
    "training_code",
    "inference_code",
    "evaluation_code",
    "evaluation_data",
    "supporting_libraries_and_tools",
    "datasets",
    "data_preprocessing_code",
    "model_parameters_intermediate",
    "research_paper",
    "model_metadata",
]
"""The 17 components of the Model Openness Framework 1.0, as its reference tool has them."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the weights: where one revision of them is."""

    repo: str = ""
    """`owner/name` at the hub, or an address; empty: not published."""
    revision: str = ""
    """Commit; empty: the records holds for whatever revision has the licence's text."""
    formats: tuple[str, ...] = ()


class Component(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One component of a release, and under which licence it is given."""

    present: Claim[Presence]
    licence: str = ""
    """SPDX identifier, `LicenseRef-…`, or `unlicensed` (there, without a licence); empty: not said for it alone."""
    url: str = ""


class Producer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    seat: Claim[str] = Claim()
    """ISO 3166-1 alpha-2."""


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    relation: Relation


class Benchmark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A score that somebody published."""

    name: str
    score: float
    metric: str
    by: Literal["vendor", "independent"]
    sources: tuple[str, ...]
    harness: str = ""


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known and given of how it was trained."""

    data: Claim[DataState] = Claim()
    code: Claim[Openness] = Claim()
    checkpoints: Claim[bool] = Claim()
    """Whether intermediate checkpoints are published."""
    compute_flop: Claim[float] = Claim()
    summary_url: Claim[str] = Claim()
    """The public summary of training content of Art. 53(1)(d) AI Act."""


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The maker's card, in our words."""

    url: str = ""
    intended_use: str = ""
    out_of_scope: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


class ModelRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, as `producer/name`."""

    family: str
    version: str = ""
    aliases: tuple[str, ...] = ()
    """Other names it goes by: at hubs, at providers' APIs; in lower case. No two models share one."""
    producer: Producer
    released: Claim[date] = Claim()
    kind: Literal["chat", "base", "embedding", "moderation"] = "chat"
    input: tuple[str, ...] = ("text",)
    """Modalities."""
    output: tuple[str, ...] = ("text",)
    context_tokens: Claim[int] = Claim()
    output_tokens: Claim[int] = Claim()
    parameters: Claim[int] = Claim()
    active_parameters: Claim[int] = Claim()
    """That one token is computed with."""
    knowledge_cutoff: Claim[str] = Claim()
    """`YYYY-MM`."""
    weights: Claim[WeightsState] = Claim()
    where: Part = Part()
    bases: tuple[Base, ...] = ()
    licence: Claim[str] = Claim()
    """Id of a licence record. Other readings where the text was changed after release, or sources disagree."""
    licence_revisions: tuple[str, ...] = ()
    """SHA-256 of the LICENSE files of the repository that were read, newest last (see `licensing.text.digest`)."""
    components: Mapping[ComponentName, Component] = {}
    """What is not named is not known to be there."""
    global_licences: Mapping[Literal["code", "data", "document", "distribution"], str] = {}
    """Licence of all components of a type, or of all, that have none of their own (Model Openness Framework)."""
    training: Training = Training()
    card: Card = Card()
    benchmarks: tuple[Benchmark, ...] = ()
    osai_sum: Claim[float] = Claim()
    """Sum of the European Open Source AI Index over its 12 dimensions, open 1, partial 0.5."""
    systemic_risk: Claim[bool] = Claim()
    """Whether it is a general-purpose model with systemic risk (AI Act, Art. 51)."""
    code_of_practice: Claim[str] = Claim()
    """What its maker signed of the General-Purpose AI Code of Practice."""
    collects_personal_data: Claim[bool] = Claim()
    """Whether whoever fetches the weights must give personal data."""
