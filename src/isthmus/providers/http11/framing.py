"""What goes on the wire and what may come back: heads, and the bounds of HTTP/1.1 framing.

Source: RFC 9112, sections 3 (request line), 5 (fields), 6 (message body) and 7.1 (chunked).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isthmus.domain.errors import ConfigError, UpstreamMalformed

Header = tuple[bytes, bytes]

HEAD_BYTES = 64 * 1024
"""Of an answer's head at most."""
HEADERS = 256
"""Fields in an answer's head at most."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_TARGET = re.compile(rb"[\x21-\x7e]+\Z")


def request_head(target: bytes, headers: Iterable[Header]) -> bytes:
    """Request line and fields of a POST, without the empty line that ends a head.

    Raises:
        ConfigError: a target or field that would break out of its line. Such a thing can only come from the settings.
    """
    if not _TARGET.match(target):
        raise ConfigError("The address of an offer contains a character that no address has.")
    out = [b"POST ", target, b" HTTP/1.1\r\n"]
    for name, value in headers:
        if not _TOKEN.match(name) or not _VALUE.match(value):
            raise ConfigError(
                f"The header {name[:40].decode('latin-1')!r} of an offer is not one that HTTP knows.",
                hint="Names are letters, digits and hyphens; values are one line.",
            )
        out += (name, b": ", value, b"\r\n")
    return b"".join(out)


def body_is_delimited(status: int, headers: Sequence[Header]) -> bool:
    """Whether the answer says where its body ends; if not, the body goes on until the connection is closed.

    Args:
        status: of the answer.
        headers: names in lower case.

    Raises:
        UpstreamMalformed: length and transfer coding contradict each other, or are repeated with different values, or
            the content is coded although we asked for it plain.
    """
    lengths = {value.strip() for name, value in headers if name == b"content-length"}
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if len(lengths) > 1 or any(not length.isdigit() for length in lengths):
        raise UpstreamMalformed("The answer's content-length is not one number.")
    if codings and lengths:
        raise UpstreamMalformed("The answer has both a content-length and a transfer-encoding.")
    if codings and codings != [b"chunked"]:
        raise UpstreamMalformed("The answer has a transfer-encoding other than chunked.")
    if any(name == b"content-encoding" and value.strip().lower() != b"identity" for name, value in headers):
        raise UpstreamMalformed("The answer's content is compressed although it was asked for plain.")
    return bool(lengths or codings) or status in {204, 304}
