"""A change: one fact of one record or listing, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["prices", "retirements", "licences", "terms", "models", "others"]

GROUPS: tuple[Group, ...] = ("prices", "retirements", "licences", "terms", "models", "others")
"""In the order in which they are shown."""

Kind = Literal["models", "licences", "providers", "offers", "terms", "listings"]

NEW, GONE = "(new)", "(gone)"
"""In the place of a field: the whole record or listing came, or went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Where a fact stands."""

    kind: Kind
    record: str
    """Id of the record; of a listing `provider api_id`."""
    field: str
    """Path of fields, such as `retention.default_days`; `NEW` or `GONE`."""

    @property
    def id(self) -> str:
        """By which it is accepted: `terms:openai/api:retention.default_days`."""
        return f"{self.kind}:{self.record.replace(' ', '/')}:{self.field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact that is not what it was."""

    fact: Fact
    group: Group
    says: str
    """In words, without a full stop."""
    before: object
    """The field's value, a claim mostly; None where the record is new."""
    after: object
    loosens: str = ""
    """Why policy might let more through because of it, as part of a sentence; empty: it does not. Such a change is
    applied only when it is accepted by itself."""
    contested: bool = False
    """A fact that we verified, against what a feed or hearsay says: it is shown, and never applied."""

    @property
    def id(self) -> str:
        return self.fact.id
