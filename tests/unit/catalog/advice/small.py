"""A small catalog whose answers can be worked out by hand."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from isthmus.catalog.advice.question import Question, Workload
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.listing import ListedPrice, Listing, Snapshot
from isthmus.catalog.organisation import Contract, Organisation
from isthmus.catalog.records.licence import Grant, LicenceRecord, TerritoryExclusion
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.offer import OfferRecord, Region
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import Retention, TermsRecord, TrainingTerms, UseTerm, ZeroRetention
from isthmus.domain.licensing import Use
from isthmus.domain.offer import Evidence

T = TypeVar("T")

TODAY = date(2026, 11, 21)
SOURCES = {"page": Source(url="https://example.test/", kind="vendor_doc", observed_on=TODAY)}
USES: tuple[Use, ...] = ("internal", "product", "hosted-service", "fine-tune", "train-on-outputs", "redistribute")


def said(value: T, evidence: Evidence = "E1") -> Claim[T]:
    return Claim(value=value, state="declared", sources=("page",), evidence=evidence)


def licence(name: str, *clauses: Any, proprietary: bool = False) -> LicenceRecord:
    grant = Grant(says="It permits everything.", place="section 1", sources=("page",))
    return LicenceRecord(
        id=name,
        title=name,
        sources=SOURCES,
        text_url="https://example.test/",
        osi_approved=not proprietary,
        proprietary=proprietary,
        grants=() if proprietary else USES,
        clauses=() if proprietary else (grant, *clauses),
    )


def model(
    name: str,
    billions: float | None,
    *,
    weights: Literal["none", "public"] = "public",
    licence: str = "open",
    kind: Literal["chat", "base"] = "chat",
) -> ModelRecord:
    return ModelRecord(
        id=name,
        title=name.rpartition("/")[2],
        sources=SOURCES,
        family=name,
        producer=Producer(name=name.partition("/")[0]),
        kind=kind,
        context_tokens=said(32_000),
        parameters=Claim() if billions is None else said(round(billions * 1e9)),
        weights=said(weights),
        licence=said(licence),
    )


NOT_IN_EU = TerritoryExclusion(
    says="Nobody seated in the European Union has rights.",
    place="section 1",
    sources=("page",),
    countries=("EU",),
    applies_to="seat",
)

MODELS = (
    model("maker/mini", 1),
    model("maker/eight", 8),
    model("maker/thirty", 32),
    model("maker/giant", 4_000),
    model("maker/base", 32, kind="base"),
    model("maker/fenced", 32, licence="fenced"),
    model("lab/grand", None, weights="none", licence="service"),
    model("lab/nano", None, weights="none", licence="service"),
)


def terms(
    name: str,
    *,
    training: Literal["never", "opt-in", "opt-out", "always"],
    days: int,
    zero: Literal["default", "self", "approval", "contract", "none"],
    baa: bool | None = None,
) -> TermsRecord:
    provider, _, tier = name.partition("/")
    use = tuple(
        UseTerm(use=use, permits="yes", says="It is permitted.", place="section 2", sources=("page",)) for use in USES
    )
    return TermsRecord(
        id=name,
        title=name,
        sources=SOURCES,
        provider=provider,
        tier=tier,
        url="https://example.test/",
        training=TrainingTerms(default=said(training), human_review=said(False)),
        retention=Retention(default_days=said(days)),
        zero_retention=ZeroRetention(how=said(zero)),
        uses=use,
        baa=Claim() if baa is None else said(baa),
    )


def offer(name: str, *, side: Literal["hosted", "closed"], place: str | None) -> OfferRecord:
    provider, tier, _ = name.split("/")
    return OfferRecord(
        id=name,
        title=f"{provider} {name.rpartition('/')[2]}",
        sources=SOURCES,
        provider=provider,
        service="openai-compatible",
        side=side,
        terms=f"{provider}/{tier}",
        region=Region(processing=Claim() if place is None else said((place,))),
    )


def provider(name: str, seat: str) -> ProviderRecord:
    return ProviderRecord(id=name, title=name.capitalize(), sources=SOURCES, seat=said(seat))


def listing(provider: str, model: str, price_in: str, price_out: str, **more: Any) -> Listing:
    price = ListedPrice(input=Decimal(price_in), output=Decimal(price_out))
    return Listing(
        provider=provider,
        api_id=model.rpartition("/")[2],
        model=model,
        price=Claim(value=price, state="declared", sources=("feed",), evidence="E1", volatility="fast"),
        tools=Claim(value=True, state="declared", sources=("feed",), evidence="E1"),
        **more,
    )


LISTINGS = (
    listing("host", "maker/mini", "0.02", "0.04"),
    listing("host", "maker/eight", "0.05", "0.10"),
    listing("host", "maker/thirty", "0.20", "0.60"),
    listing("host", "maker/fenced", "0.10", "0.30"),
    listing("lab", "lab/grand", "2", "8"),
    listing("lab", "lab/nano", "0.10", "0.40"),
)

FEED = Source(url="https://example.test/feed", kind="feed", observed_on=TODAY, title="the feed")


def catalog(*, listings: tuple[Listing, ...] = LISTINGS, **changed: Any) -> Catalog:
    kinds: dict[str, dict[str, Any]] = {
        "models": {found.id: found for found in MODELS},
        "licences": {
            found.id: found
            for found in (licence("open"), licence("fenced", NOT_IN_EU), licence("service", proprietary=True))
        },
        "providers": {found.id: found for found in (provider("host", "FR"), provider("lab", "US"))},
        "terms": {
            found.id: found
            for found in (
                terms("host/api", training="never", days=0, zero="default"),
                terms("lab/api", training="opt-in", days=30, zero="approval", baa=True),
                terms("lab/unpaid", training="always", days=30, zero="none", baa=False),
            )
        },
        "offers": {
            found.id: found
            for found in (
                offer("host/api/fr", side="hosted", place="FR"),
                offer("lab/api/us", side="closed", place="US"),
                offer("lab/api/eu", side="closed", place="EU"),
                offer("lab/unpaid/us", side="closed", place="US"),
            )
        },
    }
    for name, record in changed.items():
        kinds[name] = kinds[name] | {record.id: record}
    snapshot = Snapshot(made_on=TODAY, sources={"feed": FEED}, listings=listings)
    return Catalog(version="0" * 16, snapshot=snapshot, **kinds)


def question(*, seat: str = "DE", contracts: tuple[Contract, ...] = (), **more: Any) -> Question:
    """One workload, of which all may be said; what is not one of a workload is one of the question."""
    of_question: dict[str, Any] = {
        name: more.pop(name) for name in ("skills", "premises", "staff_usd_hour") if name in more
    }
    values: dict[str, Any] = {"name": "work", "calls_per_day": 1000, "input_tokens": 1000, "output_tokens": 200}
    workload = Workload(**{**values, "data": ("public",), **more})
    return Question(
        organisation=Organisation(seat=seat, contracts=contracts),
        workloads=(workload,),
        **{"skills": "platform-team", **of_question},
    )


def changed(found: Question, **more: Any) -> Question:
    """The question with a workload that says something else."""
    return msgspec.structs.replace(found, workloads=(msgspec.structs.replace(found.workloads[0], **more),))


def contract(covers: str, kind: Any) -> Contract:
    return Contract(covers=covers, kind=kind, sha256="0" * 64)
