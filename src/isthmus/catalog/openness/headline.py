"""The headline: how open a model is as a number from 0 to 4, by rules of our own (`isthmus-openness-1`).

| | |
| --- | --- |
| 0 closed | there are no weights |
| 1 restricted weights | there are weights, and their licence is not known to be permissive |
| 2 open weights | permissive licence, data closed or only described |
| 3 open weights with parts | permissive licence, and data in part or all of it, or the code that trained it |
| 4 fully open | permissive licence on weights and code, and data and training code both open |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from isthmus.catalog.records.licence import Tier
from isthmus.catalog.records.model import DataState, Openness, WeightsState


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the headline is computed from, each at the lowest of its readings. None: not known."""

    weights: WeightsState | None
    licence: Tier | None
    data: DataState | None
    train_code: Openness | None
    code_licence_open: bool | None
    """Whether the code that trained it is under an open licence."""


_BEST = Facts(weights="public", licence="permissive", data="open", train_code="open", code_licence_open=True)

_NAMES = {
    "weights": "weights",
    "licence": "licence",
    "data": "training data",
    "train_code": "training code",
    "code_licence_open": "licence of the training code",
}


def headline(facts: Facts) -> int | None:
    """The level. What is not known counts as the least there is; None: not even whether there are weights is known."""
    if facts.weights is None:
        return None
    if facts.weights == "none":
        return 0
    if facts.licence != "permissive":
        return 1
    if facts.data == "open" and facts.train_code == "open" and facts.code_licence_open:
        return 4
    return 3 if facts.data in {"partial", "open"} or facts.train_code == "open" else 2


def missing(facts: Facts) -> tuple[str, ...]:
    """What stands between a model and the next level, in the order of the rules; empty: it has the highest."""
    match headline(facts):
        case None:
            return ("whether there are weights",)
        case 0:
            return ("weights",)
        case 1:
            return ("a permissive licence",)
        case 2:
            return ("the training data, or a part of it, or the training code",)
        case _:
            needed = {
                "all of the training data": facts.data == "open",
                "all of the training code": facts.train_code == "open",
                "an open licence on the training code": facts.code_licence_open is True,
            }
            return tuple(name for name, there in needed.items() if not there)


def might_raise(facts: Facts) -> tuple[str, ...]:
    """The unknown facts without which the headline cannot be what it might be if all of them were at their best."""
    unknown = [field.name for field in fields(Facts) if getattr(facts, field.name) is None]
    best = _with_best(facts, unknown)
    if headline(best) == headline(facts):
        return ()

    def needed() -> Iterator[str]:
        for name in unknown:
            without = _with_best(facts, [other for other in unknown if other != name])
            if headline(without) != headline(best):
                yield _NAMES[name]

    return tuple(needed())


def _with_best(facts: Facts, names: list[str]) -> Facts:
    return replace(facts, **{name: getattr(_BEST, name) for name in names})
