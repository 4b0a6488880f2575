"""Who asks: tenant, team, user, key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from isthmus.domain.label import Label

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """On whose behalf a request is made. None: not known, as on loopback before any key exists."""

    tenant: str = DEFAULT_TENANT
    team: str | None = None
    user: str | None = None
    key: str | None = None
    """Name of the key, never the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept: by hash. The key itself is shown once, when it is made."""

    name: str
    hash: bytes
    """SHA-256 of the key. Keys are 256 random bits, so a plain hash cannot be guessed back."""
    principal: Principal
    workload: str | None = None
    """Workload of requests that name none."""
    workloads: frozenset[str] | None = None
    """The only workloads it may ask for. None: all."""
    labels: frozenset[Label] = field(default_factory=frozenset)
    """Labels that every request with this key carries."""
    created: datetime | None = None
    expires: datetime | None = None
    """None: does not expire."""
