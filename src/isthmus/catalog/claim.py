"""A claim: one fact, how it is known, by whom, since when, and what others say instead.

Nothing in the catalog is simply true. What no source says stays unknown, and an unknown satisfies nothing; where
sources disagree, every reading is kept, and what the catalog decides holds under the strictest of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Generic, Literal, TypeVar

import msgspec

from isthmus.domain.offer import Evidence

T = TypeVar("T")

State = Literal["verified", "declared", "derived", "unknown", "conflict"]
"""verified: we read it in the primary text; declared: the maker or a feed says so; derived: follows by a rule from
other claims; unknown: nobody told; conflict: sources disagree, the others are in `alternatives`."""

SourceKind = Literal["law", "licence", "vendor_doc", "card", "code", "api", "feed", "secondary", "recollection"]
"""recollection: commonly known, and not read again; never more than evidence E0."""

Volatility = Literal["fast", "medium", "slow"]
"""How soon a fact may change."""

STALE_AFTER: dict[Volatility, timedelta] = {
    "fast": timedelta(days=7),
    "medium": timedelta(days=90),
    "slow": timedelta(days=365),
}


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where facts were read, and when."""

    url: str
    """https, of the text itself where it can be had."""
    kind: SourceKind
    observed_on: date
    """Day of the copy that was read."""
    content_sha256: str | None = None
    """Of that copy, in hex."""
    title: str = ""


class Alternative(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What other sources say."""

    value: T
    sources: tuple[str, ...]
    note: str = ""


class Claim(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fact."""

    value: T | None = None
    """None exactly where the state is `unknown`."""
    state: State = "unknown"
    sources: tuple[str, ...] = ()
    """Keys of the `sources` of the record; of a derived claim, the rule set with its version."""
    evidence: Evidence = "E0"
    volatility: Volatility = "slow"
    alternatives: tuple[Alternative[T], ...] = ()
    """Other readings; only where the state is `conflict`."""
    note: str = ""
    """What the value leaves out, in a sentence of ours."""

    @property
    def known(self) -> bool:
        return self.value is not None

    @property
    def readings(self) -> tuple[T, ...]:
        """Every value that some source gives; empty: unknown."""
        return () if self.value is None else (self.value, *(other.value for other in self.alternatives))


def stale(claim: Claim[Any], sources: Mapping[str, Source], today: date) -> bool:
    """Whether nobody looked at a fact for longer than its sort of fact keeps."""
    seen = [sources[key].observed_on for key in claim.sources if key in sources]
    return bool(seen) and today - max(seen) > STALE_AFTER[claim.volatility]
