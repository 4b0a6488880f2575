"""What an examination found: findings, checks that could not be made, what answers where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.doctor.check import SEVERITIES, Check, Finding, Severity
from isthmus.doctor.engines import Answer

GRAVE: frozenset[Severity] = frozenset({"high", "critical"})
"""Of findings that must not stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding, with the check that made it."""

    check: Check
    finding: Finding

    @property
    def severity(self) -> Severity:
        return self.finding.severity or self.check.severity

    @property
    def remedy(self) -> str:
        return self.finding.remedy or self.check.remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """A check that could not be made: it says nothing, neither good nor bad."""

    check: Check
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it."""

    findings: tuple[Told, ...]
    """Gravest first."""
    not_made: tuple[NotMade, ...]
    passed: tuple[Check, ...]
    exposure: tuple[Answer, ...] | None
    """What answers where; None: no check of those made asked."""

    @property
    def grave(self) -> bool:
        """Whether something must be done."""
        return any(told.severity in GRAVE for told in self.findings)

    @property
    def fixable(self) -> tuple[Told, ...]:
        """What the doctor can mend by itself."""
        return tuple(told for told in self.findings if told.finding.fix is not None)

    def count(self, severity: Severity) -> int:
        return sum(told.severity == severity for told in self.findings)

    def as_plain(self, *, fixed: Sequence[str] | None = None) -> dict[str, object]:
        """For programmes. `fixed` is what was done; None: nothing was asked for."""
        plain: dict[str, object] = {
            "summary": {severity: self.count(severity) for severity in reversed(SEVERITIES)}
            | {"passed": len(self.passed), "not_made": len(self.not_made)},
            "findings": [
                {
                    "id": told.check.id,
                    "family": told.check.family,
                    "severity": told.severity,
                    "title": told.check.title,
                    "subject": told.finding.subject,
                    "found": told.finding.found,
                    "why": told.check.why,
                    "remedy": told.remedy,
                    "fix": None if told.finding.fix is None else told.finding.fix.says,
                }
                for told in self.findings
            ],
            "not_made": [{"id": one.check.id, "title": one.check.title, "reason": one.reason} for one in self.not_made],
            "passed": [check.id for check in self.passed],
            "exposure": None
            if self.exposure is None
            else [
                {
                    "engine": answer.engine,
                    "title": answer.title,
                    "host": answer.target.host,
                    "port": answer.target.port,
                    "network": answer.target.network,
                    "open": answer.is_open,
                    "without_key": answer.beside,
                    "web_pages": answer.pages,
                    "version": answer.version,
                    "process": None if answer.target.owner is None else answer.target.owner.name,
                }
                for answer in self.exposure
            ],
        }
        if fixed is not None:
            plain["fixed"] = list(fixed)
        return plain
