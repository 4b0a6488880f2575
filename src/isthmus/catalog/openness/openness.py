"""The result of looking at how open a model is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.catalog.records.licence import Tier
from isthmus.catalog.records.model import ComponentName, DataState, Openness, WeightsState

RULES = "isthmus-openness-1"
"""Name and version of our own rules."""

HEADLINES = ("closed", "restricted weights", "open weights", "open weights with parts", "fully open")

Docs = Literal["none", "card", "report", "card and report"]
"""What documents there are of a model, under whatever licence."""

Standing = Literal["counts", "no open licence", "licence unknown", "in part", "missing", "unknown"]
"""How a component stands: it is there under an open licence; it is there, under another or none; there, and nobody
says under which; not all of it is there; it is not there; nobody says whether it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What the headline is computed from. None: not known."""

    weights: WeightsState | None
    licence: Tier | None
    data: DataState | None
    train_code: Openness | None
    checkpoints: bool | None
    docs: Docs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one component stands under a set of rules."""

    component: ComponentName
    standing: Standing
    licences: tuple[str, ...]
    """It is under one of these, or under all where sources disagree; empty: not known."""

    @property
    def counts(self) -> bool:
        return self.standing == "counts"

    @property
    def unknown(self) -> bool:
        """Whether it might count, for all that is known."""
        return self.standing in {"unknown", "licence unknown"}

    @property
    def says(self) -> str:
        """The standing for people: `no open licence (CC-BY-NC-4.0)`."""
        return f"{self.standing} ({', '.join(self.licences)})" if self.standing == "no open licence" else self.standing


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
    parts: tuple[Part, ...] = ()
    """Every component that the rules look at; empty: they look at none."""


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
    missing: tuple[str, ...] = ()
    """What stands between the model and the next headline; empty: it has the highest."""

    @property
    def title(self) -> str:
        return "unknown" if self.headline is None else HEADLINES[self.headline]
