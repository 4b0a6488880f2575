"""E-mail addresses, also where the sign is written out so that harvesters miss it: `jo [at] example [dot] org`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, pattern

KINDS = frozenset({"email"})
GROUPS = {"pii": KINDS, "contact": KINDS}

_LETTER = r"A-Za-z0-9_\u0370-\u052f"
"""Latin, Greek, Cyrillic. In Chinese or Japanese text an address has no blank before it."""
_LOCAL = rf"(?<![{_LETTER}.+-])[{_LETTER}][{_LETTER}.%+&'-]{{0,63}}"
_LABEL = rf"[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?"
_TOP = r"(?:[A-Za-z\u0370-\u052f]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])"
_AT = r"\s?[\[({<]\s?(?:at|arroba|chez|@)\s?[\])}>]\s?"
_DOT = r"\s?(?:[\[({<]\s?(?:dot|punkt|punto|point|ponto|\.)\s?[\])}>]|\.)\s?"


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="email",
            triggers=(r"[^\s@]@[^\s@]",),
            pattern=pattern(rf"{_LOCAL}@(?:{_LABEL}\.){{1,6}}{_TOP}"),
            accept=_mailbox,
            reach=254,
        ),
        Rule(
            kind="email",
            triggers=(r"[\[({<]\s?(?:at|arroba|chez|@)\s?[\])}>]",),
            pattern=pattern(rf"{_LOCAL}{_AT}(?:{_LABEL}{_DOT}){{1,6}}{_TOP}"),
            reach=254,
        ),
    )


_IN_URL = re.compile(r"://[^\s/@]*$")


def _mailbox(match: re.Match[str]) -> Span | None:
    """None for the password and host of a URL (`postgres://user:password@host.example`)."""
    start = match.start()
    return None if _IN_URL.search(match.string, max(0, start - 128), start) else match.span()
