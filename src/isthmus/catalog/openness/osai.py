"""The European Open Source AI Index: twelve dimensions, each open, partial or closed, and our sum of them.

Source:
    https://osai-index.eu/, database of 2026-06-12 (Language-Technology-Assessment/main-database, CC-BY-4.0), file
    `_parameters.yml`. The sum is ours: the index itself gives none.
"""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.catalog.claim import Claim
from isthmus.catalog.openness.openness import Badge

RULES = "osai-index"

DIMENSIONS = (
    "datasources_basemodel",
    "datasources_endmodel",
    "weights_basemodel",
    "weights_endmodel",
    "trainingcode",
    "code",
    "hardware_architecture",
    "preprint",
    "paper",
    "modelcard",
    "datasheet",
    "licenses",
)

_POINTS = {"open": 1.0, "partial": 0.5}


def index_sum(classes: Mapping[str, str]) -> float:
    """Of the classes by dimension: open 1, partial 0.5, all else, and what is not filled in, 0."""
    return sum(_POINTS.get(classes.get(dimension, ""), 0.0) for dimension in DIMENSIONS)


_FAMILIES = "It rates families by their largest model."


def badge(found: Claim[float]) -> Badge:
    """The sum as a badge; the lowest, where there are several. The note says of what the sum is, where that differs."""
    if not found.readings:
        return Badge(rules=RULES, result="unknown")
    result = f"{min(found.readings):g} of {len(DIMENSIONS)}"
    return Badge(rules=RULES, result=result, note=f"{found.note} {_FAMILIES}".strip())
