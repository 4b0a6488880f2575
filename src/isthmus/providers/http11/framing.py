"""What goes on the wire and what may come back: heads, and the bounds of HTTP/1.1 framing.

Source: RFC 9112, sections 3 (request line), 5 (fields), 6 (message body) and 7.1 (chunked).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isthmus.domain.errors import ConfigError, UpstreamMalformed

Header = tuple[bytes, bytes]

HEAD_BYTES = 64 * 1024
"""Of an answer's head at most, informational answers before it included."""
HEADERS = 256
"""Fields in an answer's head at most."""

OURS = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"accept-encoding", b"expect"})
"""Fields that say where a message goes and where it ends. Whoever else set one could make two messages of one."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_TARGET = re.compile(rb"[\x21-\x7e]+\Z")


def encoded(name: str, value: str) -> Header:
    """A field of the settings in bytes.

    Raises:
        ConfigError: the framing is not the settings' to set, or the characters are not ones that a field has.
    """
    try:
        field = name.encode("ascii").lower(), value.encode("latin-1")
    except UnicodeEncodeError:
        raise _no_field(name) from None
    if field[0] in OURS:
        raise ConfigError(f"The header {name!r} of an offer is set by isthmus itself.", hint="Remove it.")
    return field


def request_head(target: str, headers: Iterable[Header]) -> bytes:
    """Request line and fields of a POST, without the empty line that ends a head.

    Raises:
        ConfigError: a target or field that would break out of its line. Such a thing can only come from the settings.
    """
    line = target.encode("utf-8")
    if not _TARGET.match(line):
        raise ConfigError("The address of an offer contains a character that no address has.")
    out = [b"POST ", line, b" HTTP/1.1\r\n"]
    for name, value in headers:
        if not _TOKEN.match(name) or not _VALUE.match(value):
            raise _no_field(name.decode("latin-1"))
        out += (name, b": ", value, b"\r\n")
    return b"".join(out)


def body_is_delimited(status: int, version: str, headers: Sequence[Header]) -> bool:
    """Whether the answer says where its body ends; if not, the body goes on until the connection is closed.

    The parser refuses a content-length that is not one number, is repeated, or stands beside a transfer-encoding;
    the tests hold it to that. Here is what it lets pass and we do not.

    Args:
        status: of the answer.
        version: of HTTP, as in `1.1`.
        headers: names in lower case.

    Raises:
        UpstreamMalformed: the transfer coding is not the one coding there is an end to, or the content is coded
            although we asked for it plain.
    """
    delimited = status in {204, 304}
    chunked = False
    for name, value in headers:
        if name == b"content-length":
            delimited = True
        elif name == b"transfer-encoding":
            if chunked or value.strip().lower() != b"chunked":
                raise UpstreamMalformed("The answer has a transfer-encoding other than chunked.")
            if version != "1.1":
                raise UpstreamMalformed("The answer has a transfer-encoding, which its version of HTTP does not know.")
            delimited = chunked = True
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise UpstreamMalformed("The answer's content is compressed although it was asked for plain.")
    return delimited


def _no_field(name: str) -> ConfigError:
    return ConfigError(
        f"The header {name[:40]!r} of an offer is not one that HTTP knows.",
        hint="Names are letters, digits and hyphens; values are one line.",
    )
