"""Taking a JSON object apart field by field, with errors that name the field and never echo what was in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Extra, Json

T = TypeVar("T")


class Fields:
    """The fields of one JSON object. Each is taken once; `null` counts as not there; the rest is unknown to us."""

    __slots__ = ("path", "rest")

    def __init__(self, value: Json, path: str = "") -> None:
        """Take `value` apart.

        Raises:
            InvalidRequest: not an object.
        """
        if not isinstance(value, dict):
            raise InvalidRequest(f"{path or 'The body'} must be an object.", param=path or None)
        self.path = path
        self.rest: dict[str, Json] = dict(value)

    def at(self, name: str) -> str:
        """Path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def text(self, name: str) -> str | None:
        return self._take(name, str, "a string")

    def boolean(self, name: str) -> bool | None:
        return self._take(name, bool, "true or false")

    def integer(self, name: str) -> int | None:
        value = self.rest.get(name)
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise self.wrong(name, "must be a whole number")
        if isinstance(value, float):
            self.rest[name] = int(value)
        return self._take(name, int, "a whole number")

    def number(self, name: str) -> float | None:
        value = self.rest.get(name)
        if isinstance(value, bool) or (value is not None and not isinstance(value, int | float)):
            raise self.wrong(name, "must be a number")
        self.rest.pop(name, None)
        return value

    def items(self, name: str) -> list[Json] | None:
        return self._take(name, list, "a list")

    def inner(self, name: str) -> Fields | None:
        value = self._take(name, dict, "an object")
        return None if value is None else Fields(value, self.at(name))

    def required_text(self, name: str) -> str:
        return self._required(name, self.text(name))

    def required_inner(self, name: str) -> Fields:
        return self._required(name, self.inner(name))

    def put_back(self, name: str, inner: Fields) -> None:
        """Keep what `inner` could not tell, under its name."""
        if inner.rest:
            self.rest[name] = inner.rest

    def unknown(self, dialect: str) -> Extra | None:
        """What was not taken."""
        return Extra(dialect, self.rest) if self.rest else None

    def wrong(self, name: str, complaint: str) -> InvalidRequest:
        return InvalidRequest(f"{self.at(name)} {complaint}.", param=self.at(name))

    def _take(self, name: str, kind: type[T], kind_words: str) -> T | None:
        value = self.rest.get(name)
        if value is not None and not isinstance(value, kind):
            raise self.wrong(name, f"must be {kind_words}")
        self.rest.pop(name, None)
        return value

    def _required(self, name: str, value: T | None) -> T:
        if value is None:
            raise self.wrong(name, "is missing")
        return value


def merged(said: Mapping[str, Json], extra: Mapping[str, Json]) -> dict[str, Json]:
    """Both, objects within objects joined alike. What is said wins over an extra of the same name."""
    whole = dict(said)
    for name, value in extra.items():
        mine = whole.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            whole[name] = merged(mine, value)
        else:
            whole.setdefault(name, value)
    return whole


def left_over(told: Mapping[str, Json], said: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of `told` that `said` lacks, at any depth of objects."""
    rest: dict[str, Json] = {}
    for name, value in told.items():
        mine = said.get(name)
        if name not in said:
            rest[name] = value
        elif isinstance(mine, dict) and isinstance(value, dict) and (inner := left_over(value, mine)):
            rest[name] = inner
    return rest


def decode_signature(fields: Fields) -> str | None:
    """The proof Gemini wants back, where Google's own endpoint of this dialect puts it.

    Source: https://ai.google.dev/gemini-api/docs/thought-signatures, "OpenAI compatibility".
    """
    content = fields.rest.get("extra_content")
    if not isinstance(content, dict) or not isinstance(google := content.get("google"), dict):
        return None
    if not isinstance(signature := google.get("thought_signature"), str):
        return None
    google = {name: value for name, value in google.items() if name != "thought_signature"}
    content = {name: value for name, value in content.items() if name != "google"} | (
        {"google": google} if google else {}
    )
    if content:
        fields.rest["extra_content"] = content
    else:
        del fields.rest["extra_content"]
    return signature
