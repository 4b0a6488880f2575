"""Addresses: lists of them as headers hold them (RFC 5322, section 3.4), and the normal form of one.

What stands in a header was written by anybody. So it is read by one strict pass that raises nothing, structure is found
before encoded words are decoded (or a name could make up addresses), and what is no plain address is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from isthmus.agent.marks import Party
from isthmus.connectors.mail.words import decoded

_LOCAL = re.compile(r"[^\s\x00-\x20\x7f@<>()\[\]\\,;:\"]{1,64}\Z")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_AMBIGUOUS = frozenset("ßς\u200c\u200d")
"""What the two versions of internationalised names (RFC 3490, RFC 5891) make different domains of."""

_MAX_HEADER = 100_000
_MAX_ADDRESSES = 1_000


class Address(NamedTuple):
    """Somebody's address, and what they are called beside it."""

    name: str
    """As whoever wrote the header called them. May be empty, and may be a lie."""
    address: str
    """In normal form."""


def normal(address: str) -> str:
    """The normal form of an address: lower case, the domain in ASCII.

    The part before the @ could in theory mean another mailbox in another case; no server that people use does that.

    Raises:
        ValueError: it is no address.
    """
    local, at, domain = address.strip().rpartition("@")
    local = unicodedata.normalize("NFC", local).lower()
    if not at or not _LOCAL.match(local) or local[0] == "." or local[-1] == "." or ".." in local:
        raise ValueError("it is no mail address")
    if not domain.isascii():
        if _AMBIGUOUS & set(domain):
            raise ValueError("its domain can be read in two ways")
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError("its domain is none") from error
    domain = domain.lower()
    if not _DOMAIN.match(domain):
        raise ValueError("its domain is none")
    return f"{local}@{domain}"


def party(address: str) -> Party:
    """Whom an address in normal form stands for."""
    return Party(f"mailto:{address}")


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def parsed(header: str) -> tuple[Address, ...]:
    """The addresses of a header such as To, groups dissolved, in their order and each once.

    Never raises; what is no address is left out.
    """
    found: dict[str, Address] = {}
    for name, address in _mailboxes(header[:_MAX_HEADER]):
        try:
            in_normal_form = normal(address)
        except ValueError:
            continue
        found.setdefault(in_normal_form, Address(decoded(name).strip(), in_normal_form))
        if len(found) == _MAX_ADDRESSES:
            break
    return tuple(found.values())


def count(header: str) -> int:
    """How many mailboxes a header names, those that are no addresses included."""
    return sum(1 for _ in _mailboxes(header[:_MAX_HEADER]))


def _mailboxes(header: str) -> Iterator[tuple[str, str]]:
    """Name and address of each mailbox, neither checked."""
    phrase: list[str] = []
    route: str | None = None
    """What stands between < and >."""
    for token in _tokens(header):
        match token:
            case "," | ";":
                if phrase or route is not None:
                    yield _mailbox(phrase, route)
                phrase, route = [], None
            case ":":
                phrase, route = [], None  # the name of a group
            case _ if token[0] == "<":
                # A second one in the same mailbox makes it none.
                route = token[1:] if route is None else ""
            case _ if token[0] == '"':
                phrase.append(token[1:])
            case _:
                phrase.append(token)
    if phrase or route is not None:
        yield _mailbox(phrase, route)


def _mailbox(phrase: list[str], route: str | None) -> tuple[str, str]:
    if route is None:
        return "", " ".join(phrase)
    return " ".join(phrase), route


def _tokens(header: str) -> Iterator[str]:
    """Words, `"` and a quoted text, `<` and what is in angle brackets, and the separators. Comments are left out."""
    at, end = 0, len(header)
    word: list[str] = []
    while at < end:
        sign = header[at]
        at += 1
        if sign not in ' \t\r\n,;:<("':
            word.append(sign)
            continue
        if word:
            yield "".join(word)
            word = []
        if sign in ",;:":
            yield sign
        elif sign == '"':
            text, at = _quoted(header, at)
            yield '"' + text
        elif sign == "<":
            close = header.find(">", at)
            close = end if close < 0 else close
            yield "<" + header[at:close].strip()
            at = close + 1
        elif sign == "(":
            at = _after_comment(header, at)
    if word:
        yield "".join(word)


def _quoted(header: str, at: int) -> tuple[str, int]:
    text: list[str] = []
    while at < len(header) and header[at] != '"':
        if header[at] == "\\":
            at += 1
        text.append(header[at : at + 1])
        at += 1
    return "".join(text), at + 1


def _after_comment(header: str, at: int) -> int:
    depth = 1
    while at < len(header) and depth:
        if header[at] == "\\":
            at += 1
        elif header[at] == "(":
            depth += 1
        elif header[at] == ")":
            depth -= 1
        at += 1
    return at
