"""Cards (vCard 2.1, 3.0 and 4.0: RFC 2426, RFC 6350), read from bytes that anybody may have written.

Address books are full of cards that no strict reader takes. What is wanted of one is little: so it is read line by
line, what is not understood is left out, and nothing is raised.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.mail.words import in_charset, one_line

MAX_CHARACTERS = 4 * 1024 * 1024
"""Of one card: some hold a picture."""
_MAX_LINE = 10_000
_MAX_LINES = 2_000
_MAX_VALUES = 20
_MAX_TEXT = 300
_MAX_NOTES = 2_000

_FOLD = re.compile(r"\r?\n[ \t]")
_END = re.compile(r"\r\n|\r|\n")
_NAME = re.compile(r"(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)")
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)(?:=("[^"]*"|[^";:]*))?')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PARTED = re.compile(r"(?<!\\);")
_XMPP = re.compile(r"(?:xmpp|jabber):(?://)?([^?\s]+)", re.IGNORECASE)
_MATRIX = re.compile(r"(?:matrix:u/|https://matrix\.to/#/@|matrix:)@?([^\s/?]+:[^\s/?]+)", re.IGNORECASE)
_BIRTHDAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is wanted of a card."""

    uid: str
    name: str
    also: tuple[str, ...]
    """Nicknames, and the name as it is written in parts."""
    emails: tuple[str, ...]
    """In normal form."""
    phones: tuple[str, ...]
    xmpp: tuple[str, ...]
    matrix: tuple[str, ...]
    organisation: str
    birthday: date | None
    notes: str
    group: bool
    """Whether it is one of several people."""

    @property
    def searched(self) -> str:
        """What is looked in for a name."""
        parts = (self.name, *self.also, self.organisation, *self.emails, *self.phones, *self.xmpp, *self.matrix)
        return "\n".join(parts).casefold()


def card(text: str) -> Card | None:
    """What a card says. None: it is none, or says no name and no address."""
    if len(text) > MAX_CHARACTERS or not text.lstrip("\ufeff \r\n\t")[:11].upper().startswith("BEGIN:VCARD"):
        return None
    found: dict[str, list[str]] = {}
    for name, value in _lines(text):
        if len(values := found.setdefault(name, [])) < _MAX_VALUES:
            values.append(value)

    def first(name: str, most: int = _MAX_TEXT) -> str:
        return next((one for raw in found.get(name, []) if (one := _line(raw)[:most])), "")

    parts = [_line(one)[:_MAX_TEXT] for one in _PARTED.split(next(iter(found.get("N", [])), ""))]
    spelled = " ".join(one for one in (*parts[1:3], *parts[:1]) if one)
    emails = tuple(dict.fromkeys(one for raw in found.get("EMAIL", []) if (one := _email(raw)) is not None))
    organisation = ", ".join(one for raw in _PARTED.split(next(iter(found.get("ORG", [])), "")) if (one := _line(raw)))
    chats = [_unescaped(raw).strip() for raw in (*found.get("IMPP", []), *found.get("URL", []))]
    name = first("FN") or spelled or organisation[:_MAX_TEXT] or next(iter(emails), "")
    if not name:
        return None
    return Card(
        uid=first("UID"),
        name=name,
        also=tuple(dict.fromkeys(one for one in (spelled, first("NICKNAME")) if one and one != name)),
        emails=emails,
        phones=tuple(
            dict.fromkeys(one for raw in found.get("TEL", []) if (one := _line(raw).removeprefix("tel:")[:50]))
        ),
        xmpp=tuple(_chats(chats, _XMPP) | dict.fromkeys(_line(raw)[:_MAX_TEXT] for raw in found.get("X-JABBER", []))),
        matrix=tuple(f"@{one}" for one in _chats(chats, _MATRIX)),
        organisation=organisation[:_MAX_TEXT],
        birthday=_birthday(first("BDAY")),
        notes=_unescaped(next(iter(found.get("NOTE", [])), ""))[:_MAX_NOTES].strip(),
        group=first("KIND").lower() == "group" or first("X-ADDRESSBOOKSERVER-KIND").lower() == "group",
    )


def written(uid: str, values: Mapping[str, str]) -> str:
    """A card (version 3.0, which every server takes).

    Args:
        uid: of it.
        values: by the names of properties, `FN` among them.
    """
    name = values["FN"]
    given, _, family = name.rpartition(" ")
    lines = ["BEGIN:VCARD", "VERSION:3.0", "PRODID:-//isthmus//contacts//EN", f"UID:{uid}"]
    lines.append(f"N:{_escaped(family)};{_escaped(given)};;;")
    lines += [f"{known}:{_escaped(value)}" for known, value in values.items() if value]
    return "".join(_folded(line) for line in [*lines, "END:VCARD"])


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Property names and values, those that are text decoded."""
    for line in _joined(_END.split(_FOLD.sub("", text))[:_MAX_LINES]):
        match = _NAME.match(line)
        if match is None:
            continue
        at = match.end()
        parameters: dict[str, str] = {}
        while (parameter := _PARAMETER.match(line, at)) is not None:
            # vCard 2.1 writes the value alone: `TEL;HOME`, `NOTE;QUOTED-PRINTABLE`.
            parameters[parameter[1].upper()] = (parameter[2] or "").strip('"')
            at = parameter.end()
        if line[at : at + 1] != ":":
            continue
        value = line[at + 1 : at + 1 + _MAX_LINE]
        encoding = parameters.get("ENCODING", "QUOTED-PRINTABLE" if "QUOTED-PRINTABLE" in parameters else "").upper()
        if encoding in {"B", "BASE64"}:
            continue
        if encoding == "QUOTED-PRINTABLE":
            data = quopri.decodestring(value.encode("utf-8", "replace"))
            value = in_charset(data, parameters.get("CHARSET"))
        yield match[1].upper(), value


def _joined(lines: list[str]) -> Iterator[str]:
    """Lines, those in one that quoted-printable cuts (vCard 2.1)."""
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if "QUOTED-PRINTABLE" in line.partition(":")[0].upper():
            while line.endswith("=") and at < len(lines) and len(line) < _MAX_LINE:
                line, at = line[:-1] + lines[at], at + 1
        yield line


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _line(value: str) -> str:
    return " ".join(one_line(_unescaped(value)).split())


def _email(value: str) -> str | None:
    text = _line(value)
    if text[:7].lower() == "mailto:":
        text = text[7:]
    try:
        return normal(text)
    except ValueError:
        return None


def _chats(values: list[str], scheme: re.Pattern[str]) -> dict[str, None]:
    return dict.fromkeys(match[1].lower()[:_MAX_TEXT] for one in values if (match := scheme.match(one)) is not None)


def _birthday(text: str) -> date | None:
    match = _BIRTHDAY.match(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _escaped(value: str) -> str:
    clean = value.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"([\\,;])", r"\\\1", clean).replace("\n", "\\n")


def _folded(line: str) -> str:
    """A line as lines of at most 75 bytes (RFC 6350, section 3.2)."""
    pieces: list[bytes] = []
    rest = line.encode("utf-8", "replace")
    while len(rest) > 75 - bool(pieces):
        cut = 75 - bool(pieces)
        while rest[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return b"\r\n ".join([*pieces, rest]).decode() + "\r\n"
