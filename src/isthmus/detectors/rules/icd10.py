"""Diagnosis codes of ICD-10, near a word such as `ICD`, `Dx` or `diagnosis`: three characters alone may be anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, near, pattern

KINDS = frozenset({"icd10"})
GROUPS = {"medical": KINDS}

_CUE = pattern(
    r"icd|\bdx\b|\bcie-?10|\bcim-?10|\bcid\b|diagno|diagn[oó]|\bdiag\b|\bddx\b|\bmkb-?10|мкб|диагноз|诊断|診断|진단|تشخيص"
    r"|\bpatient|\brozpozn|\btani\b"
    r"|admitted|comorbid|encounter|billing code"
)


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="icd10",
            triggers=(r"\b[A-TV-Z]\d[0-9AB](?:\.[0-9A-Z]{1,4})?\b",),
            pattern=pattern(r"(?<![\w.-])[A-TV-Z]\d[0-9AB](?:\.(?P<more>[0-9A-KXZ]{1,4}))?(?![\w-])", cased=True),
            accept=_code,
            reach=12,
            cased=True,
        ),
    )


def _code(match: re.Match[str]) -> Span | None:
    before = 90 if match["more"] else 30
    return match.span() if near(_CUE, match.string, *match.span(), before=before, after=30) else None
