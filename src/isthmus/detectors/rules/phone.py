"""Telephone numbers, judged by the numbering plans of `phonenumbers`.

International ones stand alone. National ones need the grouping of a telephone number, or a word such as `Tel.` or
`call` before them, and must be valid in one of the countries tried.
"""
# ruff: noqa: RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued, near, pattern

KINDS = frozenset({"phone"})
GROUPS = {"pii": KINDS, "contact": KINDS}

_COUNTRIES = (
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "PL", "SE", "CH", "AT", "PT", "DK", "NO", "FI", "TR", "RU", "BR",
    "MX", "AU", "NZ", "IN", "CN", "JP", "KR", "IL", "ZA", "IE", "CZ", "GR", "RO", "HU",
)  # fmt: skip
_CUES = (
    r"(?:tele)?phone(?: (?:no|number))?", r"tel", r"mobile(?: (?:no|number))?", r"cell", r"call(?: (?:me|us|him|her))?",
    r"fax", r"whats ?app", r"sms", r"text me", r"contact(?: number)?", r"reach (?:me|him|her|us|them)", r"dial",
    r"ring", r"telefon(?:nummer)?", r"handy(?:nummer)?", r"mobil(?:nummer|telefon)?", r"rufnummer", r"erreichbar",
    r"durchwahl", r"telephone", r"portable", r"appel(?:er|ez)", r"telefono", r"movil", r"celular", r"llam(?:ar|e|ame)",
    r"cellulare", r"chiam(?:are|ami|i)", r"telefone", r"telemovel", r"ligue", r"telefoon(?:nummer)?", r"mobiel",
    r"bel(?:len)?", r"telefonu", r"komork[ai]", r"zadzwon", r"kom", r"puhelin(?:numero)?", r"puh", r"gsm", r"cep",
    r"numaram", r"tlf", r"ring", r"телефон\w*", r"тел", r"моб", r"звоните", r"позвони\w*", "电话", "手机", "手机号码?",
    "電話(?:番号)?", "携帯(?:番号)?", "전화(?:번호)?", "휴대폰", "هاتف", "الهاتف", "جوال", "फ़?ोन", "मोबाइल",
)  # fmt: skip
_DATE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?!\d)")
_NO_PHONE = pattern(
    r"(?:iban|isbn|order|invoice|version|port|ticket|tracking|serial|account|konto|rechnung)\W{0,3}\w{0,8}\W{0,3}$"
)
_SEPARATORS = re.compile(r"[ ().\-/]+\d+$")


def rules() -> Sequence[Rule]:
    import phonenumbers  # noqa: PLC0415 - its metadata is loaded only where telephone numbers are wanted

    def valid(number: str, region: str | None) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
        except phonenumbers.NumberParseException:
            return False

    def international(match: re.Match[str]) -> Span | None:
        """The longest valid beginning: what follows a number after a blank may be another one."""
        start = match.start()
        number = match[0]
        for _ in range(4):
            if valid("+" + number[2:] if number.startswith("00") else number, None):
                return start, start + len(number)
            shorter = _SEPARATORS.sub("", number)
            if shorter == number:
                return None
            number = shorter
        return None

    def national(match: re.Match[str]) -> Span | None:
        start, end = match.span("it")
        number = match["it"]
        if _DATE.match(number) or _NO_PHONE.search(match.string, max(0, start - 24), start):
            return None
        return (start, end) if any(valid(number, country) for country in _COUNTRIES) else None

    def american(match: re.Match[str]) -> Span | None:
        if _NO_PHONE.search(match.string, max(0, match.start() - 24), match.start()):
            return None
        digits = re.sub(r"\D", "", match["number"])
        dressed = not match["number"].isdecimal() and " " not in match["number"].strip()
        return match.span() if valid(digits, "US") or dressed or near(cues, match.string, *match.span()) else None

    def announced(match: re.Match[str]) -> Span | None:
        number = match["it"]
        digits = sum(char.isdigit() for char in number)
        if not 6 <= digits <= 15 or _DATE.match(number):
            return None
        return match.span("it")

    cued_rule = cued(
        "phone",
        _CUES,
        r"(?<![A-Z0-9.])[+(]{0,2}\d(?:[ ().\-/]{0,2}\d){5,14}(?![\w-])",
        between=r"[\s:#=.,'\"(-]{0,4}(?:(?:is|number|no|nr|n[°º]|at|on|me|us|ist|unter|est|au|es|al|il|numero|e|op"
        r"|под|номер|numer|to|num|nummer|on|är|er|是|は|为)\b[\s:.]{0,3}){0,3}[\s:：]{0,2}(?:是|は|为)?[\s:]{0,2}",
        accept=announced,
    )
    cues = pattern(
        "(?:" + "|".join(rf"\b{word}" for word in ("phone", "tel", "mobile", "call", "cell", "fax", "contact")) + ")"
    )
    return (
        Rule(
            kind="phone",
            triggers=(r"\+\(?[1-9][ ().\-/]{0,2}\d", r"\b00[1-9]\d[ ().\-/]{0,2}\d"),
            pattern=pattern(r"(?<![\w+.])(?:\+|00)\(?[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\d)"),
            accept=international,
            reach=48,
        ),
        Rule(
            kind="phone",
            triggers=(r"\d{3}\)?[-. /]{0,2}\d{3}[-. ]\d{4}",),
            pattern=pattern(
                r"(?<![\w.+/-])(?:\+?1[-. ]{0,2})?(?P<number>\(?[2-9]\d{2}\)?[-. /]{1,2}\d{3}[-. ]\d{4})"
                r"(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\w-])"
            ),
            accept=american,
            reach=48,
        ),
        Rule(
            kind="phone",
            triggers=(r"\b0\d{1,5}\)?[ /.\-]{1,3}\d{2}",),
            pattern=pattern(
                r"(?<![\w.+/-])(?<!\d )\(?(?P<it>0\d{1,5}\)?[ /.-]{1,3}\d{2,8}(?:[ .-]\d{2,5}){0,4})(?![\w-])"
            ),
            accept=national,
            reach=40,
        ),
        cued_rule,
    )
