"""Invented values of the same form as real ones, from ranges in which there are no real ones.

Only kinds with such a range have one. An invented tax number would be valid and might be somebody's, so there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def surrogate(kind: str, value: str, draw: bytes) -> str | None:
    """An invented value for a real one, in ASCII; None: there is no safe one of this kind.

    Args:
        kind: as a detector calls it (`Finding.kind`).
        value: gives the form: separators, capitals, length.
        draw: 32 bytes that decide which.
    """
    for words, invent in _INVENTED:
        if words.search(kind):
            return invent(value, int.from_bytes(draw, "big"))
    return None


def _email(_value: str, draw: int) -> str:
    """At a domain kept for examples (RFC 2606, section 3)."""
    draw, number = divmod(draw, 1_000)
    draw, domain = divmod(draw, len(_EXAMPLE_DOMAINS))
    draw, given = divmod(draw, len(_GIVEN_NAMES))
    family = _FAMILY_NAMES[draw % len(_FAMILY_NAMES)]
    return f"{_GIVEN_NAMES[given]}.{family}{number:03}@{_EXAMPLE_DOMAINS[domain]}".lower()


def _phone(value: str, draw: int) -> str:
    """A number kept for films.

    Source:
        +1: NANPA, 555-0100 to 555-0199 of any area. +44: Ofcom, "Telephone numbers for use in TV and radio drama".
    """
    draw, last = divmod(draw, 1_000)
    if value.lstrip().startswith(("+44", "0044")):
        city, exchange = _BRITISH_DRAMA[draw % len(_BRITISH_DRAMA)]
        return f"+44 {city} {exchange} 0{last:03}"
    return f"+1 {_AMERICAN_AREAS[draw % len(_AMERICAN_AREAS)]}-555-01{last % 100:02}"


def _iban(value: str, draw: int) -> str:
    """With check digits that hold, in a country that will never be (ZZ is for users: ISO 3166-1, 8.1.3)."""
    length = min(max(sum(map(str.isalnum, value)), 15), 34)  # ISO 13616
    account = f"{draw % 10 ** (length - 4):0{length - 4}}"
    check = 98 - int(f"{account}353500") % 97  # Z is 35
    plain = f"ZZ{check:02}{account}"
    return " ".join(re.findall("..?.?.?", plain)) if " " in value.strip() else plain


def _card(value: str, draw: int) -> str:
    """With a check digit that holds, in the range that card processors keep for tests."""
    length = min(max(sum(map(str.isdecimal, value)), 13), 19)  # ISO/IEC 7812-1
    body = f"424242{draw % 10 ** (length - 7):0{length - 7}}"
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in body[-1::-2])
    kept = sum(map(int, body[-2::-2]))
    digits = f"{body}{-(doubled + kept) % 10}"
    separator = next((character for character in value if character in " -"), "")
    return separator.join(re.findall("..?.?.?", digits))


def _ip(value: str, draw: int) -> str:
    """Kept for documentation (RFC 5737, RFC 3849)."""
    if ":" in value:
        groups = (f"{draw >> shift & 0xFFFF:x}" for shift in (0, 16, 32))
        return f"2001:db8::{':'.join(groups)}"
    draw, host = divmod(draw, 254)
    return f"{('192.0.2', '198.51.100', '203.0.113')[draw % 3]}.{host + 1}"


def _mac(_value: str, draw: int) -> str:
    """Kept for documentation (RFC 7042, 2.1.2)."""
    return f"00:00:5e:00:53:{draw % 256:02x}"


def _person(value: str, draw: int) -> str:
    """Given and family name, whatever the value has: a given name alone is also a piece of other words."""
    draw, given = divmod(draw, len(_GIVEN_NAMES))
    name = f"{_GIVEN_NAMES[given]} {_FAMILY_NAMES[draw % len(_FAMILY_NAMES)]}"
    return name.upper() if value.isupper() else name


_INVENTED: tuple[tuple[re.Pattern[str], Callable[[str, int], str]], ...] = tuple(
    (re.compile(rf"(?:^|_)(?:{words})(?:_|$)"), invent)
    for words, invent in (
        ("e?mail", _email),
        ("phone", _phone),
        ("iban", _iban),
        ("card", _card),
        ("ip|ipv4|ipv6", _ip),
        ("mac", _mac),
        ("person|name", _person),
    )
)
"""By words of the kind."""

_EXAMPLE_DOMAINS = ("example.org", "example.com", "example.net")
_AMERICAN_AREAS = (202, 206, 212, 303, 305, 312, 404, 415, 503, 602, 617, 713)
_BRITISH_DRAMA = (
    ("113", "496"), ("114", "496"), ("115", "496"), ("116", "496"), ("117", "496"), ("118", "496"),
    ("121", "496"), ("131", "496"), ("141", "496"), ("151", "496"), ("161", "496"), ("20", "7946"),
)  # fmt: skip
_GIVEN_NAMES = (
    "Alexis", "Andrea", "Ariel", "Avery", "Blair", "Cameron", "Casey", "Charlie", "Dana", "Dominique", "Eden", "Emery",
    "Finley", "Francis", "Harper", "Jamie", "Jessie", "Jordan", "Jules", "Kendall", "Leslie", "Morgan", "Noor",
    "Parker", "Quinn", "Reese", "Robin", "Rowan", "Sasha", "Skyler", "Taylor", "Toni",
)  # fmt: skip
"""Of women and men alike, so that nothing is said about which."""
_FAMILY_NAMES = (
    "Abernethy", "Balcombe", "Carrowmore", "Dunleavy", "Ellingham", "Farnsworth", "Garroway", "Hollister", "Inglewood",
    "Jessamine", "Kilbride", "Lindqvist", "Marchbanks", "Netherby", "Oakhurst", "Penhallow", "Quillfeather",
    "Ravensdale", "Silverton", "Thornbury", "Umberleigh", "Vandersloot", "Wetherby", "Yarborough",
)  # fmt: skip
