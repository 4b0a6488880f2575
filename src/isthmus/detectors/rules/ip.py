"""IP addresses, version 4 and 6. Loopback, unspecified and broadcast addresses say nothing of anybody and pass."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, near, pattern

KINDS = frozenset({"ip"})
GROUPS = {"pii": KINDS, "network": KINDS}

_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_NUMBERED = pattern(r"\b(?:version|release|v|ver|section|chapter|clause|§)\.?\s{0,2}$")


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="ip",
            triggers=(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",),
            pattern=pattern(rf"(?<![\w.])(?:{_BYTE}\.){{3}}{_BYTE}(?!\w)(?!\.\d)"),
            accept=_public,
            reach=16,
        ),
        Rule(
            kind="ip",
            triggers=(
                r"[0-9A-F]{1,4}:[0-9A-F]{1,4}:[0-9A-F]{0,4}:",
                r"[0-9A-F]{1,4}::[0-9A-F]",
                r"[0-9A-F]:[0-9A-F]{1,4}::",
            ),
            pattern=pattern(
                r"(?<![\w:.])(?:[0-9A-F]{1,4}:{1,2}){2,8}(?:[0-9A-F]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
            ),
            accept=_public,
            reach=48,
        ),
    )


def _public(match: re.Match[str]) -> Span | None:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified or match[0] == "255.255.255.255":
        return None
    if near(_NUMBERED, match.string, *match.span(), before=12, after=0):
        return None
    return match.span()
