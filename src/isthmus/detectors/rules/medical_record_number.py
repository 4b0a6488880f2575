"""Numbers by which hospitals and health insurers know a patient, announced by a word for them."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"medical_record_number"})
GROUPS = {"medical": KINDS, "pii": KINDS}

_CUES = (
    r"mrn", r"medical records?", r"patient(?:'s)? (?:id\w*|no|number|nr|record|file)", r"patient[_-]id",
    r"hospital (?:no|number|id)", r"chart(?: number| no)",
    r"health (?:plan|card|insurance) (?:no|number|id|beneficiary)", r"medicare", r"medicaid", r"member id",
    r"subscriber id", r"accession(?: number| no)", r"uhid", r"mbi", r"encounter (?:id|number)",
    r"patienten(?:nummer|-?nr|-?id|akte)", r"fallnummer", r"fall-?nr", r"krankenakte",
    r"(?:kranken)?versicherten(?:nummer|-?nr)", r"krankenversicherungs?nummer", r"aktennummer",
    r"dossier (?:medical|patient)", r"(?:numero|no|n[°º]) (?:de )?(?:dossier|patient)(?: medical)?", r"ipp", r"ndip",
    r"histor(?:ia|ial) (?:clinica|clinico|medica)", r"nhc", r"expediente(?: clinico| medico)?", r"tarjeta sanitaria",
    r"cartella clinica", r"tessera sanitaria", r"numero (?:di )?cartella", r"prontuario", r"processo clinico",
    r"cartao sus", r"cns", r"utente", r"patient(?:en)?nummer", r"patientn(?:umme)?r", r"dossiernummer",
    r"numer (?:pacjenta|karty)", r"(?:karta|historia) (?:choroby|pacjenta)", r"journal(?:nummer|nr)", r"pasientnummer",
    r"potilas(?:numero|tunnus)", r"hasta (?:no|numarasi)", r"protokol (?:no|numarasi)", r"dosya no", r"cislo pacienta",
    r"(?:мед(?:ицинск\w+)?\.? ?карт\w+|амбулаторн\w+ карт\w+|истори\w+ болезни)", r"полис\w*", "病历号?", "病歷號?", "住院号",
    "门诊号", "就诊号", "患者(?:番号|ID|编号)", "カルテ番号", "診察券番号", "보험증 ?번호", "환자 ?번호", "차트 ?번호", "رقم (?:المريض|الملف(?: الطبي)?)",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued(
            "medical_record_number",
            _CUES,
            r"[A-Z]{0,5}[-/ ]?\d[A-Z0-9]{0,15}(?:[-/ .]?[A-Z0-9]{1,12}){0,3}(?!\w)",
            between=r"[\s:#=.,()'\"№_-]{0,4}(?:(?:number|no|nr|num|numero|nummer|numer|n[o°º]|id|is|ist|est|es|e|ar"
            r"|er|jest|lautet|medical|номер|code|file|record)\b"
            r"[\s:#=.,()№'\"-]{0,4}){0,3}(?:是|は|为|号|：)?[\s:#№]{0,3}",
            accept=_number,
        ),
    )


def _number(match: re.Match[str]) -> Span | None:
    """Up to the first word without a digit; at least four digits, and no date."""
    start = end = match.start("it")
    for word in re.finditer(r"\S+", match["it"]):
        if not any(char.isdigit() for char in word[0]) and (word.start() > 0 or not word[0].isupper()):
            break
        end = start + word.end()
    value = match.string[start:end]
    digits = sum(char.isdigit() for char in value)
    return (
        (start, end)
        if digits >= 4 and not re.fullmatch(r"(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", value)
        else None
    )
