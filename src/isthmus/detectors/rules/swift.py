"""SWIFT codes (BIC, ISO 9362). Eight capitals are also a word, so one must be announced as such a code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"swift"})
GROUPS = {"financial": KINDS}


def rules() -> Sequence[Rule]:
    from stdnum import bic  # noqa: PLC0415

    def code(match: re.Match[str]) -> Span | None:
        found = match["it"]
        return match.span("it") if bic.is_valid(found) and found.upper() == found else None

    return (
        cued(
            "swift",
            (r"swift", r"bic", r"swift[ /-]?bic", r"bic[ /-]?swift", r"swift[ -]?code", r"bic[ -]?code", r"код swift"),
            r"[A-Z]{4}[ -]?[A-Z]{2}[ -]?[A-Z0-9]{2}(?:[ -]?[A-Z0-9]{3})?(?!\w)",
            between=r"[\s:#=.,/()'\"-]{0,5}(?:(?:code|swift|bic|no|number|is|ist|est|es|lautet"
            r"|e)\b[\s:#=.,/()'\"-]{0,4}){0,3}",
            accept=code,
        ),
    )
