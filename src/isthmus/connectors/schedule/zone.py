"""The time zone of this machine, by its name: what the user's "at eight" is read by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")
_FOLDER = "zoneinfo/"


def local_zone(environ: Mapping[str, str] = os.environ, localtime: Path = _LOCALTIME) -> str:
    """Its name in the IANA database: `TZ`, else where the system's clock points to, else `UTC`."""
    for name in (environ.get("TZ", "").removeprefix(":"), str(localtime.resolve()).rpartition(_FOLDER)[2]):
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):  # no name, or that of a file
            continue
    return "UTC"
