"""Encoded words: text that is not ASCII in headers (RFC 2047), decoded without ever raising."""

from __future__ import annotations

import binascii
import re

_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([bBqQ])\?([!-<>@-~=]*?)\?=")
_SPACE = re.compile(r"\s*\Z")
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape"})
"""What Python knows as text encodings and mail does not; some take quadratic time."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")


def decoded(text: str) -> str:
    """A header's text as people read it, on one line."""
    pieces: list[str] = []
    run: tuple[str, bytes] | None = None
    """Charset and bytes of the encoded words before: a character may be cut in two between two of them."""
    at = 0
    for word in _WORD.finditer(text):
        between = text[at : word.start()]
        charset, data = word[1].lower(), _bytes(word[2], word[3])
        at = word.end()
        if run is not None and _SPACE.match(between):
            if run[0] == charset:
                run = (charset, run[1] + data)
                continue
            between = ""
        if run is not None:
            pieces.append(in_charset(run[1], run[0]))
        pieces.append(between)
        run = (charset, data)
    if run is not None:
        pieces.append(in_charset(run[1], run[0]))
    pieces.append(text[at:])
    return one_line("".join(pieces))


def one_line(text: str) -> str:
    """A text without line ends and other control characters."""
    return _CONTROL.sub(" ", text)


def in_charset(data: bytes, charset: str | None) -> str:
    """Bytes as text: in the charset that they are said to be in, else as UTF-8, else as Windows-1252."""
    if charset is not None and charset.lower() in _NO_CHARSETS:
        charset = None
    for named in (charset, "utf-8"):
        if named:
            try:
                text = data.decode(named, "replace" if named is charset else "strict")
            except (LookupError, UnicodeError, ValueError):
                continue
            # Some codecs make half surrogate pairs, which no text can hold.
            return text.encode("utf-8", "replace").decode()
    return data.decode("cp1252", "replace")


def _bytes(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        return from_base64(text.encode("ascii", "ignore"))
    plain = text.replace("_", " ").encode("ascii", "ignore")
    return _QUOTED.sub(lambda match: bytes([int(match[1], 16)]), plain)


def from_base64(data: bytes) -> bytes:
    """As many bytes as can be had: what is cut off or no base64 is left out."""
    clean = re.sub(rb"[^A-Za-z0-9+/]+", b"", data)
    clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
