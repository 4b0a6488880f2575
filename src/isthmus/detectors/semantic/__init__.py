"""Tier 2 of the detectors: a gate that goes by meaning (extra `semantic`).

Importing this costs nothing; `make` loads the embedding.
"""

from __future__ import annotations

from pathlib import Path

from isthmus.detectors.semantic.kinds import GROUPS, KINDS, NAME, TIER
from isthmus.domain.ports import Detector

__all__ = ["GROUPS", "KINDS", "NAME", "TIER", "make"]


def make(weights: Path | None = None) -> Detector:
    """The gate with the shipped weights, or with those of a file.

    Raises:
        ConfigError: the extra `semantic` is not installed, or the weights cannot be used.
    """
    from isthmus.detectors.semantic.gate import make as make_gate  # noqa: PLC0415 - numpy and 72 MB only when asked for

    return make_gate(weights)
