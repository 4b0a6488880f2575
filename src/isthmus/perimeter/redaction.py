"""Taking what was found out of a text for good.

Also what redaction and pseudonyms share: which stretches of a text the findings come to, and how a kind is written
where a model reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from isthmus.domain.finding import Finding


class Stretch(NamedTuple):
    """A part of a text that is taken out as one."""

    start: int
    end: int
    kind: str


def redact(text: str, findings: Sequence[Finding]) -> str:
    """The text with `[EMAIL]` and the like in place of what was found. Nothing brings it back.

    Raises:
        ValueError: as `stretches`.
    """
    pieces: list[str] = []
    at = 0
    for stretch in stretches(text, findings):
        pieces += text[at : stretch.start], f"[{readable_type(stretch.kind)}]"
        at = stretch.end
    return "".join(pieces) + text[at:]


def stretches(text: str, findings: Sequence[Finding]) -> list[Stretch]:
    """What the findings come to: stretches in order that do not overlap.

    Overlapping findings become one stretch over all of them, so that no end of one is left standing, of the kind of the
    longest (of equals, the earliest). Findings of one kind that touch are one thing found in two pieces.

    Raises:
        ValueError: a finding is not exact, so that taking it out would not take the thing out; or it lies outside of
            the text, so that it is of another text.
    """
    joined: list[Stretch] = []
    longest = 0  # of the findings in the last stretch
    for finding in sorted(findings, key=lambda finding: (finding.start, -finding.end, finding.kind)):
        if not finding.exact:
            raise ValueError(f"a finding of kind {finding.kind!r} is not exact and cannot be taken out of its text")
        if not 0 <= finding.start < finding.end <= len(text):
            raise ValueError(f"a finding of kind {finding.kind!r} lies outside of the text")
        length = finding.end - finding.start
        last = joined[-1] if joined else None
        if last is not None and (finding.start < last.end or (finding.start == last.end and finding.kind == last.kind)):
            kind = finding.kind if length > longest else last.kind
            joined[-1] = Stretch(last.start, max(last.end, finding.end), kind)
            longest = max(longest, length)
        else:
            joined.append(Stretch(finding.start, finding.end, finding.kind))
            longest = length
    return joined


def readable_type(kind: str) -> str:
    """A kind as a model reads it: `us_ssn` is US_SSN."""
    return _NOT_OF_A_TYPE.sub("_", kind.upper()).strip("_") or "VALUE"


_NOT_OF_A_TYPE = re.compile(r"[^A-Z0-9]+")
