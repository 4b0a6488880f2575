"""The table of known services: who serves models over which dialect, at which address.

What it knows is in `compatible.toml`, a row per service; this module only reads it. Which models a service has, what
they can do and what they cost is the catalog's business.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from isthmus.domain.offer import SecretRef, Side

Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"]
"""In which header a key is sent; as `Offer.auth`."""

DialectName = Literal["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row: a service, or a programme that serves models, and how it is spoken to."""

    name: str
    title: str
    """As people call it."""
    dialect: DialectName
    """The one that requests in other dialects are translated into."""
    also: tuple[DialectName, ...] = ()
    """Others that it speaks below the same address: requests in one of them pass through."""
    base_url: str
    """Empty: every account has its own, so an offer must say it."""
    key: SecretRef | None
    """Where its key usually is. None: it asks for none by default."""
    key_also: tuple[str, ...] = ()
    """Other environment variables in which its users keep the key, tried after `key`."""
    auth: Auth = "bearer"
    side: Side
    """Which side its offers are on, where they do not say."""
    prices: str | None = None
    """Its name in `genai-prices`. None: that has no prices of it."""
    default_model: str | None = None
    """The model that discovery offers where only a key was found. None: discovery offers none."""
    default_model_source: str | None = None
    port: int | None = None
    """Where it listens on one's own machine, if that is where it runs."""
    owned_by: tuple[str, ...] = ()
    """What it puts into `owned_by` of its list of models, by which it is told from others on the same port."""
    models: str
    """How its models are named, for people."""
    documented: tuple[str, ...]
    """What was read in its documentation that it does."""
    can: tuple[str, ...]
    """What was seen working, and nothing else."""
    checked: str
    """What was checked, how and when."""
    unchecked: str
    """What was not."""
    source: str
    """The page of its documentation."""

    @property
    def local(self) -> bool:
        """Whether it is a programme people run themselves."""
        return self.port is not None


def services() -> Mapping[str, Service]:
    """Every row, by name, in the order of the table."""
    return _table()


@cache
def _table() -> dict[str, Service]:
    text = files("isthmus.providers").joinpath("compatible.toml").read_text(encoding="utf-8")
    return {name: _row(name, fields) for name, fields in tomllib.loads(text).items()}


def _row(name: str, fields: dict[str, Any]) -> Service:
    """A row as a value.

    Raises:
        ValueError, TypeError: the row is not complete or not right. The table is ours, so this is a fault of ours,
            and a test reads every row.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name of a service")
    key = fields.pop("key", None)
    rest: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value for field, value in fields.items()
    }
    service = Service(name=name, key=None if key is None else _env(key), **rest)
    for field, allowed in (("dialect", DialectName), ("auth", Auth), ("side", Side)):
        if getattr(service, field) not in get_args(allowed):
            raise ValueError(f"{name}.{field}: {getattr(service, field)!r} is none of {get_args(allowed)}")
    if not set(service.also) <= set(get_args(DialectName)) - {service.dialect}:
        raise ValueError(f"{name}.also: each must be another one of {get_args(DialectName)}")
    if service.key is None and service.key_also:
        raise ValueError(f"{name}: key_also without key")
    return service


def _env(reference: str) -> SecretRef:
    scheme, _, variable = reference.partition(":")
    if scheme != "env" or not _ENV_NAME.match(variable):
        raise ValueError(f"{reference!r}: the table names keys as env:NAME")
    return SecretRef("env", variable)
