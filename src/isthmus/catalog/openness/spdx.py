"""What the SPDX licence list says of a licence: is it approved, is it free? The facts are in `spdx.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def _list() -> dict[str, frozenset[str]]:
    with files(__package__).joinpath("spdx.toml").open("rb") as file:
        facts = tomllib.load(file)
    return {name: frozenset(facts[name]) for name in ("osi_approved", "fsf_libre")}


def osi_approved(identifier: str) -> bool:
    """Whether the Open Source Initiative approved the licence with this SPDX identifier."""
    return identifier in _list()["osi_approved"]


def fsf_libre(identifier: str) -> bool:
    """Whether the Free Software Foundation calls the licence with this SPDX identifier free."""
    return identifier in _list()["fsf_libre"]
