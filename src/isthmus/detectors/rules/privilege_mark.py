"""Marks that a text is under the privilege of lawyers. The mark is not the secret: the text around it is."""
# ruff: noqa: E501 - one form a line

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Words

KINDS = frozenset({"privilege_mark"})
GROUPS = {"legal": KINDS}

_WORDS = (
    "attorney client privilege*", "attorney/client privilege*", "attorney client communication*",
    "lawyer client privilege*", "solicitor client privilege*", "privileged and confidential",
    "privileged & confidential", "confidential and privileged", "confidential & privileged", "legally privileged",
    "legal professional privilege", "legal advice privilege", "litigation privilege", "subject to privilege",
    "attorney work product", "work product doctrine", "protected by privilege", "without prejudice",
    "prepared in anticipation of litigation", "prepared at the direction of counsel", "settlement communication",
    "common interest privilege", "joint defense privilege", "anwaltsgeheimnis", "anwaltliche verschwiegenheit*",
    "anwaltskorrespondenz", "mandatsgeheimnis", "anwaltlich privilegiert",
    "unterliegt der anwaltlichen schweigepflicht", "secret professionnel", "couvert par le secret professionnel",
    "correspondance d'avocat", "confidentialité avocat client", "secreto profesional", "privilegio abogado cliente",
    "comunicación abogado cliente", "segreto professionale", "corrispondenza riservata avvocato", "sigilo profissional",
    "sigilo advogado cliente", "privilégio advogado cliente", "verschoningsrecht", "beroepsgeheim", "advocaat cliënt",
    "tajemnica adwokacka", "tajemnicą adwokacką", "tajemnica radcowska", "advokatsekretess", "advokatfortrolig*",
    "asianajosalaisuus", "avukat müvekkil gizliliği", "адвокатская тайна", "адвокатской тайны", "адвокатскую тайну",
    "律师客户特权", "律师保密特权", "律师与客户", "弁護士依頼者間秘匿特権", "秘匿特権", "변호사 의뢰인 특권", "سرية المحامي", "السر المهني",
)  # fmt: skip


def rules() -> Sequence[Words]:
    return (Words(kind="privilege_mark", words=_WORDS),)
