"""Spans of time as people type them."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])\Z")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def span(text: str) -> timedelta:
    """`90d`, `24h`, `30m` or `2w` as a length of time.

    Raises:
        BadParameter: anything else.
    """
    found = _SPAN.match(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span of time: write 30m, 24h, 90d or 2w.")
    return int(found[1]) * _UNITS[found[2]]
