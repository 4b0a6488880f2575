"""What an advisory says that a comparison of versions needs, after the OSV schema.

Source:
    https://ossf.github.io/osv-schema/ (1.7).
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Ecosystem = Literal["PyPI", "Go", "npm", "llama.cpp"]
"""`llama.cpp` is ours: its builds are numbered (`b8492`) and in no registry."""

Level = Literal["low", "medium", "high", "critical", "unknown"]

LEVELS: tuple[Level, ...] = ("unknown", "low", "medium", "high", "critical")
"""From what is least to what is worst."""


class Span(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Versions from one on, up to another."""

    introduced: str
    """`0`: from the first on."""
    fixed: str = ""
    """The first that is not affected any more; empty: none is known."""
    last_affected: str = ""
    """The last that is known to be affected; empty: not said."""


class Affected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A package, and which versions of it."""

    ecosystem: Ecosystem
    package: str
    spans: tuple[Span, ...] = ()
    versions: tuple[str, ...] = ()
    """Named one by one, besides the spans."""


class Advisory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One record."""

    id: str
    aliases: tuple[str, ...] = ()
    summary: str
    level: Level = "unknown"
    published: str = ""
    """Day; empty: not said."""
    affected: tuple[Affected, ...]
    source: str
    """Key of the extract's sources."""
    url: str = ""
    note: str = ""
    """Where sources disagree, and that the stricter one counts."""

    @property
    def malicious(self) -> bool:
        """Whether the package itself is the attack."""
        return self.id.startswith("MAL-")


class ExtractSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records come from."""

    title: str
    url: str
    licence: str
    observed_on: date
    """Day of the copy that was read."""


class Extract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All records that came along."""

    made_on: date
    sources: dict[str, ExtractSource]
    advisories: tuple[Advisory, ...]


@cache
def load_extract() -> Extract:
    """The extract that came along."""
    return msgspec.json.decode(files(__package__).joinpath("extract.json").read_bytes(), type=Extract)


def page_of(advisory_id: str) -> str:
    """Where an advisory can be read."""
    if advisory_id.startswith("GHSA-"):
        return f"https://github.com/advisories/{advisory_id}"
    if advisory_id.startswith("GO-"):
        return f"https://pkg.go.dev/vuln/{advisory_id}"
    return f"https://osv.dev/vulnerability/{advisory_id}"
