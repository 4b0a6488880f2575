"""Where files are, after the XDG Base Directory Specification."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_NAME = "isthmus"

UPDATES = "catalog"
"""Folder of applied updates of the catalog, below the state folder."""


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Folder of what may be deleted."""
    return _folder(environ, "XDG_CACHE_HOME", ".cache")


def state_dir(environ: Mapping[str, str]) -> Path:
    """Folder of what must be kept."""
    return _folder(environ, "XDG_STATE_HOME", ".local/state")


def config_file(environ: Mapping[str, str], working_dir: Path) -> tuple[Path, bool] | None:
    """The settings file that holds when none is named.

    Returns:
        The file, and whether somebody named it: then it must exist. None where there is none.
    """
    if named := environ.get("ISTHMUS_CONFIG"):
        return Path(named).expanduser(), True
    for path in (working_dir / "isthmus.toml", _folder(environ, "XDG_CONFIG_HOME", ".config") / "isthmus.toml"):
        if path.is_file():
            return path, False
    return None


def _folder(environ: Mapping[str, str], variable: str, usual: str) -> Path:
    base = Path(environ.get(variable, ""))
    if not base.is_absolute():  # the specification: a relative path is invalid and to be ignored
        home = environ.get("HOME")
        base = (Path(home) if home else Path.home()) / usual
    return base / _NAME
