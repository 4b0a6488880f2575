"""Numbers of court cases and files, in the forms of some ten jurisdictions; where the form is plain, announced."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, cued, pattern

KINDS = frozenset({"docket_number"})
GROUPS = {"legal": KINDS}

_CUES = (
    r"case (?:no|number|nr|#)", r"docket(?: (?:no|number|#))?", r"civil action(?: no)?", r"cause no",
    r"matter (?:no|number|id)", r"claim (?:no|number)", r"court file (?:no|number)", r"index no", r"aktenzeichen",
    r"az", r"gesch(?:afts)?-?(?:zeichen|z|nr)", r"geschaftszahl", r"rg", r"r\.g\.(?: n\.)?",
    r"n[°º] (?:de )?(?:rg|role|dossier|parquet)",
    r"(?:numero|nº|n°) (?:de )?(?:autos|procedimiento|expediente|causa|processo)", r"autos", r"procedimiento",
    r"expediente", r"diligencias previas", r"causa", r"proc(?:esso)?(?:\. n\.?)?", r"procedimento", r"zaaknummer",
    r"rolnummer", r"sygn(?:\.|atura)(?: akt)?", r"mal(?: nr)?", r"sag(?:snummer|s?nr)", r"saksnummer", r"esas no",
    r"dosya no", r"sp\. ?zn", r"дело (?:№|n)", r"по делу", "案号", "事件番号", "사건번호", r"(?:رقم )?(?:القضية|الدعوى)",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="docket_number",
            triggers=(r"\b\d:\d\d-[a-z]{2}-\d{3}", r"\b\d\d-?(?:cv|cr|mc|mj|bk|civ|crim)-?\d{3}"),
            pattern=pattern(
                r"(?<![\w:-])(?:\d:)?\d\d-?(?:cv|cr|mc|mj|bk|ap|civ|crim)-?\d{3,6}(?:-[A-Z0-9]{1,6}){0,3}(?!\w)"
            ),
            reach=40,
        ),
        Rule(
            kind="docket_number",
            triggers=(r"\b(?:[0-9]{1,3}|[IVX]{1,5}) ?[a-z]{1,5} ?\d{1,5}/\d\d\b",),
            pattern=pattern(
                r"(?<![\w.,/-])(?:\d{1,3}|[IVX]{1,5}) (?:[A-Z]{1,2}|[A-Z][A-Za-z]{1,4}|StR|ZR|AZR|BvR|KLs|Qs"
                r"|OWi) \d{1,5}/\d\d(?![\w/])",
                cased=True,
            ),
            reach=24,
        ),
        Rule(
            kind="docket_number",
            triggers=(r"\b\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}\b",),
            pattern=pattern(r"(?<!\w)\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}(?!\w)"),
            reach=32,
        ),
        cued(
            "docket_number",
            _CUES,
            r"(?=[^\n]{0,24}\d)[A-ZА-Я0-9(][\w()]{0,8}(?:[ ./:-]{1,2}[\wА-Я()]{1,10}){0,5}?(?:[/:.-]\d{1,8}"
            r"|\d{4,8})(?:-[A-Z0-9]{1,6}){0,2}(?![\w/])",
            between=r"[\s:#=.,()'\"№°º-]{0,5}(?:(?:no|nr|num|numero|number|n|is|ist|est|es"
            r"|e)\b[\s:#=.,()№°º'\"-]{0,4}){0,2}",
        ),
    )
