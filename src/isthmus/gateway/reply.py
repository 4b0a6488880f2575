"""An answer that is known whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from isthmus.domain.errors import IsthmusError
from isthmus.gateway.headers import JSON

if TYPE_CHECKING:
    from isthmus.gateway.connection import Connection


class Reply:
    """Work that is done already: status, header lines (each ended by CRLF) and body. Wants no body of the request."""

    __slots__ = ("body", "lines", "most_bytes", "status")

    def __init__(self, status: int, lines: bytes, body: bytes) -> None:
        self.status = status
        self.lines = lines
        self.body = body
        self.most_bytes = None

    @classmethod
    def json(cls, value: object, *, status: int = 200) -> Reply:
        return cls(status, JSON, msgspec.json.encode(value))

    def begin(self, connection: Connection, body: bytes) -> None:  # noqa: ARG002
        connection.answer(self.status, self.lines, self.body)

    def refused(self, error: IsthmusError) -> Reply:  # noqa: ARG002 - it is answered before the body comes
        return self
