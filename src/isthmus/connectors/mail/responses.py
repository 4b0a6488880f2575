"""What an IMAP server answers to FETCH (RFC 3501, section 7.4.2), as nested values. Reads anything, raises nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

Node: TypeAlias = "bytes | list[Node] | None"
"""A text (quoted, literal or bare), NIL, or a list."""

_MAX_DEPTH = 100


def fetched(pieces: Iterable[object]) -> Iterator[Mapping[str, Node]]:
    """The attributes of each message in an answer, by their names in capitals.

    Args:
        pieces: as `imaplib` hands them over: bytes, or a tuple of bytes and the literal that they announce.
    """
    for node in nodes(pieces):
        if isinstance(node, list):
            yield {
                name.decode("ascii", "replace").upper(): value
                for name, value in zip(node[::2], node[1::2], strict=False)
                if isinstance(name, bytes)
            }


def nodes(pieces: Iterable[object]) -> list[Node]:
    """The values in an answer, in their order."""
    top: list[Node] = []
    within = [top]
    too_deep = 0
    for sign, text in _tokens(pieces):
        if sign == "(":
            if len(within) > _MAX_DEPTH:
                too_deep += 1
                continue
            inner: list[Node] = []
            within[-1].append(inner)
            within.append(inner)
        elif sign == ")":
            if too_deep:
                too_deep -= 1
            elif len(within) > 1:
                within.pop()
        elif not too_deep:
            within[-1].append(None if sign == "atom" and text.upper() == b"NIL" else text)
    return top


def _tokens(pieces: Iterable[object]) -> Iterator[tuple[str, bytes]]:
    for piece in pieces:
        match piece:
            case bytes():
                yield from _in_line(piece)
            case (bytes() as line, bytes() as literal):
                announced = line.rfind(b"{")
                yield from _in_line(line[:announced].removesuffix(b"~") if announced >= 0 else line)
                yield "literal", literal


def _in_line(line: bytes) -> Iterator[tuple[str, bytes]]:
    at, end = 0, len(line)
    while at < end:
        sign = line[at : at + 1]
        if sign in b" \t\r\n":
            at += 1
        elif sign in b"()":
            yield sign.decode(), b""
            at += 1
        elif sign == b'"':
            text, at = _quoted(line, at + 1)
            yield "quoted", text
        else:
            start, brackets = at, 0
            # `BODY[HEADER.FIELDS (FROM TO)]<0>` is one name.
            while at < end and (brackets or line[at] not in b' ()"\r\n'):
                brackets += (line[at] == ord("[")) - (line[at] == ord("]"))
                at += 1
            yield "atom", line[start:at]


def _quoted(line: bytes, at: int) -> tuple[bytes, int]:
    text = bytearray()
    while at < len(line) and line[at] != ord('"'):
        if line[at] == ord("\\"):
            at += 1
        text += line[at : at + 1]
        at += 1
    return bytes(text), at + 1
