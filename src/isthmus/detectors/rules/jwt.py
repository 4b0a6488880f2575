"""JSON web tokens, signed or not (RFC 7519): the first two parts are base64url of JSON objects."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, pattern

KINDS = frozenset({"jwt"})
GROUPS = {"credentials": KINDS}


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="jwt",
            triggers=(r"eyJ[A-Za-z0-9_-]{8,400}\.eyJ[A-Za-z0-9_-]{4}",),
            pattern=pattern(
                r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{4,6000}(?:\.[A-Za-z0-9_-]{0,1400})?",
                cased=True,
            ),
            reach=8_192,
            cased=True,
        ),
    )
