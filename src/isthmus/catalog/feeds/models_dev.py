"""The feed of models.dev in its published form (`api.json`): prices, limits, modalities, whether tools work.

It has no retirement dates; its `status` says at most that a model is deprecated, without a day, and is left out.

Source:
    https://github.com/anomalyco/models.dev.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import msgspec

from isthmus.catalog.listing import ListedPrice


class Cost(msgspec.Struct, frozen=True):
    """Dollars per million tokens."""

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None

    @property
    def listed(self) -> ListedPrice | None:
        """The price of text; None where one of its two halves is missing, or both are nothing.

        Nothing is how the feed lists what is part of a subscription or of a trial: a quota, not a price per token.
        """
        if self.input is None or self.output is None or not (self.input or self.output):
            return None
        return ListedPrice(input=self.input, output=self.output, cached=self.cache_read, cache_written=self.cache_write)


class Limit(msgspec.Struct, frozen=True):
    """Tokens; 0 is the feed's way to say that it does not know."""

    context: int | None = None
    output: int | None = None


class Modalities(msgspec.Struct, frozen=True):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class DescribedModel(msgspec.Struct, frozen=True):
    id: str
    last_updated: str = ""
    """`YYYY-MM-DD`, or shorter."""
    tool_call: bool | None = None
    cost: Cost | None = None
    limit: Limit = Limit()
    modalities: Modalities = Modalities()


class DescribedProvider(msgspec.Struct, frozen=True):
    id: str
    models: Mapping[str, DescribedModel]


def read(text: bytes) -> Mapping[str, DescribedProvider]:
    """The providers by their ids.

    Raises:
        msgspec.DecodeError: it is not JSON, or not of the feed's form.
    """
    return msgspec.json.decode(text, type=dict[str, DescribedProvider])


def newest(feed: Mapping[str, DescribedProvider], before: date) -> date | None:
    """The last day that the data names as that of a change: it is at least as old as the copy."""
    days = (found for provider in feed.values() for model in provider.models.values() if (found := _day(model)))
    return max((day for day in days if day <= before), default=None)


def _day(model: DescribedModel) -> date | None:
    try:
        return date.fromisoformat(model.last_updated)
    except ValueError:
        return None
