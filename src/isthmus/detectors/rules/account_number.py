"""Bank account, routing and sort codes, and balances, announced by a word for them."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"account_number", "account_balance"})
GROUPS = {"financial": KINDS}

_CUES = (
    r"(?:bank |checking |savings |current |deposit )?(?:account|acct|a/c)(?: (?:no|number|nr|#))?",
    r"routing(?: (?:no|number))?", r"aba", r"sort[ -]code", r"bsb", r"ifsc(?: code)?", r"transit(?: (?:no|number))?",
    r"clabe", r"konto(?:nummer|-?nr)?", r"bankleitzahl", r"blz", r"kto(?:-?nr)?",
    r"(?:numero de )?compte(?: bancaire)?", r"rib", r"cuenta(?: (?:bancaria|corriente|de ahorros))?",
    r"conto(?: corrente| bancario)?", r"c/c", r"conta(?: (?:corrente|bancaria|poupanca))?", r"agencia", r"nib",
    r"rekening(?:nummer)?", r"(?:numer )?rachunku?", r"nr konta", r"bankkonto(?:nummer)?", r"kontonummer",
    r"clearing(?:nummer)?", r"bankgiro", r"plusgiro", r"tilinumero", r"hesap (?:no|numarasi)", r"cislo uctu",
    r"szamlaszam", r"(?:расчетн\w+ )?счет\w*", r"р/с", r"бик", "(?:银行)?(?:账号|账户|帐号|卡号)", "口座番号", "계좌(?:번호)?",
    r"(?:رقم )?الحساب", "חשבון",
)  # fmt: skip
_MONEY = (
    r"(?:(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|JPY|INR|BRL|R\$)\s?-?\d[\d.,' ]{0,14}\d(?:[kKmM]\b)?"
    r"|-?\d[\d.,' ]{0,14}\d\s?(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|zl|kr|TL|руб\w*|元|円|원|reais|euros?|dollars"
    r"|pounds))"
)
_BALANCE_CUES = (
    r"(?:account|available|current|closing|opening|outstanding|ledger|statement|ending) balance",
    r"balance (?:is|of|was)", r"kontostand", r"saldo", r"guthaben", r"solde", r"saldo disponible", r"saldo contabile",
    r"banksaldo", r"stan konta", r"bakiye", r"остаток(?: на счете)?", r"баланс", "余额", "残高", "잔액", "الرصيد",
)  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued(
            "account_number",
            _CUES,
            r"(?:[A-Z]{4}0[A-Z0-9]{6}|\d(?:[ ./-]?\d){4,25}(?:[ -]?[Xx])?)(?!\w)",
            between=r"[\s:#=.,()'\"№-]{0,4}(?:(?:number|no|nr|num|numero|nummer|numer|n[o°º]|is|ist|est|es|e"
            r"|ending in|jest|lautet|номер|code|corrente|und|and|:)\b"
            r"[\s:#=.,()№'\"-]{0,4}){0,3}(?:是|は|为|：)?[\s:#№]{0,3}",
            accept=_number,
        ),
        cued(
            "account_balance",
            _BALANCE_CUES,
            _MONEY,
            between=r"[^\n.;]{0,40}?[\s:=(]{1,3}",
            reach=140,
        ),
    )


def _number(match: re.Match[str]) -> Span | None:
    """At least six digits, which are no date."""
    value = match["it"]
    digits = sum(char.isdigit() for char in value)
    if digits < 6 or re.match(
        r"(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?!\d)", value
    ):
        return None
    return match.span("it")
