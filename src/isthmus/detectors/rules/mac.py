"""Hardware addresses of network devices, in the three usual ways of writing them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, pattern

KINDS = frozenset({"mac"})
GROUPS = {"pii": KINDS, "network": KINDS}


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="mac",
            triggers=(r"\b(?:[0-9A-F]{2}[:-]){5}[0-9A-F]{2}\b", r"\b[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}\b"),
            pattern=pattern(
                r"(?<![\w:.-])(?:[0-9A-F]{2}(?P<gap>[:-])(?:[0-9A-F]{2}(?P=gap)){4}[0-9A-F]{2}"
                r"|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4})(?![\w:-])"
            ),
            accept=_device,
            reach=20,
        ),
    )


def _device(match: re.Match[str]) -> Span | None:
    """None for all zeros, all ones, and for numbers that only look like one (1234.5678.9012)."""
    digits = re.sub(r"[:.-]", "", match[0]).lower()
    if digits in {"000000000000", "ffffffffffff"} or ("." in match[0] and digits.isdecimal()):
        return None
    return match.span()
