"""Illnesses that somebody has: a name of `conditions.txt` near a word that ties it to a person.

A name alone is a question about medicine, and passes.
"""
# ruff: noqa: RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Words, near, pattern
from isthmus.detectors.vocabulary import read_words

KINDS = frozenset({"condition"})
GROUPS = {"medical": KINDS}

_SOMEBODY = pattern(
    r"\b(?:patient\w*|diagnos(?:ed|tiziert|ticado|ticada|ticato|ticata|tique\w*)|suffer(?:s|ing|ed)|my|our|her|his"
    r"|she|he|i have|i've|i am|i'm|mrs?|ms"
    r"|tested positive|history of|treated for|admitted|hx|leide\w*|leidet|litt|erkrankt\w*|patientin|frau|herrn?"
    r"|mein\w*|ihr\w*|seine\w*"
    r"|atteint\w*|souffre|sa|madame|monsieur|mme|padece|sufre|paciente|tiene|senora?|diagnostic\w+|soffre|affett[oa]"
    r"|paziente|mi[oa]|suo|sua|signora?|sofre|meu|minha|senhora?|lijdt|heeft|mijn|mevrouw|meneer|cierpi|choruje"
    r"|pacjent\w*|ma|pani|pan|lider|hans|hennes"
    r"|hasta\w*|tanisi|esim|kocam|annem|babam|пациент\w*|страда\w+|болеет|болен|больна|диагноз\w*|мой|моя|у меня"
    r"|у него|у нее)\b"
    r"|患者|确诊|诊断|我(?:的|有|患)|他|她|診断|さん|환자|진단|المريض\w*|يعاني|تعاني|مصاب\w*"
)


def rules() -> Sequence[Words]:
    return (Words(kind="condition", words=read_words("conditions.txt"), accept=_somebodys),)


def _somebodys(text: str, start: int, end: int) -> bool:
    return near(_SOMEBODY, text, start, end, before=70, after=40)
