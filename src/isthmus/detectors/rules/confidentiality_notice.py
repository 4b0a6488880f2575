"""Notices that a text is not for everybody: stamps and footers. The notice is not the secret: the text around it is."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Words

KINDS = frozenset({"confidentiality_notice"})
GROUPS = {"legal": KINDS, "confidential": KINDS}

_WORDS = (
    "strictly confidential", "private and confidential", "private & confidential", "company confidential",
    "highly confidential", "confidential - do not distribute", "confidential information", "confidentiality notice",
    "internal use only", "for internal use", "internal only", "do not distribute", "do not forward",
    "do not share externally", "not for distribution", "not for external distribution", "not for public release",
    "proprietary and confidential", "confidential and proprietary", "trade secret", "trade secrets", "under nda",
    "under embargo", "embargoed until", "non disclosure agreement", "board confidential", "need to know basis",
    "eyes only", "material non public information", "mnpi", "if you are not the intended recipient",
    "intended solely for", "intended only for the", "commercial in confidence", "in strict confidence",
    "restricted distribution", "streng vertraulich", "vertraulich behandeln", "nur für den internen gebrauch",
    "nur für den dienstgebrauch", "nur zum internen gebrauch", "betriebsgeheimnis", "geschäftsgeheimnis*",
    "nicht zur weitergabe", "geheimhaltungsvereinbarung", "verschlusssache", "strictement confidentiel",
    "confidentiel - ne pas diffuser", "ne pas diffuser", "usage interne", "diffusion restreinte", "secret des affaires",
    "accord de confidentialité", "estrictamente confidencial", "uso interno", "no distribuir", "secreto comercial",
    "acuerdo de confidencialidad", "strettamente riservato", "strettamente confidenziale", "riservato e confidenziale",
    "ad uso interno", "non divulgare", "segreto commerciale", "estritamente confidencial", "não divulgar",
    "segredo comercial", "strikt vertrouwelijk", "uitsluitend voor intern gebruik", "alleen voor intern gebruik",
    "bedrijfsgeheim", "ściśle poufne", "do użytku wewnętrznego", "tajemnica przedsiębiorstwa", "strängt konfidentiellt",
    "endast för internt bruk", "företagshemlighet*", "strengt fortrolig", "kun til intern brug",
    "ehdottoman luottamuksellinen", "vain sisäiseen käyttöön", "gizlidir", "çok gizli", "ticari sır", "přísně důvěrné",
    "szigorúan bizalmas", "строго конфиденциально", "конфиденциально", "для служебного пользования",
    "коммерческая тайна", "не подлежит разглашению", "严格保密", "内部机密", "仅供内部使用", "商业秘密", "绝密", "机密文件", "社外秘", "極秘", "部外秘",
    "取扱注意", "대외비", "극비", "사내 한정", "سري للغاية", "سري وخاص", "للاستخدام الداخلي", "סודי ביותר", "गोपनीय",
)  # fmt: skip


def rules() -> Sequence[Words]:
    return (Words(kind="confidentiality_notice", words=_WORDS),)
