"""Canonical JSON (RFC 8785) and the digest by which a grant is bound to exact arguments.

The ledger's own canonical form knows integers only, which is all it writes; arguments may be any JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

MOST = 2**53 - 1
"""The largest integer that is the same number to every reader of JSON (RFC 8785, section 3.2.2.3)."""


def digest(tool: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 over a tool's name and resolved arguments, in hexadecimal.

    Raises:
        ValueError: an argument is no JSON.
    """
    return hashlib.sha256(canonical({"tool": tool, "arguments": arguments})).hexdigest()


def canonical(value: object) -> bytes:
    """A JSON value as canonical JSON.

    Raises:
        ValueError: it is none: a number that is not finite or too large, half a surrogate pair, a foreign type.
    """
    return _written(value).encode()


def _written(value: object) -> str:
    match value:
        case None | bool() | str():
            text = json.dumps(value, ensure_ascii=False)
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError("a text has half a surrogate pair in it") from error
            return text
        case int():
            if abs(value) > MOST:
                raise ValueError(f"{value} is no number that every reader of JSON reads alike")
            return str(value)
        case float():
            return _float(value)
        case Mapping():
            members = sorted(value.items(), key=lambda member: str(member[0]).encode("utf-16-be"))
            return "{" + ",".join(f"{_key(key)}:{_written(member)}" for key, member in members) + "}"
        case list() | tuple():
            return "[" + ",".join(_written(member) for member in value) + "]"
        case _:
            raise ValueError(f"{type(value).__name__} is no JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError("a name in an object is a text")
    return _written(key)


def _float(value: float) -> str:
    """A number as ECMAScript writes it: Python's digits are the same shortest ones, its exponents are not."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON")
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    digits, exponent = _scientific(value)
    sign = "-" if value < 0 else ""
    if -7 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if 0 <= exponent < 21:
        return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def _scientific(value: float) -> tuple[str, int]:
    """The shortest digits of a number, and the power of ten of the first."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + (len(whole) - 1 if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")) + 1))
    return digits.rstrip("0") or "0", power
