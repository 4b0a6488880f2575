"""Dates of birth: a date with a word before it that says so, in some twenty languages. From 1900 on."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, cued

KINDS = frozenset({"date_of_birth"})
GROUPS = {"pii": KINDS, "medical": KINDS}

_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?:\d{{1,2}}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?(?:{_YEAR}|\d\d)(?!\d)"
    rf"|{_YEAR}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?\d{{1,2}}(?!\d)|(?:19|20)\d{{6}}(?!\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.|º|°)?[\s-](?:de |of |of the |d')?[^\W\d_]{{3,12}}\.?,?[\s-](?:de |del )?{_YEAR}"
    rf"|[^\W\d_]{{3,12}}\.? \d{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}"
    rf"|{_YEAR}\s?[年년]\s?\d{{1,2}}\s?[月월]\s?\d{{1,2}}\s?[日일]?|{_YEAR}\. ?\d{{1,2}}\. ?\d{{1,2}}\.?)"
)
_CUES = (
    r"born(?: on)?", r"date of birth", r"birth ?dates?", r"dob", r"d\.o\.b", r"birthday", r"b\.", r"geboren(?: am)?",
    r"geb", r"geburtsdatum", r"geburtstag", r"nee?(?: le)?", r"date de naissance", r"naissance", r"nacid[oa](?: el)?",
    r"nacio(?: el)?", r"fecha de nacimiento", r"f\. ?nac", r"nat[oa](?: il| a \w+ il)?", r"data di nascita",
    r"nascid[oa](?: em| a)?", r"nasceu(?: em)?", r"data de nascimento", r"geboortedatum", r"geb\. ?datum",
    r"data urodzenia", r"urodzon[ya](?: dnia)?", r"ur", r"fodd(?: den)?", r"fodelsedatum", r"fodt(?: den)?",
    r"fodselsdato", r"syntynyt", r"syntymaaika", r"dogum tarihi", r"dogumlu", r"dogum gunu", r"narozen[ay]?",
    r"datum narozeni", r"data nasterii", r"szuletesi (?:ido|datum)", r"szuletett", r"ημερομηνια γεννησης", r"γεννηθηκε",
    r"дата рождения", r"родил(?:ся|ась)", r"(?:г|год) рождения", r"дата народження", "出生(?:日期|于|年月日)", "生日", "生年月日",
    "誕生日", "생년월일", "تاريخ الميلاد", "(?:مواليد|ولد(?:ت)?)(?: في)?", "תאריך לידה", "जन्म ?तिथि", "जन्म",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued(
            "date_of_birth",
            _CUES,
            _DATE,
            between=r"[\s:=.,'\"()*-]{0,4}(?:(?:is|on|was|the|ist|am|est|le|es|el|il|em|e|op|den|dnia|in"
            r"|:)\b[\s:.,]{0,2}){0,3}"
            r"(?:[是为はがの는은]\s?){0,2}[\s:]{0,2}",
        ),
    )
