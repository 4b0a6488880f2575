"""Which advisories are about a version of a package.

Source:
    https://ossf.github.io/osv-schema/#evaluation: a version is affected if it is among `versions` or inside a range.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from isthmus.doctor.advisories.record import LEVELS, Advisory, Affected, Ecosystem, Level, Span
from isthmus.doctor.advisories.versions import LOWEST, Key, key


@dataclass(frozen=True, slots=True)
class Component:
    """A version of a package that is installed or runs."""

    ecosystem: Ecosystem
    package: str
    version: str
    where: str
    """A folder or an address."""


@dataclass(frozen=True, slots=True)
class Match:
    """One vulnerability of a component, by all its names."""

    ids: tuple[str, ...]
    """The name it is best known by first: that of the CVE list, or of malicious packages."""
    level: Level
    """The worst that any record says."""
    summary: str
    fixed: str
    """The version that mends it, the highest where records differ; empty: none is known."""
    last_affected: str
    """Where no version is known that mends it: the last that is said to be affected; empty: none is named."""
    malicious: bool
    note: str = ""


def normal(ecosystem: Ecosystem, package: str) -> str:
    """The name of a package as names compare (PEP 503 for PyPI)."""
    return re.sub(r"[-_.]+", "-", package).lower() if ecosystem == "PyPI" else package


def is_affected(affected: Affected, version: str) -> bool | None:
    """Whether a version is affected; None: it cannot be compared."""
    # What a builder added to a version (`2.5.1+cu121`) is after it in order, and the same code.
    here = key(affected.ecosystem, version.partition("+")[0])
    if here is None:
        return None
    if any(key(affected.ecosystem, named) == here for named in affected.versions):
        return True
    return any(_inside(affected.ecosystem, span, here) for span in affected.spans)


def matches(component: Component, advisories: Iterable[Advisory]) -> tuple[Match, ...]:
    """What is known against a component, the worst first; records of one thing under several names are one."""
    name = normal(component.ecosystem, component.package)
    found: list[tuple[Advisory, Affected]] = []
    related: list[Advisory] = []
    for advisory in advisories:
        of_package = [
            affected
            for affected in advisory.affected
            if affected.ecosystem == component.ecosystem and normal(affected.ecosystem, affected.package) == name
        ]
        if of_package:
            related.append(advisory)
        found += ((advisory, affected) for affected in of_package if is_affected(affected, component.version))
    merged = (_merged(group, related, component) for group in _groups(found))
    return tuple(sorted(merged, key=lambda match: (not match.malicious, -LEVELS.index(match.level), match.ids)))


def way_out(component: Component, advisories: Sequence[Advisory]) -> tuple[str, str]:
    """The version to update to, or the last one that is affected where none is known that mends; both may be empty.

    A version that mends what is known of this one may be affected by something else: then it is gone on from there.
    """
    fixed = beyond = ""
    version = component.version
    for _ in range(_STEPS):
        found = matches(replace(component, version=version), advisories)
        fixed = _highest(component.ecosystem, (fixed, *(match.fixed for match in found)))
        beyond = _highest(component.ecosystem, (beyond, *(match.last_affected for match in found)))
        if fixed in {"", version}:
            break
        version = fixed
    return (fixed, beyond) if _highest(component.ecosystem, (fixed, beyond)) == fixed != beyond else ("", beyond)


_STEPS = 20


def _highest(ecosystem: Ecosystem, versions: Iterable[str]) -> str:
    return max(filter(None, versions), key=lambda version: key(ecosystem, version) or LOWEST, default="")


def _inside(ecosystem: Ecosystem, span: Span, here: Key) -> bool:
    """Bounds that cannot be compared are taken as if they were not there: the stricter reading."""
    first = LOWEST if span.introduced == "0" else key(ecosystem, span.introduced)
    if first is not None and here < first:
        return False
    if span.fixed and (fixed := key(ecosystem, span.fixed)) is not None:
        return here < fixed
    if span.last_affected and (last := key(ecosystem, span.last_affected)) is not None:
        return here <= last
    return True


def _groups(found: list[tuple[Advisory, Affected]]) -> list[list[tuple[Advisory, Affected]]]:
    """Put together what shares a name, over several steps where it must be."""
    groups: list[tuple[set[str], list[tuple[Advisory, Affected]]]] = []
    for pair in found:
        names = {pair[0].id, *pair[0].aliases}
        members = [pair]
        for other in [group for group in groups if group[0] & names]:
            groups.remove(other)
            names |= other[0]
            members = other[1] + members
        groups.append((names, members))
    return [members for _, members in groups]


def _merged(group: list[tuple[Advisory, Affected]], related: list[Advisory], component: Component) -> Match:
    ids = {name for advisory, _ in group for name in (advisory.id, *advisory.aliases)}
    # Another record of the same thing may know how bad it is, though by its versions it does not match.
    same = [advisory for advisory in related if ids & {advisory.id, *advisory.aliases}]
    best = next((advisory for advisory, _ in group if advisory.malicious), group[0][0])
    spans = [span for _, affected in group for span in affected.spans if _matching(affected, span, component)]
    return Match(
        ids=tuple(sorted(ids, key=_fame)),
        level=max((advisory.level for advisory in same), key=LEVELS.index),
        summary=best.summary,
        fixed=_highest(component.ecosystem, (span.fixed for span in spans)),
        last_affected=_highest(component.ecosystem, (span.last_affected for span in spans if not span.fixed)),
        malicious=any(advisory.malicious for advisory, _ in group),
        note=" ".join(dict.fromkeys(advisory.note for advisory, _ in group if advisory.note)),
    )


def _matching(affected: Affected, span: Span, component: Component) -> bool:
    here = key(affected.ecosystem, component.version.partition("+")[0])
    return here is not None and _inside(affected.ecosystem, span, here)


def _fame(name: str) -> tuple[int, str]:
    prefixes = ("MAL-", "CVE-", "GHSA-")
    return next((place for place, prefix in enumerate(prefixes) if name.startswith(prefix)), len(prefixes)), name
