"""A range between which the truth is taken to lie: what is estimated is never told as one number."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Span(NamedTuple):
    """From the least to the most. A figure that is known has both ends alike."""

    low: Decimal
    high: Decimal

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def times(self, factor: Decimal | int) -> Span:
        """Both ends, by a factor that is not below nothing."""
        return Span(self.low * factor, self.high * factor)

    def plus(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)


def exactly(amount: Decimal) -> Span:
    return Span(amount, amount)
