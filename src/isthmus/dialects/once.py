"""Names that an object says twice, and text that is none.

Parsers differ in which of two values of one name they take, so that what isthmus looks at might not be what an offer
reads: such a request is refused.
"""

from __future__ import annotations

from typing import Any

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.domain.errors import InvalidRequest


class _Name(str):
    """A name that equals itself alone, so that a mapping keeps both of two that are spelled alike."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def _name(_: type, told: Any) -> _Name:
    return _Name(told)


_fields = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_name)


def fields_once(content: bytes | msgspec.Raw, *, within: str = "") -> dict[str, msgspec.Raw]:
    """The fields of an object, left as they are. Names spelled with escapes are the names they spell.

    Raises:
        InvalidRequest: no object, or one that says a name twice. The name is told of the body and of `metadata`, whose
            names are no content.
    """
    try:
        told = _fields.decode(content)
    except UNREADABLE as exc:
        raise invalid(exc, within=within) from exc
    fields = {str(name): value for name, value in told.items()}
    if len(fields) != len(told):
        names = [str(name) for name in told]
        twice = next(name for name in fields if names.count(name) > 1)[:64]
        param = f"{within}.{twice}" if within else twice
        raise InvalidRequest(f"{param} is said twice.", hint="Say it once.", param=param)
    return fields


def check_text(body: bytes) -> None:
    """Check what a partial decode skips: that the text is UTF-8.

    Raises:
        InvalidRequest: it is not.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as exc:
            raise InvalidRequest("The body is not valid UTF-8.") from exc
