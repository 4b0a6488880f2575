"""The snapshot: what the feeds say of the models of our providers, joined.

Which models: all that map to a record of ours and all that a vendor is known to end, at every provider that names
itself in a feed; and, but for routers (which list what others serve), every model that answers in text. The file
stays below a megabyte that way, and an operator's offer of a current model finds its listing.

Source keys of the claims are the feeds' names: `genai-prices`, `models-dev`, `deprecations`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

import msgspec

from isthmus.catalog.claim import Alternative, Claim, Source
from isthmus.catalog.feeds import deprecations, genai_prices, models_dev
from isthmus.catalog.feeds.agreement import Reading, joined
from isthmus.catalog.feeds.deprecations import Deprecation
from isthmus.catalog.feeds.genai_prices import PricedModel, PricedProvider, listed_price
from isthmus.catalog.feeds.models_dev import DescribedModel, DescribedProvider
from isthmus.catalog.feeds.naming import Naming, undated
from isthmus.catalog.listing import ListedPrice, Listing, Snapshot
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.domain.errors import ConfigError

T = TypeVar("T")

GENAI_PRICES, MODELS_DEV, DEPRECATIONS = FEEDS = ("genai-prices", "models-dev", "deprecations")

ROUTERS = frozenset({"openrouter", "huggingface"})
"""Providers that list what others serve: of them only models of ours are listed."""

_NO_CHAT = re.compile(
    r"embed|rerank|moderation|guard|whisper|tts|speech|audio|voice|realtime|transcri|image|dall-e|sora|veo|imagen|flux"
    r"|video|ocr|\bclip\b|stable-diffusion|asr|music|lyria|parakeet|safety|reward|search-preview|robotics|computer-use"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A feed as it was read."""

    text: bytes
    """In its published form."""
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The feeds, read. A feed that is not there is empty."""

    prices: Mapping[str, PricedProvider]
    described: Mapping[str, DescribedProvider]
    endings: Mapping[str, Mapping[str, tuple[Deprecation, ...]]]


def read(copies: Mapping[str, Copy]) -> Read:
    """Read the feeds by their names.

    Raises:
        ConfigError: one is not of its form.
    """
    return Read(
        prices=_read(GENAI_PRICES, copies, genai_prices.read, b"[]"),
        described=_read(MODELS_DEV, copies, models_dev.read, b"{}"),
        endings=_read(DEPRECATIONS, copies, deprecations.read, b"[]"),
    )


def _read(name: str, copies: Mapping[str, Copy], reader: Callable[[bytes], T], nothing: bytes) -> T:
    copy = copies.get(name)
    try:
        return reader(nothing if copy is None else copy.text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ConfigError(f"The feed {name} is not of its form: {exc}. Nothing of it was used.") from exc


def extract(
    copies: Mapping[str, Copy],
    *,
    models: Mapping[str, ModelRecord],
    providers: Mapping[str, ProviderRecord],
    made_on: date,
) -> Snapshot:
    """Join the feeds into listings.

    Args:
        copies: the feeds by name, one of `FEEDS` each.
        models: records that API names are mapped to.
        providers: the providers that are listed, by their `feeds` names.
        made_on: the day whose prices are taken.

    Raises:
        ConfigError: a feed is not of its form.
    """
    found = read(copies)
    naming = Naming(models)
    listings = [
        listing
        for provider in providers.values()
        for listing in _Joining(provider, found, naming, copies, made_on).listings()
    ]
    return Snapshot(
        made_on=made_on,
        sources={name: copies[name].source for name in FEEDS if name in copies},
        listings=tuple(sorted(listings, key=lambda listing: (listing.provider, listing.api_id))),
    )


class _Joining:
    """The feeds on one provider."""

    def __init__(
        self, provider: ProviderRecord, found: Read, naming: Naming, copies: Mapping[str, Copy], day: date
    ) -> None:
        self._provider = provider.id
        self._naming = naming
        self._copies = copies
        self._day = day
        names = provider.feeds
        self._prices = found.prices.get(names.genai_prices)
        described = found.described.get(names.models_dev)
        self._described = {} if described is None else {name.lower(): one for name, one in described.models.items()}
        self._endings = found.endings.get(names.deprecations, {})
        priced = () if self._prices is None else (model.id.lower() for model in self._prices.models)
        # In lower case: no provider tells names apart by their capitals alone.
        self._names = sorted({*self._described, *self._endings, *priced})
        self._versions: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            if (stem := undated(name)) is not None:
                self._versions[stem].append(name)

    def listings(self) -> Iterator[Listing]:
        for name in self._names:
            listing = self._listing(name)
            wanted = self._provider not in ROUTERS and not _NO_CHAT.search(name) and self._answers_in_text(name)
            if listing.model is not None or listing.retires_on.known or wanted:
                yield listing

    def _answers_in_text(self, name: str) -> bool:
        described = self._described.get(name)
        return described is None or not described.modalities.output or "text" in described.modalities.output

    def _listing(self, name: str) -> Listing:
        described = self._described.get(name)
        priced = None if self._prices is None else self._prices.find(name)
        ends, successor = self._end(name)
        return Listing(
            provider=self._provider,
            api_id=name if described is None else described.id,
            model=self._naming.model_of(name),
            price=self._price(priced, described),
            context_tokens=_context(priced, described),
            output_tokens=_limit(described),
            input=_modalities(described),
            tools=_tools(described),
            retires_on=ends,
            replacement=successor,
        )

    def _price(self, priced: PricedModel | None, described: DescribedModel | None) -> Claim[ListedPrice]:
        theirs = None if described is None or described.cost is None else described.cost.listed
        ours = None if priced is None else listed_price(priced.at(self._day))
        readings = []
        if ours is not None and priced is not None:
            readings.append(Reading(GENAI_PRICES, ours, priced.note(self._day)))
            if theirs is not None:
                then_on = self._copies[MODELS_DEV].source.observed_on
                then = listed_price(priced.at(then_on))
                if then is not None and not same_price(ours, theirs) and same_price(then, theirs):
                    theirs = None  # it only tells, rightly, what held when it was made
        if theirs is not None:
            readings.append(Reading(MODELS_DEV, theirs))
        return joined(readings, volatility="fast", agree=same_price)

    def _end(self, name: str) -> tuple[Claim[date], Claim[str]]:
        told = self._endings.get(name)
        if told:
            return _ending(told, "")
        # A name without a date stands for the newest dated version. So it ends no later than the last of them, which
        # is said only where every dated version that a feed knows has an end.
        versions = self._versions.get(name, [])
        ends = [self._endings[version] for version in versions if version in self._endings]
        if not versions or len(ends) < len(versions):
            return Claim(), Claim()
        last = max(ends, key=lambda records: records[0].ends or date.min)
        return _ending(last, last[0].model_id)


def same_price(one: ListedPrice, other: ListedPrice) -> bool:
    """Whether two prices of text are the same.

    What only one of them names is no difference, and of the cache's prices neither is what one feed rounds to cents.
    """
    return (
        (one.input, one.output) == (other.input, other.output)
        and _same_to_the_cent(one.cached, other.cached)
        and _same_to_the_cent(one.cache_written, other.cache_written)
    )


def _same_to_the_cent(one: Decimal | None, other: Decimal | None) -> bool:
    if one is None or other is None or one == other:
        return True
    return other == _to_the_cent(one) or one == _to_the_cent(other)


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _ending(told: Sequence[Deprecation], version: str) -> tuple[Claim[date], Claim[str]]:
    """The day and the successor.

    Args:
        told: the record that counts first.
        version: the dated version that the feed names, where it is not the name itself.
    """
    first = told[0]
    note = f"said of {version}, for which this name stands" if version else ""
    others = {one.ends for one in told if one.ends is not None and one.ends != first.ends}
    ends = Claim(
        value=first.ends,
        state="conflict" if others else "derived" if version else "declared",
        sources=(DEPRECATIONS,),
        evidence="E1",
        volatility="fast",
        alternatives=tuple(
            Alternative(value=day, sources=(DEPRECATIONS,), note="an older notice") for day in sorted(others)
        ),
        note=note,
    )
    if first.replacement is None:
        return ends, Claim()
    return ends, Claim(
        value=first.replacement, state="declared", sources=(DEPRECATIONS,), evidence="E1", volatility="fast"
    )


def _context(priced: PricedModel | None, described: DescribedModel | None) -> Claim[int]:
    readings = []
    if described is not None and described.limit.context:
        readings.append(Reading(MODELS_DEV, described.limit.context))
    if priced is not None and priced.context_window:
        readings.append(Reading(GENAI_PRICES, priced.context_window))
    return joined(readings, volatility="medium")


def _limit(described: DescribedModel | None) -> Claim[int]:
    told = None if described is None else described.limit.output
    return joined([Reading(MODELS_DEV, told)] if told else [], volatility="medium")


def _modalities(described: DescribedModel | None) -> Claim[tuple[str, ...]]:
    told = () if described is None else described.modalities.input
    return joined([Reading(MODELS_DEV, told)] if told else [], volatility="medium")


def _tools(described: DescribedModel | None) -> Claim[bool]:
    told = None if described is None else described.tool_call
    return joined([] if told is None else [Reading(MODELS_DEV, told)], volatility="medium")
