"""Medicines that somebody takes or is given: a name of `drugs.txt` with a dose, or with a word of treatment near it.

A name alone is a question about medicine, and passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Words, near, pattern
from isthmus.detectors.vocabulary import read_words

KINDS = frozenset({"drug"})
GROUPS = {"medical": KINDS}

_DOSE = pattern(r"\d\s?(?:mg|mcg|µg|ug|g|ml|iu|units?|mmol|%|tabs?|tablets?|мг|мл|毫克|片)\b")
_TREATMENT = pattern(
    r"\b(?:patient\w*|prescri\w+|tak(?:e|es|en|ing)|took|started|dose|daily|twice|tid|prn|my|she|he|her|his|mrs|mr"
    r"|ms|dr"
    r"|treated|medicat\w+|allerg\w+|refill|nimmt|verschrieben|verordnet|erhalt|bekommt|taglich|patientin|prend"
    r"|prescrit\w*|sous|par jour|toma|tomando"
    r"|recet\w+|paciente|assume|prende|prescritt\w+|paziente|diari\w+|slikt|gebruikt|voorgeschreven|przyjmuje|zazywa"
    r"|pacjent\w*|tager|hasta|kullaniyor"
    r"|принима\w+|назнач\w+|пациент\w*)\b|服用|患者|处方|処方|服薬|복용|처방|يتناول|تتناول|المريض"
)


def rules() -> Sequence[Words]:
    return (Words(kind="drug", words=read_words("drugs.txt"), accept=_taken),)


def _taken(text: str, start: int, end: int) -> bool:
    return _DOSE.search(text, end, min(len(text), end + 20)) is not None or near(
        _TREATMENT, text, start, end, before=60, after=40
    )
