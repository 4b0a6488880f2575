"""The kinds of accounts there are, found by looking: every package here that has a module `account`.

Such a module says `KIND`, the name by which settings call it; `Account`, what an account needs to be told; and
`connect`, which makes the tools of one. It is light to import: the library that speaks to the service is imported
when an account is connected.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import msgspec

from isthmus import connectors
from isthmus.agent.tool import Toolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

ReadSecret = Callable[[SecretRef], Awaitable[str]]
"""Reads a secret in the moment it is used.

Raises:
    ConfigError: it is not there.
"""


class Connect(Protocol):
    """Makes the tools of an account."""

    async def __call__(
        self, name: str, account: Any, /, *, labels: frozenset[Label], secret: ReadSecret
    ) -> Toolset: ...


class Kind(NamedTuple):
    """One kind of account."""

    name: str
    account: type[msgspec.Struct]
    connect: Connect
    summary: str
    """What it is, in a sentence: the first line of its module."""


def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return _kinds()


@cache
def _kinds() -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for package in pkgutil.iter_modules(connectors.__path__, f"{connectors.__name__}."):
        if not package.ispkg or not _has_account(package.name):
            continue
        module = import_module(f"{package.name}.account")
        summary = (module.__doc__ or "").partition("\n")[0]
        found[module.KIND] = Kind(module.KIND, module.Account, module.connect, summary)
    return found


def _has_account(package: str) -> bool:
    return any(found.name == "account" for found in pkgutil.iter_modules(import_module(package).__path__))
