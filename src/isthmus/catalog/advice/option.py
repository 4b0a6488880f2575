"""Everything that a workload could run on: models at providers, and open models on machines of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from isthmus.catalog.advice.hardware import DAYS, Fleet, Keeping, Size, fleet_of, hardware, memory_gb, size_of
from isthmus.catalog.advice.listed import doubts
from isthmus.catalog.advice.question import Question, Workload
from isthmus.catalog.advice.span import Span
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.listing import ListedPrice, Listing
from isthmus.catalog.places import EEA, countries
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.offer import Side

KEEPINGS: tuple[Keeping, ...] = ("bought", "rented")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model at a provider."""

    offer: OfferRecord
    terms: TermsRecord
    provider: ProviderRecord
    listing: Listing | None
    """What the feeds say of it there; None: nothing, and then there is no price."""
    missing_in: str = ""
    """A feed that should list it there and does not; empty: there is none."""

    @property
    def who(self) -> str:
        """Name of the operator, without what it operates."""
        return self.provider.title.partition(" (")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An open model on machines of one's own."""

    keeping: Keeping
    size: Size | None
    """None: nobody says how large it is."""
    fleet: Fleet | None
    """None: its size is not known, or no machine of `hardware.toml` is large enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to serve a workload."""

    key: str
    """`openai/api/eu gpt-5.4-mini`, `own bought l40s qwen/qwen3-32b`."""
    side: Side
    model: ModelRecord
    at: Served | Own
    usd_month: Span | None
    """For the whole workload; None: not known."""
    away: int = 0
    """0: processed where the organisation has its seat, or in its economic area; 1: nobody says where; 2: elsewhere."""

    @property
    def words(self) -> str:
        """What it is in a sentence: `openai/gpt-5.4-mini at OpenAI API, global`."""
        if isinstance(self.at, Served):
            return f"{self.model.id} at {self.at.offer.title}"
        return self.model.id if self.at.fleet is None else f"{self.model.id} on {self.at.fleet.machine.title}"

    @property
    def operator(self) -> str:
        """Who has to fail for it to fail."""
        return self.at.provider.id if isinstance(self.at, Served) else "self"

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes two options the same to who decides: the sort of machine, and the region, are details."""
        return (
            self.model.id,
            self.side,
            self.at.keeping if isinstance(self.at, Own) else f"{self.at.provider.id} {self.at.terms.id}",
        )

    @property
    def rank(self) -> tuple[bool, Decimal, Decimal, int, str]:
        """Order of recommendation: the cheapest first, by the dear end of what it may cost; then what is near."""
        if self.usd_month is None:
            return (True, Decimal(0), Decimal(0), self.away, self.key)
        return (False, self.usd_month.high, self.usd_month.low, self.away, self.key)


def options_of(catalog: Catalog, question: Question, workload: Workload) -> tuple[Option, ...]:
    """All there are, the cheapest first."""
    found = [*_served(catalog, question, workload), *_own(catalog, question, workload)]
    return tuple(sorted(found, key=lambda option: option.rank))


def open_weights(model: ModelRecord) -> bool:
    """Whether weights can be had, by every reading."""
    states = model.weights.readings
    return bool(states) and all(state != "none" for state in states)


def _served(catalog: Catalog, question: Question, workload: Workload) -> Iterator[Option]:
    doubted = doubts(catalog)
    home = _home(question.organisation.seat)
    for offer in catalog.offers.values():
        if offer.side == "own":
            continue
        listings = {
            name: _listing(of)
            for name, of in _by_model(catalog.snapshot.listings, offer.provider).items()
            if name in catalog.models
        }
        for name in offer.models or listings:
            model, listing = catalog.models[name], listings.get(name)
            yield Option(
                key=f"{offer.id} {name}",
                side="hosted" if open_weights(model) else "closed",
                model=model,
                at=Served(
                    offer=offer,
                    terms=catalog.terms[offer.terms],
                    provider=catalog.providers[offer.provider],
                    listing=listing,
                    missing_in="" if name in offer.models else doubted.get((offer.provider, name), ""),
                ),
                usd_month=None if listing is None else listed_usd_month(listing, offer, workload),
                away=_away(offer, home),
            )


def _home(seat: str | None) -> frozenset[str]:
    """Where data stays at home; for the EEA, Switzerland too, as operators there promise both together."""
    return frozenset() if seat is None else EEA | {"CH"} if seat in EEA else countries((seat,))


def _away(offer: OfferRecord, home: frozenset[str]) -> int:
    places = offer.region.processing.readings
    if not places:
        return 1
    return 0 if all(countries(codes) <= home for codes in places) else 2


def _by_model(listings: Iterable[Listing], provider: str) -> dict[str, list[Listing]]:
    found: dict[str, list[Listing]] = {}
    for listing in listings:
        if listing.provider == provider and listing.model is not None:
            found.setdefault(listing.model, []).append(listing)
    return found


def _listing(listings: list[Listing]) -> Listing:
    """Of the names that a provider has for one model, the one that is priced, stays longest and is shortest."""

    def order(listing: Listing) -> tuple[bool, str, int, str]:
        ends = min(listing.retires_on.readings, default=None)
        # Descending by date, in a key that ascends: digits are turned round, and no end comes first.
        late = "" if ends is None else "".join(str(9 - int(digit)) for digit in ends.strftime("%Y%m%d"))
        return (not listing.price.known, late, len(listing.api_id), listing.api_id)

    return min(listings, key=order)


def usd_per_call(price: ListedPrice, workload: Workload) -> Decimal:
    """Dollars for one call at list price.

    cost = (in · (1 - cached) · p_in + in · cached · p_cached + out · p_out) / 10⁶
    """
    cached = Decimal(str(workload.cached_share)) * workload.input_tokens
    cached_price = price.input if price.cached is None else price.cached
    fresh = workload.input_tokens - cached
    return (fresh * price.input + cached * cached_price + workload.output_tokens * price.output) / 1_000_000


def listed_usd_month(listing: Listing, offer: OfferRecord, workload: Workload) -> Span | None:
    """Dollars a month at list price, surcharge included; a range where the feeds disagree."""
    calls = [usd_per_call(price, workload) for price in listing.price.readings]
    if not calls:
        return None
    surcharge = 1 + Decimal(str(max(offer.surcharge_percent.readings, default=0.0))) / 100
    return Span(min(calls), max(calls)).times(workload.calls_per_day * DAYS * surcharge)


def _own(catalog: Catalog, question: Question, workload: Workload) -> Iterator[Option]:
    for model in catalog.models.values():
        if not open_weights(model):
            continue
        size = size_of(model)
        needed = None if size is None else memory_gb(size, workload)
        for keeping in KEEPINGS:
            machines = [m for m in hardware().machines.values() if needed is not None and m.memory_gb >= needed]
            if size is None or not machines:
                own = Own(keeping=keeping, size=size, fleet=None)
                yield Option(key=f"own {keeping} {model.id}", side="own", model=model, at=own, usd_month=None)
                continue
            for machine in machines:
                fleet = fleet_of(size, machine, keeping, workload, staff_usd_hour=question.staff_usd_hour)
                yield Option(
                    key=f"own {keeping} {machine.name} {model.id}",
                    side="own",
                    model=model,
                    at=Own(keeping=keeping, size=size, fleet=fleet),
                    usd_month=fleet.usd_month,
                )
