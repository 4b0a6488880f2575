"""Regular expressions put into the few words that engines read alike.

What a pattern of a schema (ECMA 262, section 22.2) describes, a model writes inside a JSON string. Engines make a
grammar of the characters on the wire, so a class that takes a quote or a backslash would let a model write what is no
JSON. Here it is read with Python's parser and said anew: literals, classes of plain characters, groups, alternatives
and counts, anchored at both ends.
"""

from __future__ import annotations

import re
import warnings

# Python's own parser of patterns. It has no public name; `re` has kept the private one since 3.11.
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MOST_REPEATS = 1000
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
"""Characters that are themselves in a JSON string. Others are left out of classes: the result is narrower."""
_DIGITS = frozenset("0123456789")
_WORD = frozenset(char for char in _PLAIN if char.isalnum()) | {"_"}
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_NOT_DIGIT": _PLAIN - _DIGITS,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _PLAIN - _WORD,
    "CATEGORY_SPACE": frozenset(" "),
    "CATEGORY_NOT_SPACE": _PLAIN - {" "},
}


class _NotSayable(Exception):
    """The pattern has what the few words cannot say."""


def plain_pattern(pattern: object) -> str | None:
    """A pattern that matches some of the strings that `pattern` does, and no others; None: none can be said."""
    if not isinstance(pattern, str):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = list(parser.parse(pattern))
        starts = _is_anchor(parsed[:1], "AT_BEGINNING")
        ends = _is_anchor(parsed[-1:], "AT_END")
        inner = _sequence(parsed[1 if starts else 0 : len(parsed) - (1 if ends else 0)])
    except (re.error, Warning, _NotSayable, RecursionError, OverflowError):
        return None
    around = f"{_class(_PLAIN)}*"
    return f"^{'' if starts else around}{inner}{'' if ends else around}$" if inner else None


def _is_anchor(items: list[Any], name: str) -> bool:
    return bool(items) and str(items[0][0]) == "AT" and str(items[0][1]) == name


def _sequence(items: Any) -> str:
    return "".join(_said(operation, argument) for operation, argument in items)


def _said(operation: Any, argument: Any) -> str:
    match str(operation):
        case "LITERAL":
            return _class(frozenset(chr(argument)) & _PLAIN)
        case "NOT_LITERAL":
            return _class(_PLAIN - {chr(argument)})
        case "ANY":
            return _class(_PLAIN)
        case "IN":
            return _class(_characters(argument))
        case "SUBPATTERN":
            return f"({_group(argument[3])})" if not (argument[1] or argument[2]) else _refuse()
        case "BRANCH":
            return "(" + "|".join(_group(branch) for branch in argument[1]) + ")"
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, repeated = argument
            return _group(repeated, alone=True) + _count(int(least), None if most is codes.MAXREPEAT else int(most))
        case _:
            return _refuse()


def _refuse() -> str:
    raise _NotSayable


def _group(items: Any, *, alone: bool = False) -> str:
    """A part that is not empty: engines know no empty one."""
    said = _sequence(items)
    if not said:
        return _refuse()
    return said if not alone or (len(items) == 1 and str(items[0][0]) in _ONE) else f"({said})"


_ONE = ("LITERAL", "NOT_LITERAL", "ANY", "IN", "SUBPATTERN", "BRANCH")


def _count(least: int, most: int | None) -> str:
    if max(least, most or 0) > _MOST_REPEATS or most == 0:
        return _refuse()
    match least, most:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
        case _:
            return f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"


def _characters(items: Any) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    negated = False
    for operation, argument in items:
        match str(operation):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found |= {chr(argument)}
            case "RANGE":
                found |= {char for char in _PLAIN if argument[0] <= ord(char) <= argument[1]}
            case "CATEGORY":
                found |= _CATEGORIES[str(argument)]
            case _:
                _refuse()
    return _PLAIN - found if negated else found & _PLAIN


def _class(characters: frozenset[str]) -> str:
    """One of some characters, in ranges; what means something in a class is left out of ranges' ends by escapes."""
    if not characters:
        return _refuse()
    if len(characters) == 1:
        (char,) = characters
        return char if char.isalnum() or char in " _-:/,@#%&=!;<>~'`" else f"[{_escaped(char)}]"
    ordered = sorted(map(ord, characters))
    ranges: list[tuple[int, int]] = []
    for code in ordered:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "[" + "".join(_range(chr(low), chr(high)) for low, high in ranges) + "]"


def _range(low: str, high: str) -> str:
    return _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}"


def _escaped(char: str) -> str:
    """As a hexadecimal code where the character itself would mean something."""
    return char if char.isalnum() or char in " _,:/@#%&=!;<>~'`" else f"\\x{ord(char):02x}"
