"""International bank account numbers: country, length and checksum."""
# ruff: noqa: E501 - one form a line

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, near, pattern

KINDS = frozenset({"iban"})
GROUPS = {"pii": KINDS, "financial": KINDS}

_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country, from the registry of ISO 13616."""
_CUE = pattern(r"\b(?:iban|konto\w*|account|compte|cuenta|conto|rekening\w*|bank\w*)")


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="iban",
            triggers=(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11}",),
            pattern=pattern(r"(?<![^\W_])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,31}"),
            accept=_iban,
            reach=80,
        ),
    )


def _iban(match: re.Match[str]) -> Span | None:
    """As much of the match as the country's IBAN is long; with a cue, one with a mistyped character, too."""
    length = _LENGTHS.get(match[0][:2].upper())
    if length is None:
        return None
    seen = 0
    for place, char in enumerate(match[0]):
        seen += char.isalnum()
        if seen == length:
            start, end = match.start(), match.start() + place + 1
            if end < len(match.string) and match.string[end].isalnum():
                return None
            bare = re.sub("[ -]", "", match[0][: place + 1]).upper()
            valid = int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1
            return (start, end) if valid or near(_CUE, match.string, start, end, before=40, after=0) else None
    return None
