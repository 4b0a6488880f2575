"""Files that clients hand over, and those that batches leave."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from random import getrandbits
from typing import Literal, NewType

from isthmus.domain.label import Label

FileId = NewType("FileId", str)

Purpose = Literal["batch", "batch_output", "assistants", "fine-tune", "vision", "user_data"]
"""What a file is for, in OpenAI's words. Only `batch` and `batch_output` are made use of here."""

UPLOADED: tuple[Purpose, ...] = ("batch", "assistants", "fine-tune", "vision", "user_data")
"""Purposes that clients may give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file without its content."""

    id: FileId
    tenant: str
    name: str
    """As its owner called it."""
    purpose: Purpose
    size: int
    """Bytes."""
    labels: frozenset[Label] = frozenset()
    """Whatever is made of the file carries them."""
    created: datetime
    expires: datetime


def ordered_hex() -> str:
    """The time in milliseconds and 64 random bits: ids made of it sort by time."""
    return f"{time.time_ns() // 1_000_000:011x}{getrandbits(64):016x}"


def new_file_id() -> FileId:
    return FileId(f"file-{ordered_hex()}")
