"""The Model Openness Framework 1.0: class III, II or I, and what is missing for the next.

Two sets of rules. `mof-1.0-tool` is what the reference tool does, quirks included. `mof-1.0-paper` is what the paper
says where it differs: datasets count under any licence and without one; the open licences that the tool's list misses
or misspells (PDDL-1.0, OpenMDW-1.1) are open.

Source:
    White et al., arXiv 2403.13784; lfai/model_openness_tool, commit 8b5d30e of 2026-05-11.
"""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.catalog.openness.components import COMPONENTS, KINDS, Class, Release, title
from isthmus.catalog.openness.open_licences import Judge, Licences, open_by_paper, open_by_tool
from isthmus.catalog.openness.openness import Badge, Part
from isthmus.catalog.records.model import ComponentName

CLASSES: tuple[Class, ...] = ("III", "II", "I")
"""From the easiest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    name: str
    is_open: Judge
    any_licence: frozenset[ComponentName] = frozenset()
    """Components that count under whatever licence."""
    note: str


TOOL = Rules(name="mof-1.0-tool", is_open=open_by_tool, note="As the reference tool counts.")
PAPER = Rules(
    name="mof-1.0-paper",
    is_open=open_by_paper,
    any_licence=frozenset({"datasets"}),
    note="As the paper counts: datasets under any licence.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What a set of rules makes of a release."""

    achieved: Class | None
    """None: not even class III."""
    parts: tuple[Part, ...]
    """All 17 components."""
    failing: tuple[Part, ...]
    """Those that the next class needs and that do not count; empty: it has the best class."""

    @property
    def undecided(self) -> bool:
        """Whether there is no class, and all that stands in the way is what nobody knows."""
        return self.achieved is None and all(part.unknown for part in self.failing)


def classify(release: Release, rules: Rules, licences: Licences) -> Classification:
    """The class of a release.

    A component counts where it is there and under an open licence. A research paper that counts stands in for the
    technical report.
    """
    parts = {
        name: release.part(name, rules.is_open, licences, licence_free=name in rules.any_licence) for name in COMPONENTS
    }
    achieved: Class | None = None
    failing: tuple[Part, ...] = ()
    for number, of_class in enumerate(CLASSES, start=1):
        needed = [name for name, kind in KINDS.items() if kind.required and kind.of_class in CLASSES[:number]]
        failing = tuple(parts[name] for name in needed if not _met(name, parts))
        if failing:
            break
        achieved = of_class
    return Classification(achieved=achieved, parts=tuple(parts.values()), failing=failing)


def _met(name: ComponentName, parts: dict[ComponentName, Part]) -> bool:
    if name == "technical_report" and parts["research_paper"].counts:
        return True
    return parts[name].counts


def badge(release: Release, rules: Rules, licences: Licences) -> Badge:
    """The class as a badge, with what stands between it and the next one."""
    found = classify(release, rules, licences)
    if found.achieved is not None:
        result = f"class {found.achieved}"
    else:
        result = "unknown" if found.undecided else "unclassified"
    return Badge(
        rules=rules.name,
        result=result,
        missing=tuple(f"{title(part.component)}: {part.says}" for part in found.failing),
        note=rules.note,
        parts=found.parts,
    )
