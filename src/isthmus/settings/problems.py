"""What is wrong with a settings file, as sentences: file, line, key, what is wrong, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from isthmus.domain.errors import ConfigError
from isthmus.settings.lines import KeyPath, line_of
from isthmus.settings.schema import Table

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_SHOWN = re.compile(r"[^\x00-\x1f\x7f]{1,60}\Z")
_LOOKS_SECRET = re.compile(r"sk-|(?=[^\s/]*\d)[A-Za-z0-9_+=-]{24,}", re.IGNORECASE)


class Problems:
    """Collects what is wrong, so that all of it is told at once."""

    def __init__(self, file: str, lines: Mapping[KeyPath, int]) -> None:
        self._file = file
        self._lines = lines
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: KeyPath, sentence: str) -> None:
        """Note a problem with a key.

        Args:
            path: of the key, such as ("offers", "gpt", "url").
            sentence: what is wrong and what to do, without its subject and without a full stop.
        """
        line = line_of(path, self._lines)
        where = self._file if line is None else f"{self._file}:{line}"
        key = f" {dotted(path)}" if path else ""
        end = "" if sentence.endswith(("?", ".")) else "."
        self._found.append((line or 0, f"{where}:{key} {sentence}{end}"))

    def add_invalid(self, path: KeyPath, error: ValidationError, table: type[Table]) -> None:
        """Note what is wrong with the content of a table."""
        for detail in error.errors(include_url=False):
            inner = tuple(str(part) for part in detail["loc"])
            self.add((*path, *inner), _sentence(detail, inner, table))

    def raise_any(self) -> None:
        """Nothing, if nothing was noted.

        Raises:
            ConfigError: with all that was noted, in the order of the file.
        """
        if not self._found:
            return
        sentences = tuple(dict.fromkeys(sentence for _, sentence in sorted(self._found, key=lambda found: found[0])))
        count = "one problem" if len(sentences) == 1 else f"{len(sentences)} problems"
        raise ConfigError(f"{self._file} has {count}.", problems=sentences)


def dotted(path: KeyPath) -> str:
    """A key as it is written in TOML. A part that may be a secret is not repeated."""
    return ".".join(part if _BARE.match(part) and not hides(part) else shown(part) for part in path)


def shown(value: str) -> str:
    """A value of the file in quotes, for a message; not if it is long or may be a secret."""
    return f"'{value}'" if _SHOWN.match(value) and not hides(value) else "(not shown)"


def hides(value: str) -> bool:
    """Whether a text may be a secret, so that it must not be repeated in a message."""
    return _LOOKS_SECRET.search(value) is not None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A half-sentence that names what was probably meant, or what there is."""
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    listed = ", ".join(known[:30]) + (", …" if len(known) > 30 else "")
    return f"Known: {listed}" if known else "There are none"


def _sentence(detail: ErrorDetails, inner: KeyPath, table: type[Table]) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _table_at(table, inner[:-1])
        if inner[-1] in owner.later:
            return owner.later[inner[-1]]
        return f"is not known. {did_you_mean(inner[-1], owner.model_fields)}"
    if kind == "missing":
        return f"is missing. {_meaning(table, inner)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return f"does not have the right form. {_meaning(table, inner)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return "must be a table"
    if kind == "tuple_type":
        return "must be a list"
    if kind == "too_short":
        return "must not be empty"
    # What is left are pydantic's own messages on types and ranges; they do not repeat the value.
    message = detail["msg"].removeprefix("Input should be ").rstrip(".")
    return f"must be {message}" if detail["msg"].startswith("Input should be ") else f"{message}"


def _table_at(table: type[Table], inner: KeyPath) -> type[Table]:
    """The table that a path inside a table leads to."""
    for part in inner:
        field = table.model_fields.get(part)
        nested = next((sub for sub in _types(field.annotation) if issubclass(sub, Table)), None) if field else None
        if nested is None:
            return table
        table = nested
    return table


def _types(annotation: object) -> list[type]:
    parts = getattr(annotation, "__args__", (annotation,))
    return [part for part in parts if isinstance(part, type)]


def _meaning(table: type[Table], inner: KeyPath) -> str:
    field = _table_at(table, inner[:-1]).model_fields.get(inner[-1])
    return " ".join((field.description or "").split()).rstrip(".") if field else ""
