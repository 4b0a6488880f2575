"""A catalog of a few records, and what an update could make of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import yaml

from isthmus.catalog.catalog import SNAPSHOT
from isthmus.catalog.changes.plan import Plan
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.listing import ListedPrice, Listing, Snapshot, snapshot_json

DAY = date(2026, 11, 21)

SOURCES = {
    "page": {"url": "https://docs.example.test/data", "kind": "vendor_doc", "observed_on": DAY},
    "text": {"url": "https://example.test/LICENSE", "kind": "licence", "observed_on": DAY},
    "list": {"url": "https://feed.example.test/", "kind": "feed", "observed_on": DAY},
}


def claim(value: object, state: str = "verified", source: str = "page", evidence: str = "E1") -> dict[str, Any]:
    return {"value": value, "state": state, "sources": [source], "evidence": evidence}


def records() -> dict[str, dict[str, Any]]:
    """The records by path, as plain values to be changed at will."""
    return {
        "licences/Apache-2.0.yaml": {
            "id": "Apache-2.0",
            "title": "Apache License 2.0",
            "sources": SOURCES,
            "text_url": "https://example.test/LICENSE",
            "osi_approved": True,
            "grants": ["internal", "product", "hosted-service", "fine-tune", "redistribute"],
        },
        "licences/LicenseRef-capped.yaml": {
            "id": "LicenseRef-capped",
            "title": "Capped licence",
            "sources": SOURCES,
            "text_url": "https://example.test/LICENSE",
            "osi_approved": False,
            "grants": ["internal", "product"],
            "clauses": [
                {
                    "clause": "user_cap",
                    "says": "Above a number of users another licence is needed.",
                    "place": "section 2",
                    "sources": ["text"],
                    "monthly_users": 1_000_000,
                    "effect": "need_licence",
                },
                {
                    "clause": "outputs",
                    "says": "Outputs train no other model.",
                    "place": "section 3",
                    "sources": ["text"],
                    "train_other_models": "forbidden",
                },
            ],
        },
        "providers/openai.yaml": {
            "id": "openai",
            "title": "OpenAI",
            "sources": SOURCES,
            "seat": claim("US"),
            "services": ["openai"],
            "feeds": {"genai_prices": "openai", "models_dev": "openai", "deprecations": "OpenAI"},
        },
        "terms/openai/api.yaml": {
            "id": "openai/api",
            "title": "OpenAI API",
            "sources": SOURCES,
            "provider": "openai",
            "tier": "api",
            "url": "https://example.test/terms",
            "training": {"default": claim("opt-in")},
            "retention": {
                "default_days": claim(30),
                "classes": [{"what": "files", "days": claim(90)}],
                "model_exceptions": [
                    {"models": ["openai/gpt-5.4-mini"], "days": claim(60), "says": "Kept for safety."},
                ],
            },
            "zero_retention": {"how": claim("approval"), "withdrawable": True, "excluded_features": ["files"]},
            "uses": [
                {
                    "use": "train-on-outputs",
                    "permits": "no",
                    "says": "No competing models.",
                    "place": "section 2",
                    "sources": ["page"],
                }
            ],
        },
        "offers/openai/api/eu.yaml": {
            "id": "openai/api/eu",
            "title": "OpenAI in the EU",
            "sources": SOURCES,
            "provider": "openai",
            "service": "openai",
            "side": "closed",
            "hosts": ["eu.api.openai.com"],
            "terms": "openai/api",
            "region": {"processing": claim(["EU", "US"]), "guarantee": claim("best_effort")},
        },
        "models/openai/gpt-5.4-mini.yaml": {
            "id": "openai/gpt-5.4-mini",
            "title": "GPT-5.4 mini",
            "sources": SOURCES,
            "family": "gpt-5",
            "aliases": ["gpt-5.4-mini"],
            "producer": {"name": "OpenAI"},
            "weights": claim("none"),
            "licence": claim("LicenseRef-capped"),
            "context_tokens": claim(400_000),
        },
        "models/meta/tiny.yaml": {
            "id": "meta/tiny",
            "title": "Tiny",
            "sources": SOURCES,
            "family": "tiny",
            "producer": {"name": "Meta"},
            "weights": claim("gated"),
            "licence": claim("LicenseRef-capped"),
            "components": {"training_code": {"present": claim("no")}},
            "training": {"data": claim("described")},
        },
    }


def listing(
    api_id: str = "gpt-5.4-mini",
    *,
    price: tuple[str, str] = ("0.75", "4.5"),
    retires: date | None = None,
    model: str | None = "openai/gpt-5.4-mini",
    context: int = 400_000,
) -> Listing:
    return Listing(
        provider="openai",
        api_id=api_id,
        model=model,
        price=told(ListedPrice(input=Decimal(price[0]), output=Decimal(price[1]))),
        context_tokens=told(context),
        retires_on=Claim() if retires is None else told(retires),
        replacement=Claim() if retires is None else told("gpt-6-luna"),
    )


def told(value: Any) -> Claim[Any]:
    return Claim(value=value, state="declared", sources=("genai-prices",), evidence="E1", volatility="fast")


def contents(
    plain: Mapping[str, dict[str, Any]] | None = None,
    listings: tuple[Listing, ...] = (listing(),),
    observed: date = DAY,
) -> dict[str, bytes]:
    """Files by path."""
    source = Source(url="https://feed.example.test/", kind="feed", observed_on=observed)
    snapshot = Snapshot(made_on=observed, sources={"genai-prices": source}, listings=listings)
    files = {path: written(record) for path, record in (records() if plain is None else plain).items()}
    return {**files, SNAPSHOT: snapshot_json(snapshot)}


def written(record: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(msgspec.to_builtins(record, builtin_types=(date,)), sort_keys=False).encode()


def everything(plan: Plan) -> frozenset[str]:
    """The ids of all changes that loosen."""
    return frozenset(change.id for change in plan.loosening)
