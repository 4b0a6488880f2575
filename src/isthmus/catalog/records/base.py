"""What all records have: an id, a title, sources by key."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.catalog.claim import Source


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hand-verified record: one YAML file, named after its id."""

    id: str
    title: str
    sources: Mapping[str, Source] = {}
    """By the keys that claims refer to."""
    reviewed_on: str = ""
    note: str = ""
