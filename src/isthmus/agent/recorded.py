"""How the agent's values stand in the log: as JSON, from which the same values come back.

Everything that decides stands there whole, marks included, so that a conversation can be built again from its events
alone: after a crash to go on, and later to be explained. What JSON has no word for is an object with one key that
begins with `$`.
"""

from __future__ import annotations

import base64
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

Json = Any
T = TypeVar("T")


def written(value: object) -> Json:
    """A value as JSON.

    Raises:
        TypeError: it is of a type that no event holds.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return {"$decimal": str(value)}
        case datetime():  # before date, of which it is one
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case Mapping():
            plain = {str(key): written(inner) for key, inner in value.items()}
            return {"$object": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
        case AbstractSet():
            return sorted(written(one) for one in value)
        case Sequence():
            return [written(one) for one in value]
        case _ if is_dataclass(value):
            return {field.name: written(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise TypeError(f"a value of type {type(value).__name__} does not go into the log")


def read(kind: type[T], json: Json) -> T:
    """A value of a kind, out of what `written` made of it.

    Raises:
        TypeError, ValueError, KeyError: it is none.
    """
    result: T = _read(kind, json)
    return result


def read_all(kind: type[T], json: Sequence[Json]) -> tuple[T, ...]:
    """Several values of a kind."""
    return tuple(read(kind, one) for one in json)


def _read(hint: Any, json: Json) -> Any:
    if isinstance(hint, NewType):
        return _read(hint.__supertype__, json)
    if is_dataclass(hint):
        return _dataclass(hint, json)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments, json)
    if origin is None or origin is Literal:
        return _scalar(json)
    if issubclass(origin, tuple):
        return tuple(_read(arguments[0], one) for one in json)
    if issubclass(origin, AbstractSet):
        return frozenset(_read(arguments[0], one) for one in json)
    if issubclass(origin, Mapping):
        return {key: _read(arguments[1], inner) for key, inner in _plain(json).items()}
    return tuple(_read(arguments[0], one) for one in json)


def _union(arguments: Sequence[Any], json: Json) -> Any:
    """Of the unions in our values, at most one member is more than a scalar."""
    if json is None:
        return None
    whole = [hint for hint in arguments if is_dataclass(hint) or get_origin(hint) not in (None, Literal)]
    return _read(whole[0], json) if whole else _scalar(json)


def _dataclass(kind: Any, json: Json) -> Any:
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], inner) for name, inner in _plain(json).items()})


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _plain(json: Json) -> Mapping[str, Json]:
    match json:
        case {"$object": dict(inner)} if len(json) == 1:
            return inner
        case dict():
            return json
        case _:
            raise TypeError("an object was expected")


def _scalar(json: Json) -> Any:
    """A value that says itself what it is; lists and objects of such as well."""
    match json:
        case {"$decimal": str(text)} if len(json) == 1:
            return Decimal(text)
        case {"$datetime": str(text)} if len(json) == 1:
            return datetime.fromisoformat(text)
        case {"$date": str(text)} if len(json) == 1:
            return date.fromisoformat(text)
        case {"$bytes": str(text)} if len(json) == 1:
            return base64.b64decode(text)
        case {"$object": dict(inner)} if len(json) == 1:
            return {key: _scalar(value) for key, value in inner.items()}
        case dict():
            return {key: _scalar(value) for key, value in json.items()}
        case list():
            return [_scalar(one) for one in json]
        case _:
            return json
