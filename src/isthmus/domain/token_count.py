"""How many tokens a request is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """The answer to a request to count."""

    tokens: int
    """All input tokens, cached ones included."""
    cached: int | None = None
    """Part of `tokens` that is in a cache of the provider; None: not told."""
