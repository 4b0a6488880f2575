"""What a canary of each kind says: the table `samples.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Sample(NamedTuple):
    """A text of one kind."""

    text: str
    value: str
    """The stretch of the text that is the sensitive thing."""


@cache
def samples() -> Mapping[str, Sample]:
    """The samples by kind. Kinds that are not here are tested as declared ones."""
    table = tomllib.loads(files("isthmus.proof").joinpath("samples.toml").read_text(encoding="utf-8"))
    return {kind: Sample(row["text"], row.get("value", row["text"])) for kind, row in table.items()}
