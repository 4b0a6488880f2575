"""Finding records by the names that people use, and models by what they must be."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.listing import ListedPrice, Listing
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.openness import Assessment
from isthmus.catalog.openness.tier import TIERS
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Side

Kind = Literal["model", "licence", "offer", "terms", "provider"]

_CLOSE = 0.6
"""From this likeness on a name is proposed in the place of one that means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    kind: Kind
    record: Record


def find(name: str, catalog: Catalog) -> Found:
    """The record that a name means: a model by any name of its, then a licence, an offer, terms, a provider.

    Raises:
        ConfigError: none; its hint has names that are like it.
    """
    kinds: tuple[tuple[Kind, Record | None], ...] = (
        ("model", catalog.model(name)),
        ("licence", catalog.licence(name)),
        ("offer", catalog.offers.get(name)),
        ("terms", catalog.terms.get(name)),
        ("provider", catalog.providers.get(name)),
    )
    for kind, record in kinds:
        if record is not None:
            return Found(kind=kind, record=record)
    close = like(name, catalog)
    raise ConfigError(
        f"The catalog has no model, licence, offer, terms or provider called {name!r}.",
        hint=f"Did you mean {' or '.join(close)}?"
        if close
        else "`isthmus catalog search` finds them by parts of names.",
    )


def like(name: str, catalog: Catalog) -> tuple[str, ...]:
    """Ids of records whose names are like one, the likest first; three at most."""
    ids = {shown.lower(): record for shown, record in _names(catalog)}
    wanted = name.lower()
    near = difflib.get_close_matches(wanted, ids, n=6, cutoff=_CLOSE)
    near += [known for known in ids if wanted in known and len(wanted) > 2]
    return tuple(dict.fromkeys(ids[known] for known in near))[:3]


def _names(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Every name, and the id it stands for; of names with a path their last part besides."""
    for model in catalog.models.values():
        for name in (model.id, *model.aliases):
            yield name, model.id
            yield name.rpartition("/")[2], model.id
    for licence in catalog.licences.values():
        for name in (licence.id, *licence.names):
            yield name, licence.id
    for others in (catalog.offers, catalog.terms, catalog.providers):
        yield from ((name, name) for name in others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What models must be. A fact that is not known meets no demand."""

    text: str = ""
    """Words that all are in the id, title, family, maker or another name."""
    side: Side | None = None
    """own: there are weights to be run; hosted: weights, and a provider that lists them; closed: no weights."""
    open_at_least: int | None = None
    """Headline, 0 to 4."""
    licence: str | None = None
    """Id or name of a licence, or a tier."""
    context_at_least: int | None = None
    max_price: Decimal | None = None
    """Dollars per million tokens, three of input to one of output, at the cheapest provider."""
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A model that meets what is wanted."""

    model: ModelRecord
    openness: Assessment
    listings: tuple[Listing, ...]
    """Where it is listed; only the provider asked for, where one was."""
    cheapest: Listing | None
    """Of those with a price."""
    context: int | None
    """The smallest reading of the record, else the largest that a provider lists."""


def search(catalog: Catalog, wanted: Wanted) -> tuple[Match, ...]:
    """The models that meet all demands, by id.

    Raises:
        ConfigError: the licence or the provider asked for is none.
    """
    if wanted.provider is not None and wanted.provider not in catalog.providers:
        find(wanted.provider, catalog)
        raise ConfigError(f"{wanted.provider!r} is no provider.", hint=f"Providers: {', '.join(catalog.providers)}.")
    licences = None if wanted.licence is None else _licences(wanted.licence, catalog)
    listed = by_model(catalog)
    matches = (_match(model, catalog, listed, wanted) for model in catalog.models.values() if _says(model, wanted.text))
    return tuple(sorted((one for one in matches if _meets(one, wanted, licences)), key=lambda one: one.model.id))


def by_model(catalog: Catalog) -> Mapping[str, tuple[Listing, ...]]:
    """The listings of every model."""
    found: dict[str, list[Listing]] = {}
    for listing in catalog.snapshot.listings:
        if listing.model is not None:
            found.setdefault(listing.model, []).append(listing)
    return {model: tuple(listings) for model, listings in found.items()}


def match(model: ModelRecord, catalog: Catalog) -> Match:
    """A model with what is looked up of it."""
    return _match(model, catalog, {model.id: catalog.listings_of(model.id)}, Wanted())


def _match(model: ModelRecord, catalog: Catalog, listed: Mapping[str, tuple[Listing, ...]], wanted: Wanted) -> Match:
    listings = tuple(
        one for one in listed.get(model.id, ()) if wanted.provider is None or one.provider == wanted.provider
    )
    priced = [one for one in listings if one.price.known]
    known = model.context_tokens.readings
    contexts = [min(one.context_tokens.readings) for one in listings if one.context_tokens.known]
    return Match(
        model=model,
        openness=assess(model, catalog.licences),
        listings=listings,
        cheapest=min(priced, key=lambda one: (price_of(one), one.provider, one.api_id), default=None),
        context=min(known) if known else max(contexts, default=None),
    )


def price_of(listing: Listing) -> Decimal:
    """What a million tokens cost, three of input to one of output, by the dearest reading; it must be known."""
    return max(blended(price) for price in listing.price.readings)


def blended(price: ListedPrice) -> Decimal:
    return (3 * price.input + price.output) / 4


def _says(model: ModelRecord, text: str) -> bool:
    told = " ".join((model.id, model.title, model.family, model.producer.name, *model.aliases)).lower()
    return all(word in told for word in text.lower().split())


def _licences(name: str, catalog: Catalog) -> frozenset[str]:
    """The licence of a name, or the name itself where it is a tier."""
    licence = catalog.licence(name)
    if licence is not None:
        return frozenset({licence.id})
    if name.lower() in TIERS:
        return frozenset({name.lower()})
    found = find(name, catalog)
    raise ConfigError(f"{name!r} is no licence but {found.kind}.", hint=f"Tiers: {', '.join(TIERS)}.")


def _meets(one: Match, wanted: Wanted, licences: frozenset[str] | None) -> bool:
    headline, weights = one.openness.headline, one.openness.axes.weights
    if wanted.side == "closed" and weights != "none":
        return False
    if wanted.side in {"own", "hosted"} and weights in {"none", None}:
        return False
    if wanted.side == "hosted" and not one.listings:
        return False
    if wanted.open_at_least is not None and (headline is None or headline < wanted.open_at_least):
        return False
    if licences is not None and not licences & {*one.model.licence.readings, one.openness.axes.licence or ""}:
        return False
    if wanted.context_at_least is not None and (one.context is None or one.context < wanted.context_at_least):
        return False
    if wanted.max_price is not None and (one.cheapest is None or price_of(one.cheapest) > wanted.max_price):
        return False
    return wanted.provider is None or bool(one.listings)


def others(catalog: Catalog, text: str) -> tuple[Found, ...]:
    """Licences, offers, terms and providers whose id, title or other names have all words of a text."""
    words = text.lower().split()
    kinds: tuple[tuple[Kind, Mapping[str, Record]], ...] = (
        ("licence", catalog.licences),
        ("offer", catalog.offers),
        ("terms", catalog.terms),
        ("provider", catalog.providers),
    )
    return tuple(
        Found(kind=kind, record=record)
        for kind, records in kinds
        for record in records.values()
        if words and all(word in _told(record) for word in words)
    )


def _told(record: Record) -> str:
    names = record.names if isinstance(record, LicenceRecord) else ()
    return " ".join((record.id, record.title, *names)).lower()
