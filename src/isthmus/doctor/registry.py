"""Which checks there are, found by looking: every module in `checks/` that has `CHECKS`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import get_args

from isthmus.doctor import checks
from isthmus.doctor.check import Check, Family
from isthmus.domain.errors import ConfigError

FAMILIES: tuple[Family, ...] = get_args(Family)


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, by family and number.

    Raises:
        ValueError: two have the same id.
    """
    found: list[Check] = []
    for module in sorted(module.name for module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}.")):
        found += getattr(importlib.import_module(module), "CHECKS", ())
    ids = [check.id for check in found]
    if len(set(ids)) < len(ids):
        raise ValueError(f"ids given twice: {sorted({name for name in ids if ids.count(name) > 1})}")
    return tuple(sorted(found, key=lambda check: (FAMILIES.index(check.family), *_parts(check.id))))


def checks_named(names: Iterable[str]) -> tuple[Check, ...]:
    """The checks of families, or by their ids; capital letters do not matter.

    Raises:
        ConfigError: a name is neither.
    """
    wanted = [name.lower() for name in names]
    known = {check.id.lower() for check in all_checks()} | set(FAMILIES)
    for name in wanted:
        if name not in known:
            close = get_close_matches(name, known, n=3)
            hint = f"Did you mean {' or '.join(close)}?" if close else f"Families: {', '.join(FAMILIES)}."
            raise ConfigError(f"{name!r} is neither a check nor a family of checks.", hint=hint)
    return tuple(check for check in all_checks() if check.id.lower() in wanted or check.family in wanted)


def _parts(name: str) -> tuple[str, int]:
    letters, _, number = name.partition("-")
    return letters, int(number) if number.isdigit() else 0
