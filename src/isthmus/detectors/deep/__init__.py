"""Tier 3 of the detectors: Presidio, which reads grammar to find names (extra `deep-detect`). Off the road.

It costs some hundred times what the rules cost, so no request waits for it, and no policy can name its kinds.
Importing this costs nothing; `make` loads the language model.
"""

from __future__ import annotations

from pathlib import Path

from isthmus.detectors.deep.kinds import GROUPS, KINDS, NAME, TIER
from isthmus.domain.ports import Detector

__all__ = ["GROUPS", "KINDS", "NAME", "TIER", "make"]


def make(weights: Path | None = None) -> Detector:  # noqa: ARG001 - every detector is made alike; nothing is fitted here
    """Presidio over the best language model that is installed.

    Raises:
        ConfigError: the extra `deep-detect` or a language model is not installed, or does not load.
    """
    from isthmus.detectors.deep.presidio import Presidio  # noqa: PLC0415 - seconds and hundreds of MB

    return Presidio()
