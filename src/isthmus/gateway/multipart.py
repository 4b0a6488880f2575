"""Forms with files in them, as browsers and the vendors' clients send them (multipart/form-data, RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from isthmus.domain.errors import InvalidRequest

_LONGEST_DELIMITER = 74
"""Two hyphens, 70 characters of boundary (RFC 2046, section 5.1.1), CRLF."""

MOST_PARTS = 32


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form."""

    content: bytes
    filename: str | None
    """None: it is no file."""


def read_form(body: bytes) -> Mapping[str, Part]:
    """The fields of a form by name.

    The boundary is read off the first line: no client writes anything before it, though a mail programme might.

    Raises:
        InvalidRequest: no form, one that is cut off, says a field twice, or has too many.
    """
    delimiter, found, _ = body[:_LONGEST_DELIMITER].partition(b"\r\n")
    if not found or not delimiter.startswith(b"--"):
        raise InvalidRequest("The body is not a form.", hint="Send it as multipart/form-data.")
    fields = _Fields()
    parser = MultipartParser(
        delimiter[2:],
        {
            "on_part_begin": fields.begin,
            "on_header_field": fields.header_field,
            "on_header_value": fields.header_value,
            "on_header_end": fields.header_end,
            "on_part_data": fields.data,
            "on_part_end": fields.end,
            "on_end": fields.close,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as exc:
        raise InvalidRequest("The body is not a form: it cannot be taken apart.") from exc
    if not fields.closed:
        raise InvalidRequest("The form is cut off.")
    return fields.parts


class _Fields:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.closed = False
        self._name = b""
        self._value = b""
        self._disposition = b""
        self._content: list[bytes] = []

    def begin(self) -> None:
        self._disposition = b""
        self._content = []

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        if name in self.parts or len(self.parts) >= MOST_PARTS:
            raise InvalidRequest("The form says a field twice, or has too many.", param=name[:100] or None)
        self.parts[name] = Part(
            b"".join(self._content), None if filename is None else filename.decode("utf-8", "replace")
        )

    def close(self) -> None:
        self.closed = True
