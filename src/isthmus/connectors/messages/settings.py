"""What the settings of messaging accounts have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from isthmus.connectors.messages.service import Address, Service
from isthmus.domain.label import Label, label

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_safe(url: str) -> bool:
    """Whether a credential may be sent to an address: over TLS, or to this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_here(parts.hostname)))


def is_here(host: str | None) -> bool:
    """Whether a host is this machine."""
    return host in _LOOPBACK


def label_set(names: Sequence[str] | None) -> frozenset[Label] | None:
    """Labels by their names.

    Raises:
        ValueError: one is none.
    """
    return None if names is None else frozenset(map(label, names))


def aliases(service: Service, named: Mapping[str, str]) -> dict[str, Address]:
    """What the user calls channels, in small letters, with their addresses in normal form.

    Raises:
        ToolError: one stands for no address.
    """
    return {
        alias.lower(): service.address(text if text.startswith(service.prefix) else service.prefix + text)
        for alias, text in named.items()
    }
