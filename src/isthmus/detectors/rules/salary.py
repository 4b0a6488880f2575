"""What somebody earns: an amount of money with a word for pay before it, in some fifteen languages."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, cued

KINDS = frozenset({"salary"})
GROUPS = {"financial": KINDS}

_AMOUNT = (
    r"(?:(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|JPY|INR|BRL|R\$)\s?\d[\d.,' ]{0,14}(?:\d|[kKmM]\b)"
    r"|\d[\d.,' ]{0,14}(?:\d|k)\s?"
    r"(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|zl\w*|kr\w*|TL|lira|руб\w*|тыс\w*|元|万元|円|万円|원|만원|reais|euros?"
    r"|dollars?|pounds?)|\d{2,3}[.,' ]\d{3}|\d{2,3}k)"
)
_CUES = (
    r"salar(?:y|ies)", r"wages?", r"pay ?(?:slip|check|cheque|roll|stub)", r"base pay", r"gross pay", r"net pay",
    r"take-home pay", r"annual (?:pay|income|compensation)", r"earns?", r"(?:total )?compensation", r"bonus",
    r"gehalt\w{0,3}", r"(?:brutto|netto|jahres|monats)(?:gehalt|lohn|einkommen)", r"lohn", r"verdient?", r"vergutung",
    r"salaires?", r"remuneration", r"gagne", r"salarios?", r"sueldo", r"nomina", r"gana", r"stipendi[oi]",
    r"retribuzione", r"guadagna", r"busta paga", r"ordenado", r"vencimento", r"remuneracao", r"ganha", r"salaris",
    r"loon", r"verdient", r"wynagrodzeni\w+", r"pensj\w+", r"zarabia", r"lon\w{0,3}", r"manadslon", r"tjanar",
    r"palkka", r"maasi?", r"maas\w{0,4}", r"plat", r"fizetes", r"зарплат\w+", r"оклад\w*", r"заработн\w+ плат\w+",
    r"зарабатыва\w+", "工资", "薪资", "月薪", "年薪", "薪水", "給与", "月給", "年収", "給料", "연봉", "월급", "급여", r"(?:ال)?راتب\w*", "שכר",
    "משכורת", "वेतन",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (cued("salary", _CUES, _AMOUNT, between=r"[^\n;!?]{0,48}?[\s:=(：是は为]{0,3}(?<![\d.,])", reach=140),)
