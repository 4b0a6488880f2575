"""Which models are worth trying for what: a rule of thumb over stated facts, and never a claim about quality.

What the organisation tried itself goes before the rule, in both directions.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from math import sqrt

import msgspec

from isthmus.catalog.advice.judgement import FITS, Judgement, opens, rules_out
from isthmus.catalog.advice.question import Capability, Workload
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.records.model import ModelRecord

KEY = "capability"


class Least(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one capability."""

    least: float
    tuned: float
    says: str


class Small(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How vendors call the models that they hold for small, and what those are not recommended for untried."""

    names: frozenset[str]
    not_for: frozenset[str]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    classification: Least
    extraction: Least
    summary: Least
    chat: Least
    coding: Least
    agentic: Least
    small: Small

    def of(self, capability: Capability) -> Least:
        found: Least = getattr(self, capability)
        return found


@cache
def rule() -> Rule:
    """What `capability.toml` says."""
    return msgspec.convert(tomllib.loads(files(__package__).joinpath("capability.toml").read_text()), Rule)


def billions(model: ModelRecord) -> float | None:
    """Size that counts for the rule, in billions; None where it is not known. Of several readings, the smallest."""
    parameters = min(model.parameters.readings, default=None)
    if parameters is None:
        return None
    active = min(model.active_parameters.readings, default=parameters)
    return sqrt(parameters * active) / 1e9


def must_be_tuned(model: ModelRecord, workload: Workload) -> bool:
    """Whether a model is too small as it is, and large enough once it is trained with examples of one's own."""
    size, asked = billions(model), rule().of(workload.capability)
    return workload.examples and size is not None and asked.tuned <= size < asked.least


def judge_capability(model: ModelRecord, workload: Workload, catalog: Catalog, *, own: bool) -> Judgement:
    """Whether a model is worth trying for a workload.

    Args:
        model: the model.
        workload: what is asked of it.
        catalog: by which names of models are known.
        own: whether it runs on machines of one's own, where it can be trained further.
    """
    tried = [_tried(name, model, catalog) for name in workload.accepted]
    if any(_tried(name, model, catalog) for name in workload.refused):
        return rules_out(KEY, f"{model.id} was tried on your work and is not good enough.")
    if workload.quality_min is not None:
        return _by_quality(model, workload, catalog)
    if any(tried):
        return FITS
    if model.kind != "chat":
        return rules_out(KEY, f"{model.id} is a {model.kind} model and follows no instructions.")
    if missing := [kind for kind in workload.input if kind not in model.input]:
        return rules_out(KEY, f"{model.id} does not take {' or '.join(missing)}.")
    least, size = rule().of(workload.capability).least, billions(model)
    if size is None:
        return _by_name(model, workload)
    if size < least and not (own and must_be_tuned(model, workload)):
        return rules_out(
            KEY,
            f"{model.id} counts {_plain(size)} billion parameters; the rule of thumb for {workload.capability} asks "
            f"{_plain(least)}.",
        )
    return FITS


def _tried(name: str, model: ModelRecord, catalog: Catalog) -> bool:
    found = catalog.model(name)
    return found is not None and found.id == model.id


def _by_quality(model: ModelRecord, workload: Workload, catalog: Catalog) -> Judgement:
    measured = [value for name, value in workload.quality.items() if _tried(name, model, catalog)]
    assert workload.quality_min is not None
    if not measured:
        return opens(
            KEY, f"Nobody measured {model.id} on your work.", f"measure {model.id}: {workload.quality_min:g} is needed"
        )
    if min(measured) < workload.quality_min:
        return rules_out(KEY, f"{model.id} reached {min(measured):g} on your work; {workload.quality_min:g} is needed.")
    return FITS


def _by_name(model: ModelRecord, workload: Workload) -> Judgement:
    if any(claim == "none" for claim in model.weights.readings):
        words = set(re.split(r"[^a-z0-9]+", model.id.lower()))
        if workload.capability in rule().small.not_for and words & rule().small.names:
            return opens(
                KEY,
                f"{model.id} is by its name one of its vendor's small models.",
                f"try {model.id} on your own {workload.capability} tasks",
            )
        return FITS
    return opens(KEY, f"Nobody says how large {model.id} is.", f"find out the size of {model.id}, or try it")


def _plain(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
