"""The result of looking at how open a model is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.catalog.records.licence import Tier
from isthmus.catalog.records.model import DataState, Openness, WeightsState

RULES = "isthmus-openness-1"
"""Name and version of our own rules."""

HEADLINES = ("closed", "restricted weights", "open weights", "open weights with parts", "fully open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What the headline is computed from. None: not known."""

    weights: WeightsState | None
    licence: Tier | None
    data: DataState | None
    train_code: Openness | None
    checkpoints: bool | None
    docs: Literal["none", "card", "card and report"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What another set of rules makes of the same facts."""

    rules: str
    """Name and version: `mof-1.0-tool`, `mof-1.0-paper`, `osaid-1.0-checklist`, `ai-act-53-2`, `osai-index`."""
    result: str
    """`class III`, `unclassified`, `meets the checklist`, `passes`, `5.5 of 12`, `unknown`, …"""
    missing: tuple[str, ...] = ()
    """What stands between the model and the next better result."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """How open one model is."""

    model: str
    headline: int | None
    """0 to 4, by `HEADLINES`; None: not even whether there are weights is known."""
    axes: Axes
    unknown: tuple[str, ...]
    """Facts that are not known and might raise the headline. They never do."""
    badges: tuple[Badge, ...]

    @property
    def title(self) -> str:
        return "unknown" if self.headline is None else HEADLINES[self.headline]
