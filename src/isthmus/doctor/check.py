"""A check, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from isthmus.doctor.scene import Scene

Severity = Literal["info", "warn", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = ("info", "warn", "high", "critical")

Family = Literal["network", "keys", "files", "supply-chain", "model-files", "operation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Something the doctor can do about it by itself, without a loss."""

    says: str
    """What is done, as in `chmod 600 /path`."""
    apply: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    subject: str
    """What it is about: a file, an offer, an address. Never a secret."""
    found: str
    """What was found, in a sentence."""
    severity: Severity | None = None
    """None: that of the check."""
    remedy: str = ""
    """What to do here; empty: as the check says."""
    fix: Fix | None = None


class Look(Protocol):
    def __call__(self, scene: Scene, /) -> Iterable[Finding]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. Its id never changes its meaning and is never given again."""

    id: str
    """`NET-1`, `MF-3`, …"""
    family: Family
    title: str
    severity: Severity
    why: str
    """What may happen, in a sentence or two, with the source where there is one."""
    remedy: str
    """What to do, in a sentence."""
    look: Look
    """Yields what is wrong; nothing where all is well. May raise OSError or IsthmusError: then it is told that the
    check could not be made."""
    asks_network: bool = False
    """Whether it connects to anything: this machine, or addresses that the operator listed."""
