"""Changing the settings file by a line or a table, with everything else in it left as it stands.

A change is shown before it is made, and checked: read again, the new text says what the old one said and the change,
and nothing else. Comments and order stay.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.domain.errors import ConfigError

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def with_table(text: str, section: str, name: str, table: Mapping[str, Any]) -> str:
    """The file's text with a table at its end, unless it is there.

    Raises:
        ConfigError: there is another table of that name.
    """
    before = tomllib.loads(text)
    known = before.get(section, {}).get(name)
    if known == dict(table):
        return text
    if known is not None:
        raise ConfigError(f"[{section}.{name}] is there already, and says something else.", hint="Choose another name.")
    lines = [f"[{section}.{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    new = f"{text}{gap}" + "\n".join(lines) + "\n"
    return _checked(before, new, section, name, dict(table))


def with_key(text: str, section: str, name: str, key: str, value: str) -> str:
    """The file's text with a key of a table set.

    Raises:
        ConfigError: the table is written in a way that is better changed by hand.
    """
    before = tomllib.loads(text)
    table = {**before.get(section, {}).get(name, {}), key: value}
    lines = text.splitlines(keepends=True)
    header = re.compile(rf"""\s*\[\s*{section}\s*\.\s*(?:{re.escape(name)}|"{re.escape(name)}")\s*\]\s*(?:#.*)?\Z""")
    at = next((number for number, line in enumerate(lines) if header.match(line.rstrip("\n"))), None)
    if at is not None:
        end = next(
            (number for number in range(at + 1, len(lines)) if lines[number].lstrip().startswith("[")), len(lines)
        )
        own = [number for number in range(at + 1, end) if re.match(rf"\s*{re.escape(key)}\s*=", lines[number])]
        line = f"{key} = {_value(value)}\n"
        if own:
            lines[own[0]] = line
        else:
            lines.insert(at + 1, line)
    return _checked(before, "".join(lines), section, name, table)


def difference(path: Path, old: str, new: str) -> str:
    """What would change, as `diff -u` shows it."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), str(path), str(path), n=1
    )
    return "".join(lines)


def write(path: Path, text: str) -> None:
    """Write the file in one step, readable for whoever could read it; a new one for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    new = path.with_name(f"{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _checked(before: Mapping[str, Any], new: str, section: str, name: str, table: Mapping[str, Any]) -> str:
    wanted = {**before, section: {**before.get(section, {}), name: table}}
    try:
        found = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        told = "\n".join(f"{key} = {_value(value)}" for key, value in table.items())
        raise ConfigError(
            f"[{section}.{name}] is written in a way that is better changed by hand.", hint=f"It has to say:\n{told}"
        )
    return new


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name)


def _value(value: Any) -> str:
    """A value in TOML. Its basic strings, numbers and lists are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
