"""Payment card numbers: the ranges and lengths of the networks, and the Luhn checksum.

A number announced as a card number is believed without the checksum: a mistyped one is as telling.
"""
# ruff: noqa: RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, near, pattern

KINDS = frozenset({"card"})
GROUPS = {"pii": KINDS, "financial": KINDS}

_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2})?"  # Diners
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}"  # Discover
    r"|(?:352[89]|35[3-8]\d)\d{12}|(?:2131|1800)\d{11}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5[68]\d\d|6304|6759|676[1-3]|0604|6390)\d{8,15}"  # Maestro
    r"|220[0-4]\d{12,15}"  # Mir
    r"|9792\d{12}"  # Troy
)
_CUE = pattern(
    r"\b(?:card|credit|debit|visa|mastercard|amex|american express|maestro|diners|discover|jcb|kredit\w*|karte\w*|carte"
    r"|tarjeta|carta|cartao|kaart|karta|karty|kort\w*|kartı?|карт\w*)\b|卡|カード|카드|بطاقة"
)


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="card",
            triggers=(r"\b\d{12}", r"\b\d{4}[ ./_-]\d{4}[ ./_-]\d{4}[ ./_-]\d", r"\b\d{4}[ ./_-]\d{6}[ ./_-]\d{4}"),
            pattern=pattern(
                r"(?<![\d.])(?<!\d[ -])(?:\d{12,19}"
                r"|\d{4}(?P<gap>[ ./_-])\d{4}(?P=gap)\d{4}(?P=gap)\d{1,4}(?:(?P=gap)\d{1,3})?"
                r"|\d{4}[ ./_-]\d{6}[ ./_-]\d{4,5})(?![\d])(?![.,]\d)"
            ),
            accept=_card,
            reach=32,
        ),
    )


def _card(match: re.Match[str]) -> Span | None:
    digits = re.sub(r"\D", "", match[0])
    if not _NETWORKS.fullmatch(digits):
        return None
    return match.span() if _luhn(digits) or near(_CUE, match.string, *match.span(), before=60) else None


def _luhn(digits: str) -> bool:
    """Whether the last digit fits the others. Source: ISO/IEC 7812-1, annex B."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(int(digit) for digit in digits[::-2])) % 10 == 0
