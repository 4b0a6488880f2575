"""Addresses of services with their password inside: `postgres://user:password@host`, ADO, JDBC, storage accounts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, pattern

KINDS = frozenset({"connection_string"})
GROUPS = {"credentials": KINDS}


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="connection_string",
            triggers=(r"[a-z]://[^\s:/@]{0,64}:[^\s/@]{1,128}@",),
            pattern=pattern(
                r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,64}:(?P<password>[^\s/@]{1,128})@[^\s\"'<>`)]{1,512}"
            ),
            accept=_with_password,
            reach=800,
        ),
        Rule(
            kind="connection_string",
            triggers=(r"(?:password|pwd|accountkey|sharedaccesskey)\s?=[^;\s]",),
            pattern=pattern(
                r"(?:(?:server|data source|host|user(?: id)?|uid|database|initial catalog|port|endpoint|driver|dsn"
                r"|defaultendpointsprotocol|accountname|sharedaccesskeyname|encrypt"
                r"|trusted_connection)\s?=[^;\n\"']{1,200};\s?){1,12}"
                r"(?:password|pwd|accountkey|sharedaccesskey)\s?=[^;\s\"']{1,200}(?:;[^;\n\"']{1,100}){0,10}"
            ),
            reach=1_200,
        ),
        Rule(
            kind="connection_string",
            triggers=(r"jdbc:[a-z0-9:]{2,30}[^\s]{3,200}password=",),
            pattern=pattern(r"jdbc:[a-z0-9:]{2,30}[^\s\"']{3,300}password=[^\s\"'&;]{1,128}"),
            reach=600,
        ),
    )


def _with_password(match: re.Match[str]) -> Span | None:
    """None where a name stands in the password's place: `<password>`, `${PASSWORD}`, `***`."""
    return None if re.fullmatch(r"[<\[{$%*x.].*[>\]}*x.%]|\*+|x+", match["password"]) else match.span()
