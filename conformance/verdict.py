"""How the tests of a suite ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Results of one suite."""

    suite: str
    date: str
    """Of the run, as in 2026-11-21."""
    versions: Mapping[str, str]
    passed: int
    failed: Mapping[str, str]
    """What went wrong, by test."""
    skipped: Mapping[str, str]
    """Why, by test."""

    @property
    def good(self) -> bool:
        """Nothing failed, and something was tried."""
        return not self.failed and self.passed > 0

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.suite}.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> Verdict:
        return cls(**json.loads(file.read_text()))


def judged(
    lines: Iterable[str], faults: Iterable[str], *, suite: str, date: str, versions: Mapping[str, str]
) -> Verdict:
    """The verdict on a suite.

    Args:
        lines: of the file of results: one test each, or more than one where it failed after it had passed.
        faults: what went wrong beside the tests.
        suite: its name.
        date: of the run.
        versions: of what judged.
    """
    outcomes: dict[str, tuple[str, str]] = {}
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        if outcomes.get(told["test"], ("",))[0] != "failed":
            outcomes[told["test"]] = (told["outcome"], told["reason"])
    counts = Counter(outcome for outcome, _ in outcomes.values())
    by = {kind: {test: why for test, (outcome, why) in outcomes.items() if outcome == kind} for kind in counts}
    failed = by.get("failed", {}) | {f"beside the tests, {number}": fault for number, fault in enumerate(faults, 1)}
    return Verdict(
        suite=suite,
        date=date,
        versions=versions,
        passed=counts["passed"],
        failed=failed,
        skipped=by.get("skipped", {}),
    )
