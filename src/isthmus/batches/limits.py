"""Bounds on files and batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """Bounds on what tenants may hand over, and on how much of it is worked on at once."""

    lines: int = 50_000
    """Of one batch."""
    file_bytes: int = 100 * 1024 * 1024
    tenant_bytes: int = 1024 * 1024 * 1024
    """Of all files of a tenant together."""
    open: int = 16
    """Batches of a tenant that have not ended."""
    at_once: int = 8
    """Lines asked at once, of all batches together."""
    tries: int = 5
    """Tries of a line at offers that answer and fail; waiting for one that rests is none."""
    patience: timedelta = timedelta(minutes=10)
    """A line that gave way for so long to requests at own offers is asked nevertheless, so that no batch starves."""
    window: timedelta = timedelta(hours=24)
    """What is not answered by then expires."""
    keep: timedelta = timedelta(days=30)
    """How long files and the results of ended batches are kept where nothing else was asked for."""
