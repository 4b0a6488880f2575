"""What models can do, where that is known: `capabilities.toml`, a row per family.

A row holds for the models whose names match one of its patterns and, where it names providers, at those alone. The
first row that matches counts. What no row says stays unknown, and an unknown is never taken for a no.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from isthmus.domain.offer import Capabilities, Support

SUPPORTS = tuple(f.name for f in fields(Capabilities) if not f.name.endswith("_tokens"))
"""The capabilities that are a yes or a no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One row: models of one kind, and what they can do."""

    name: str
    models: tuple[str, ...]
    """Patterns of names, in lower case, as of a shell; the part before the last slash is left out."""
    providers: tuple[str, ...]
    """Empty: at any provider."""
    can: Capabilities
    source: str
    checked: str


def capabilities_of(provider: str, model: str) -> Capabilities:
    """What a model can do at a provider, as far as the table knows.

    Args:
        provider: a row of `providers/compatible.toml`, or `embedded`.
        model: the model's name at the provider; a path before it (`maker/`) does not matter.
    """
    bare = model.lower().rpartition("/")[2]
    for family in families():
        if family.providers and provider not in family.providers:
            continue
        if any(fnmatchcase(bare, pattern) for pattern in family.models):
            return family.can
    return Capabilities()


def overridden(known: Capabilities, said: Mapping[str, Any]) -> Capabilities:
    """What is known, with what the operator said in its place."""
    return replace(known, **said)


@cache
def families() -> tuple[Family, ...]:
    """Every row, in the order of the table."""
    text = files("isthmus.catalog").joinpath("capabilities.toml").read_text(encoding="utf-8")
    return tuple(_family(name, row) for name, row in tomllib.loads(text).items())


def _family(name: str, row: dict[str, Any]) -> Family:
    """A row as a value.

    Raises:
        ValueError, TypeError, KeyError: the row is not right. The table is ours, and a test reads every row.
    """
    can = Capabilities(**row["can"])
    for support in SUPPORTS:
        if getattr(can, support) not in get_args(Support):
            raise ValueError(f"{name}.can.{support}: {getattr(can, support)!r} is none of {get_args(Support)}")
    if not re.match(r"https://", row["source"]):
        raise ValueError(f"{name}.source is no https address")
    return Family(
        name=name,
        models=tuple(row["models"]),
        providers=tuple(row.get("providers", ())),
        can=can,
        source=row["source"],
        checked=row["checked"],
    )
