"""The feed of `genai-prices` in its published form: prices with their dates, hours and tiers, and context windows.

Source:
    https://github.com/pydantic/genai-prices, `prices/data.schema.json`. Of its rules for names, those by regular
    expression are passed over: a pattern from a feed is never run. A model's own id always counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property

import msgspec

from isthmus.catalog.listing import ListedPrice

_NOON = time(12)
"""UTC. A price that depends on the hour is listed as of this one, so that the same feed makes the same snapshot."""


_BORROWED = "Imported from OpenRouter pricing"
"""How the feed's comments begin where it has a price from elsewhere."""


class Names(msgspec.Struct, frozen=True):
    """By which names of an API a model is meant. Of the fields, one is set."""

    equals: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    any_of: tuple[Names, ...] | None = msgspec.field(default=None, name="or")
    all_of: tuple[Names, ...] | None = msgspec.field(default=None, name="and")

    def fit(self, name: str) -> bool:
        """Whether a name in lower case is meant."""
        if self.equals is not None:
            return name == self.equals
        if self.starts_with is not None:
            return name.startswith(self.starts_with)
        if self.ends_with is not None:
            return name.endswith(self.ends_with)
        if self.contains is not None:
            return self.contains in name
        if self.any_of is not None:
            return any(names.fit(name) for names in self.any_of)
        return bool(self.all_of) and all(names.fit(name) for names in self.all_of or ())


class Tier(msgspec.Struct, frozen=True):
    start: int
    """Tokens of input above which it holds for all of them."""


class Tiered(msgspec.Struct, frozen=True):
    base: Decimal
    tiers: tuple[Tier, ...] = ()


Amounts = Mapping[str, Decimal | Tiered | None]
"""Dollars by unit: `input_mtok` is a million tokens of input."""


class When(msgspec.Struct, frozen=True):
    """From a day on, or between two times of day (UTC; over midnight where the end is before the start)."""

    start_date: date | None = None
    start_time: time | None = None
    end_time: time | None = None

    def holds(self, at: datetime) -> bool:
        if self.start_date is not None:
            return at.date() >= self.start_date
        if self.start_time is None or self.end_time is None:
            return True
        start, end, now = (moment.replace(tzinfo=None) for moment in (self.start_time, self.end_time, at.timetz()))
        return start <= now < end if start <= end else now >= start or now < end


class Conditional(msgspec.Struct, frozen=True):
    prices: Amounts
    constraint: When | None = None


class PricedModel(msgspec.Struct, frozen=True):
    id: str
    match: Names
    prices: Amounts | tuple[Conditional, ...]
    context_window: int | None = None
    price_comments: str | None = None

    @property
    def borrowed(self) -> bool:
        """Whether it stands at this provider only because a router lists it: the provider may not serve it at all."""
        return _BORROWED in (self.price_comments or "")

    def at(self, day: date) -> Amounts:
        """What holds at noon of a day: the last list whose condition is met, else the first."""
        if isinstance(self.prices, Mapping):
            return self.prices
        noon = datetime.combine(day, _NOON)
        met = [one for one in self.prices if one.constraint is None or one.constraint.holds(noon)]
        return met[-1].prices if met else self.prices[0].prices if self.prices else {}

    def note(self, day: date) -> str:
        """What the price at noon of a day leaves out."""
        lists = () if isinstance(self.prices, Mapping) else self.prices
        told = []
        starts = [tier.start for found in self.at(day).values() if isinstance(found, Tiered) for tier in found.tiers]
        if starts:
            told.append(f"short prompts; another price above {min(starts):,} tokens of input")
        if any(one.constraint is not None and one.constraint.start_time is not None for one in lists):
            told.append("depends on the hour; this one is of 12:00 UTC")
        coming = [
            one.constraint.start_date for one in lists if one.constraint is not None and one.constraint.start_date
        ]
        if later := sorted(start for start in coming if start > day):
            told.append(f"changes on {later[0]}")
        return "; ".join(told)


class PricedProvider(msgspec.Struct, frozen=True, dict=True):
    id: str
    models: tuple[PricedModel, ...]

    def find(self, name: str) -> PricedModel | None:
        """The model that an API's name means: by its own id before any rule."""
        lower = name.lower()
        own = self._by_id.get(lower)
        return own if own is not None else next((model for model in self.models if model.match.fit(lower)), None)

    @cached_property
    def _by_id(self) -> Mapping[str, PricedModel]:
        return {model.id.lower(): model for model in self.models}


def read(text: bytes) -> Mapping[str, PricedProvider]:
    """The providers by their ids, with the models that are their own.

    Raises:
        msgspec.DecodeError: it is not JSON, or not of the feed's form.
    """
    return {
        provider.id: PricedProvider(
            id=provider.id, models=tuple(model for model in provider.models if not model.borrowed)
        )
        for provider in msgspec.json.decode(text, type=tuple[PricedProvider, ...])
    }


def listed_price(amounts: Amounts) -> ListedPrice | None:
    """The price of text; None where one of its two halves is missing, or both are nothing: that is a quota."""
    plain = {unit: found.base if isinstance(found, Tiered) else found for unit, found in amounts.items()}
    incoming, outgoing = plain.get("input_mtok"), plain.get("output_mtok")
    if incoming is None or outgoing is None or not (incoming or outgoing):
        return None
    return ListedPrice(
        input=incoming,
        output=outgoing,
        cached=plain.get("cache_read_mtok"),
        cache_written=plain.get("cache_write_mtok"),
    )
