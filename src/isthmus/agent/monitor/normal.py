"""The normal form of a value of a kind: what two spellings of the same value have in common."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from isthmus.agent.tool import Kind, Value

_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def normal(kind: Kind, value: Value) -> str:
    """The normal form of a value.

    It never makes one thing of two: what is left out (letter case of an address, the scheme of a page's address, white
    space, full-width letters) is what nobody would call a difference.
    """
    match kind:
        case "email":
            return str(value).strip().casefold().removeprefix("mailto:")
        case "url" | "host":
            return _address(str(value))
        case "account":
            return re.sub(r"[\s-]", "", str(value)).upper()
        case "amount" | "number":
            return _number(value)
        case "time":
            return value.isoformat() if isinstance(value, date | datetime) else _text(str(value))
        case "text" | "person" | "channel" | "flag" | "choice":
            return _text(str(value))
        case _:
            return str(value)


def _text(text: str) -> str:
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def _address(text: str) -> str:
    """Host in small letters, the rest as it is, without a last slash."""
    rest = _SCHEME.sub("", text.strip(), count=1)
    host, slash, path = rest.partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/")


def _number(value: Value) -> str:
    try:
        return str(Decimal(str(value)).normalize() + 0)
    except InvalidOperation:
        return str(value)
