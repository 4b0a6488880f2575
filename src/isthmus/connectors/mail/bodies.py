"""The text of a mail, out of the bytes of its parts. Reads anything, raises nothing."""

from __future__ import annotations

import quopri
from collections.abc import Sequence

from isthmus.connectors.mail.html import html_text
from isthmus.connectors.mail.structure import Part
from isthmus.connectors.mail.words import from_base64, in_charset

_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


def content(part: Part, raw: bytes) -> bytes:
    """The bytes of a part as they were before they were encoded for sending (RFC 2045, section 6)."""
    match part.encoding:
        case "base64":
            return from_base64(raw)
        case "quoted-printable":
            return quopri.decodestring(raw)
        case _:
            return raw


def text(part: Part, raw: bytes) -> str:
    """The text of a part that is text, its lines ending as they do here."""
    decoded = in_charset(content(part, raw), part.charset)
    decoded = decoded.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    return html_text(decoded) if part.media_type == "text/html" else decoded.strip("\n")


def shown(texts: Sequence[tuple[Part, str]]) -> str:
    """What a mail programme would show of the parts that are text: of several versions of the same, the plain one."""
    plain = {part.alternatives for part, said in texts if part.media_type == "text/plain" and said.strip()}
    return "\n\n".join(
        said
        for part, said in texts
        if said.strip() and (not part.alternatives or part.alternatives not in plain or part.media_type == "text/plain")
    )
