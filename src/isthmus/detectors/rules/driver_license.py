"""Driving licence numbers that are called so."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"driver_license"})
GROUPS = {"pii": KINDS, "national_id": KINDS}

_CUES = (
    r"driv(?:er'?s?|ing) licen[cs]e", r"dl", r"licen[cs]e (?:number|no)", r"fuhrerschein\w*", r"permis de conduire",
    r"(?:carnet|permiso|licencia) de conduc\w+", r"patente(?: di guida)?", r"carta de conducao", r"cnh",
    r"rijbewijs\w*", r"praw[oa] jazdy", r"korkort\w*", r"ajokortti", r"ehliyet\w*",
    r"водительск\w+(?: удостоверени\w+)?", "驾照", "運転免許証?",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued(
            "driver_license",
            _CUES,
            r"[A-Z0-9][A-Z0-9-]{4,18}(?:[ ][A-Z0-9]{2,10}){0,2}(?!\w)",
            between=r"[\s:#=.,()'\"-]{0,4}(?:(?:number|no|nr|num|numero|nummer|n[o°º]|is|ist|est|es|e"
            r"|номер)\b[\s:#=.,()№'\"-]{0,4}){0,3}",
            accept=_number,
        ),
    )


def _number(match: re.Match[str]) -> Span | None:
    """Its first word must be mostly digits; words that follow without digits are text."""
    start = match.start("it")
    end = start
    for word in re.finditer(r"\S+", match["it"]):
        if not any(char.isdigit() for char in word[0]):
            break
        end = start + word.end()
    digits = sum(char.isdigit() for char in match.string[start:end])
    return (start, end) if digits >= 4 else None
