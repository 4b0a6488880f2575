"""The headers of a mail: fields in their order, of any bytes, read without raising (RFC 5322, RFC 6532)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.connectors.mail.addresses import Address, parsed
from isthmus.connectors.mail.words import decoded

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields of a header, their names in lower case, their values unfolded but not decoded."""

    fields: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(data: bytes) -> Headers:
        """The fields in a header block. What is no field is left out."""
        fields: list[tuple[str, list[str]]] = []
        for line in data[:_MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
            text = _text(line)
            if line[:1] in {b" ", b"\t"}:
                if fields:
                    fields[-1][1].append(text.strip())
                continue
            name, colon, value = text.partition(":")
            if colon and name.strip():
                fields.append((name.strip().lower(), [value.strip()]))
        return Headers(tuple((name, " ".join(pieces)) for name, pieces in fields))

    def all(self, name: str) -> tuple[str, ...]:
        """The values of all fields of a name, from the top: what was added last comes first."""
        return tuple(value for found, value in self.fields if found == name)

    def has(self, *names: str) -> bool:
        return any(found in names for found, _ in self.fields)

    def text(self, name: str) -> str:
        """The first field of a name, decoded, on one line. Empty: there is none."""
        values = self.all(name)
        return decoded(values[0]) if values else ""

    def addresses(self, *names: str) -> tuple[Address, ...]:
        """The addresses in all fields of these names, each once."""
        found = {one.address: one for value in reversed(self.all_of(names)) for one in reversed(parsed(value))}
        return tuple(reversed(found.values()))

    def all_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(value for name in names for value in self.all(name))

    @property
    def message_id(self) -> str | None:
        """With its angle brackets."""
        found = self.message_ids("message-id")
        return found[0] if found else None

    def message_ids(self, name: str) -> tuple[str, ...]:
        """The ids in the fields of a name, such as References."""
        return tuple(_MESSAGE_ID.findall(" ".join(self.all(name))))


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
