"""Private keys in armour: PEM, OpenSSH, PGP, PuTTY. From the first line to the last, or as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, pattern

KINDS = frozenset({"private_key"})
GROUPS = {"credentials": KINDS}


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="private_key",
            triggers=(r"-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----",),
            pattern=pattern(
                r"-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
                r"(?>(?:[A-Za-z0-9+/=\s\\:,.()<>@]|-(?!----)){0,16000})"
                r"(?:-----END [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----)?"
            ),
            reach=16_384,
        ),
        Rule(
            kind="private_key",
            triggers=(r"Private-Lines: \d",),
            pattern=pattern(r"Private-Lines: \d{1,3}\s{1,2}(?:[A-Za-z0-9+/=]{1,80}\s{0,2}){1,100}"),
            reach=8_192,
        ),
    )
