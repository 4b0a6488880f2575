"""Who asks: what licences and terms make a difference by. An organisation, in the figures that clauses name."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agreement that the organisation holds. It is the strongest evidence (E4), until it ends."""

    covers: str
    """Id of the licence or terms record that it replaces or adds to."""
    kind: Literal["licence", "dpa", "baa", "zero-retention", "other"]
    sha256: str
    """Of the document, in hex."""
    until: date | None = None
    """None: until it is ended."""


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of the organisation. None: not said, and then a clause that asks for it cannot be decided."""

    name: str = ""
    seat: str | None = None
    """ISO 3166-1 alpha-2."""
    operates_in: tuple[str, ...] = ()
    """Where it uses models, besides its seat."""
    revenue_year_usd: Decimal | None = None
    """Of the group, consolidated, in dollars."""
    revenue_month_usd: Decimal | None = None
    """Of the last month; None: a twelfth of the year's."""
    monthly_users: int | None = None
    """Of all its products together."""
    commercial: bool = True
    """Whether what it does with models serves a business."""
    model_service: bool | None = None
    """Whether it, or its group, offers models to others as a service (MaaS)."""
    work_assistant: bool | None = None
    """Whether it, or its group, offers an AI work assistant."""
    military: bool = False
    contracts: tuple[Contract, ...] = ()

    @property
    def month_usd(self) -> Decimal | None:
        """Revenue of a month, in dollars."""
        if self.revenue_month_usd is not None:
            return self.revenue_month_usd
        return None if self.revenue_year_usd is None else self.revenue_year_usd / 12

    def contract(self, covers: str, kind: str, today: date) -> Contract | None:
        """An agreement of a kind on a record, in force today."""
        return next(
            (
                held
                for held in self.contracts
                if held.covers == covers and held.kind == kind and (held.until is None or held.until >= today)
            ),
            None,
        )
