"""Sentences about bodies that are not of the dialect. They name the field and never echo its content."""

from __future__ import annotations

import re

import msgspec

from isthmus.domain.errors import InvalidRequest

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, not of the type wanted, or nested too deeply."""

_EXPECTED = re.compile(
    r"Expected `(?P<wanted>[^`]+)`, got `(?P<found>[^`]+)`(?: - at `\$\.?(?P<path>.*)`)?\Z", re.DOTALL
)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`(?: - at `\$\.?(?P<path>.*)`)?\Z", re.DOTALL)
_PATH = re.compile(r"[A-Za-z0-9_.\[\]-]*\Z")
_KINDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def invalid(exc: Exception, *, within: str = "") -> InvalidRequest:
    """The error for a body that msgspec could not decode, or for the part of it at the path `within`."""
    message = str(exc)
    if isinstance(exc, msgspec.ValidationError):
        if found := _EXPECTED.match(message):
            param = _param(within, found["path"])
            return InvalidRequest(
                f"{param or 'The body'} must be {_kinds(found['wanted'])}, not {_kinds(found['found'])}.", param=param
            )
        if found := _MISSING.match(message):
            where = _param(within, found["path"])
            param = f"{where}.{found['name']}" if where else found["name"]
            return InvalidRequest(f"{param} is missing.", param=param)
        return InvalidRequest("The body is not a chat completion request.")
    return InvalidRequest("The body is not valid JSON.")


def _param(within: str, path: str | None) -> str | None:
    """The path, unless it holds names that a client made up (then it is content)."""
    if not path:
        return within or None
    whole = within + path if path.startswith("[") or not within else f"{within}.{path}"
    return whole if _PATH.match(whole) else None


def _kinds(names: str) -> str:
    # msgspec writes `str | null`; that null is allowed too is no help to the reader.
    kinds = [_KINDS.get(name, name) for name in names.split(" | ") if name != "null" or names == "null"]
    return " or ".join(kinds)
