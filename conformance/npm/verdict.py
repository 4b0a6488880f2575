"""What became of one thing that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Verdict:
    client: str
    """Package and version."""
    offer: str
    """The name of the model it asked for, which tells who served; empty: all of them."""
    case: str
    failure: str = ""
    """Why it failed; empty: it did not."""
    skipped: str = ""
    """Why it was not tried."""
    seconds: float = 0.0

    @property
    def outcome(self) -> Literal["passed", "failed", "skipped"]:
        if self.failure:
            return "failed"
        return "skipped" if self.skipped else "passed"
