"""Passport numbers that are called so: their forms are too many, and too plain, to be known without."""
# ruff: noqa: E501 - one form a line

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"passport"})
GROUPS = {"pii": KINDS, "national_id": KINDS}

_CUES = (
    r"passports?", r"reise?pass\w*", r"pass(?:nummer|-?nr)", r"passeport", r"pasaporte", r"passaporto", r"passaporte",
    r"paspoort\w*", r"paszport\w*", r"passnummer", r"passi(?:n numero)?", r"pasaport\w*", r"cestovni pas",
    r"utlevel\w*", r"διαβατηρι\w*", r"(?:загран)?паспорт\w*", "护照(?:号码?)?", "護照", "パスポート(?:番号)?", "旅券番号", "여권(?:번호)?",
    "جواز(?: سفر\\w*| السفر)?", "पासपोर्ट",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued(
            "passport",
            _CUES,
            r"(?:[A-Z]{1,3} ?\d{5,8}[A-Z]?\d?|[A-Z]\d[A-Z0-9]{6,7}|[A-Z0-9]{2}\d{2}[A-Z0-9]{5,6}"
            r"|\d{2} ?\d{2} ?\d{5,6}|\d{8,9})(?!\w)",
            between=r"[\s:#=.,()'\"-]{0,4}(?:(?:number|no|nr|num|numero|nummer|numer|n[o°º]|is|ist|est|es|e|är"
            r"|lautet|номер|серия|und|der|die|"
            r"held by \w+)\b[\s:#=.,()№'\"-]{0,4}){0,4}(?:是|は|為|为)?[\s:№]{0,3}",
            accept=_number,
        ),
    )


def _number(match: re.Match[str]) -> Span | None:
    """A word that follows "passport" has no digits."""
    return match.span("it") if sum(char.isdigit() for char in match["it"]) >= 4 else None
