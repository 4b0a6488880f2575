"""Which detectors there are, found by looking: no module is named here.

A file in `rules/` is a sort of thing with a form. It declares

    KINDS: frozenset[str]                       every `Finding.kind` of its rules
    GROUPS: Mapping[str, frozenset[str]]        which of them a policy may name together, and how
    rules() -> Sequence[Rule | Words]           made when asked for: libraries are imported there

Any other package beside this file is a detector of its own. It declares `NAME`, `TIER`, `KINDS`, `GROUPS` and

    make(weights: Path | None) -> Detector      raises ConfigError where what it needs is not installed

Those of tier `deep` stand apart: no policy can name what they find, and `detectors_for` never makes one.

Importing either costs next to nothing, so that settings can be checked without loading a single engine.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NewType, Protocol, cast

from isthmus import detectors
from isthmus.detectors import rules
from isthmus.detectors.rule import Rule, Words
from isthmus.domain.errors import ConfigError
from isthmus.domain.finding import Tier
from isthmus.domain.ports import Detector

DetectorName = NewType("DetectorName", str)

RULES = DetectorName("rules")


class _Sort(Protocol):
    """A module in `rules/`."""

    KINDS: frozenset[str]
    GROUPS: Mapping[str, frozenset[str]]

    def rules(self) -> Sequence[Rule | Words]: ...


class _Package(Protocol):
    """A detector of its own."""

    NAME: str
    TIER: Tier
    KINDS: frozenset[str]
    GROUPS: Mapping[str, frozenset[str]]

    def make(self, weights: Path | None = None) -> Detector: ...


@cache
def _sorts() -> tuple[_Sort, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(rules.__path__))
    return tuple(cast("_Sort", importlib.import_module(f"{rules.__name__}.{name}")) for name in names)


@cache
def _packages() -> tuple[_Package, ...]:
    found = [module.name for module in pkgutil.iter_modules(detectors.__path__) if module.ispkg]
    names = sorted(f"{detectors.__name__}.{name}" for name in found)
    return tuple(cast("_Package", importlib.import_module(name)) for name in names if name != rules.__name__)


def _on_road() -> list[_Package]:
    return [package for package in _packages() if package.TIER != "deep"]


def _off_road() -> list[_Package]:
    return [package for package in _packages() if package.TIER == "deep"]


@cache
def kinds() -> Mapping[str, DetectorName]:
    """Every kind that a policy may name, and which detector finds it, installed or not."""
    found = dict.fromkeys((kind for sort in _sorts() for kind in sorted(sort.KINDS)), RULES)
    for package in _on_road():
        found |= dict.fromkeys(sorted(package.KINDS), DetectorName(package.NAME))
    return found


@cache
def deep_kinds() -> Mapping[str, DetectorName]:
    """Every kind that is found off the road alone, and which detector finds it, installed or not."""
    return {kind: DetectorName(package.NAME) for package in _off_road() for kind in sorted(package.KINDS)}


@cache
def groups() -> Mapping[str, frozenset[str]]:
    """Names that a policy may use for several kinds."""
    found: dict[str, frozenset[str]] = {}
    for declared in (*(sort.GROUPS for sort in _sorts()), *(package.GROUPS for package in _on_road())):
        for name, members in declared.items():
            found[name] = found.get(name, frozenset()) | members
    return found


def detectors_for(wanted: Iterable[str], *, weights: Path | None = None) -> tuple[Detector, ...]:
    """The detectors for some kinds and groups of kinds.

    Kinds with a form share one detector, which looks for those that are wanted and no others. Other detectors find all
    of their kinds, whichever of them are wanted.

    Args:
        wanted: kinds and groups.
        weights: for the detectors that were fitted to examples; None: those that came along.

    Raises:
        ConfigError: a name is neither kind nor group, or its detector is not installed.
    """
    names = frozenset(wanted)
    known, together = kinds(), groups()
    unknown = sorted(names - known.keys() - together.keys())
    if unknown:
        problems = tuple(_unknown(name, [*known, *together]) for name in unknown)
        raise ConfigError(" ".join(problems), problems=problems)
    asked = frozenset(kind for name in names for kind in together.get(name, frozenset({name})))
    with_form = frozenset(kind for kind in asked if known[kind] == RULES)
    made: list[Detector] = [_rules_for(with_form)] if with_form else []
    made += [package.make(weights) for package in _on_road() if asked & package.KINDS]
    return tuple(made)


def deep_detectors() -> tuple[Detector, ...]:
    """The detectors that are too slow for the road: for audits and for redacting documents.

    Raises:
        ConfigError: one is not installed.
    """
    return tuple(package.make() for package in _off_road())


@cache
def _rules_for(wanted: frozenset[str]) -> Detector:
    """The rules of some kinds. Compiled once in a process for each set of kinds that is asked for."""
    from isthmus.detectors.engine import Rules  # noqa: PLC0415 - hyperscan, only when something is to be detected

    return Rules(rule for sort in _sorts() if sort.KINDS & wanted for rule in sort.rules() if rule.kind in wanted)


def _unknown(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else "docs/reference/detectors.md lists what there is."
    return f"Nothing detects {name!r}. {hint}"
