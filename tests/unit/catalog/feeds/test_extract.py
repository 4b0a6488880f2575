"""Listings out of small feeds in their published forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.catalog.claim import Source
from isthmus.catalog.feeds.extract import DEPRECATIONS, GENAI_PRICES, MODELS_DEV, Copy, extract
from isthmus.catalog.listing import Listing, Snapshot, snapshot_json
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.provider import Feeds, ProviderRecord
from isthmus.domain.errors import ConfigError

DAY = date(2026, 11, 21)
PROVIDERS = {
    name: ProviderRecord(id=name, title=name, feeds=Feeds(genai_prices=name, models_dev=name, deprecations=name))
    for name in ("openai", "openrouter")
}
MODELS = {
    "openai/gpt-5": ModelRecord(
        id="openai/gpt-5", title="GPT-5", family="gpt", producer=Producer(name="OpenAI"), aliases=("gpt-5",)
    )
}


def priced(model: str, prices: Any, **more: Any) -> dict[str, Any]:
    return {"id": model, "match": {"or": [{"equals": model}, {"starts_with": f"{model}-20"}]}, "prices": prices, **more}


def per_million(incoming: object, outgoing: object) -> dict[str, object]:
    return {"input_mtok": incoming, "output_mtok": outgoing}


def described(model: str, cost: tuple[float, float] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"id": model, "modalities": {"input": ["text"], "output": ["text"]}, **more}
    return found if cost is None else {**found, "cost": {"input": cost[0], "output": cost[1]}}


def ending(model: str, day: str, *instead: str, seen: str = "2026-10-01") -> dict[str, Any]:
    return {
        "provider": "openai",
        "model_id": model,
        "shutdown_date": day,
        "replacement_models": list(instead) or None,
        "last_observed": seen,
    }


def made(
    prices: list[dict[str, Any]] | None = None,
    models: list[dict[str, Any]] | None = None,
    endings: list[dict[str, Any]] | None = None,
    *,
    provider: str = "openai",
) -> Mapping[str, Listing]:
    """The listings by the names of the API."""
    texts = {
        GENAI_PRICES: [{"id": provider, "models": prices or []}],
        MODELS_DEV: {provider: {"id": provider, "models": {one["id"]: one for one in models or []}}},
        DEPRECATIONS: endings or [],
    }
    days = {GENAI_PRICES: DAY, MODELS_DEV: date(2026, 5, 21), DEPRECATIONS: date(2026, 10, 2)}
    copies = {
        name: Copy(
            text=json.dumps(text).encode(),
            source=Source(url="https://feed.example.test/", kind="feed", observed_on=days[name]),
        )
        for name, text in texts.items()
    }
    snapshot = extract(copies, models=MODELS, providers=PROVIDERS, made_on=DAY)
    assert msgspec.json.decode(snapshot_json(snapshot), type=Snapshot) == snapshot
    return {listing.api_id: listing for listing in snapshot.listings}


def test_two_feeds_that_agree_are_evidence_of_two() -> None:
    price = made([priced("gpt-5", per_million(1.25, 10))], [described("gpt-5", (1.25, 10.0))])["gpt-5"].price
    assert (price.state, price.evidence, price.sources) == ("declared", "E2", (GENAI_PRICES, MODELS_DEV))


def test_one_feed_alone_is_evidence_of_one() -> None:
    price = made([priced("gpt-5", per_million(1.25, 10))])["gpt-5"].price
    assert (price.state, price.evidence, price.sources) == ("declared", "E1", (GENAI_PRICES,))


def test_where_feeds_disagree_both_readings_stay() -> None:
    price = made([priced("gpt-5", per_million(1.25, 10))], [described("gpt-5", (2.5, 10.0))])["gpt-5"].price
    assert price.state == "conflict"
    assert [reading.input for reading in price.readings] == [Decimal("1.25"), Decimal("2.5")]


def test_an_older_feed_that_tells_the_older_price_does_not_disagree() -> None:
    history = [
        {"prices": per_million(2.5, 10)},
        {"constraint": {"start_date": "2026-08-21"}, "prices": per_million(1.25, 10)},
    ]
    price = made([priced("gpt-5", history)], [described("gpt-5", (2.5, 10.0))])["gpt-5"].price
    assert (price.state, price.evidence) == ("declared", "E1")
    assert price.value is not None
    assert price.value.input == Decimal("1.25")


def test_a_price_of_the_cache_that_is_rounded_to_cents_is_the_same() -> None:
    exact = {**per_million(1.1, 4.4), "cache_read_mtok": 0.275}
    rounded = {**described("gpt-5"), "cost": {"input": 1.1, "output": 4.4, "cache_read": 0.28}}
    other = {**described("gpt-5"), "cost": {"input": 1.1, "output": 4.4, "cache_read": 0.29}}
    assert made([priced("gpt-5", exact)], [rounded])["gpt-5"].price.evidence == "E2"
    assert made([priced("gpt-5", exact)], [other])["gpt-5"].price.state == "conflict"


def test_a_price_by_the_length_of_the_prompt_is_that_of_short_ones() -> None:
    tiers = {"base": 2.5, "tiers": [{"start": 272_000, "price": 5}]}
    price = made([priced("gpt-5", per_million(tiers, 15))])["gpt-5"].price
    assert price.value is not None
    assert price.value.input == Decimal("2.5")
    assert price.note == "short prompts; another price above 272,000 tokens of input"


def test_a_price_by_the_hour_is_that_of_noon() -> None:
    hours = [
        {"prices": per_million(0.135, 0.55)},
        {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": per_million(0.27, 1.1)},
    ]
    price = made([priced("gpt-5", hours)])["gpt-5"].price
    assert price.value is not None
    assert price.value.input == Decimal("0.27")
    assert price.note == "depends on the hour; this one is of 12:00 UTC"


def test_hours_over_midnight_are_those_around_it() -> None:
    hours = [
        {"prices": per_million(1, 2)},
        {"constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"}, "prices": per_million(0.5, 1)},
    ]
    price = made([priced("gpt-5", hours)])["gpt-5"].price
    assert price.value is not None
    assert price.value.input == Decimal(1)


def test_a_price_to_come_is_told_and_not_taken() -> None:
    history = [
        {"prices": per_million(2.5, 10)},
        {"constraint": {"start_date": "2026-12-24"}, "prices": per_million(1.25, 10)},
    ]
    price = made([priced("gpt-5", history)])["gpt-5"].price
    assert price.value is not None
    assert (price.value.input, price.note) == (Decimal("2.5"), "changes on 2026-12-24")


def test_a_price_of_nothing_is_no_price() -> None:
    listings = made([priced("gpt-5", per_million(0, 0))], [described("gpt-5", (0, 0))])
    assert not listings["gpt-5"].price.known


def test_what_a_provider_is_listed_for_only_by_a_router_is_not_listed() -> None:
    comment = "Imported from OpenRouter pricing; verify against the provider's."
    assert made([priced("gpt-5", per_million(1, 2), price_comments=comment)]) == {}


def test_a_models_own_name_goes_before_a_rule_for_names() -> None:
    greedy = {"id": "gpt-5-mini", "match": {"contains": "gpt-5"}, "prices": per_million(9, 9)}
    price = made([greedy, priced("gpt-5", per_million(1.25, 10))])["gpt-5"].price
    assert price.value is not None
    assert price.value.input == Decimal("1.25")


def test_a_pattern_of_a_feed_is_never_run() -> None:
    evil = {"id": "other", "match": {"regex": "(a+)+$"}, "prices": per_million(9, 9)}
    assert "other" in made([evil], [described("a" * 40 + "!")])


def test_an_end_comes_with_the_successor_that_is_a_name() -> None:
    endings = [ending("gpt-5", "2026-12-11", "The most capable model available to you.", "gpt-5.6-sol")]
    found = made(endings=endings)["gpt-5"]
    assert (found.retires_on.value, found.replacement.value) == (date(2026, 12, 11), "gpt-5.6-sol")
    assert found.retires_on.sources == (DEPRECATIONS,)


def test_a_name_without_a_date_ends_with_the_version_it_stands_for() -> None:
    found = made([priced("gpt-5", per_million(1.25, 10))], endings=[ending("gpt-5-2025-08-07", "2026-12-11")])["gpt-5"]
    assert (found.retires_on.value, found.retires_on.state) == (date(2026, 12, 11), "derived")
    assert "gpt-5-2025-08-07" in found.retires_on.note


def test_a_name_does_not_end_while_one_of_its_versions_goes_on() -> None:
    models = [described("gpt-5"), described("gpt-5-2026-01-01")]
    found = made(models=models, endings=[ending("gpt-5-2025-08-07", "2026-12-11")])
    assert not found["gpt-5"].retires_on.known


def test_of_two_notices_the_newer_counts_and_the_other_stays() -> None:
    endings = [ending("gpt-5", "2027-03-15", seen="2026-03-01"), ending("gpt-5", "2026-10-02", seen="2026-09-01")]
    ends = made(endings=endings)["gpt-5"].retires_on
    assert (ends.state, ends.readings) == ("conflict", (date(2026, 10, 2), date(2027, 3, 15)))


def test_an_end_that_is_no_day_is_not_known() -> None:
    assert made(endings=[ending("gpt-5", ""), ending("gpt-5", "soon")]) == {}


@pytest.mark.parametrize(
    "name", ["gpt-5", "GPT-5", "gpt-5-2025-08-07", "openai/gpt-5", "global.openai.gpt-5-v1:0", "gpt-5@20250807"]
)
def test_names_of_apis_mean_our_models(name: str) -> None:
    assert made(models=[described(name)])[name].model == "openai/gpt-5"


@pytest.mark.parametrize("name", ["gpt-5-mini", "gpt-5.1", "gpt-5-codex", "gpt-5-turbo-2025-08-07", "my.gpt-5-x"])
def test_names_that_say_more_mean_something_else(name: str) -> None:
    assert made(models=[described(name)])[name].model is None


def test_what_answers_in_no_text_is_left_out_and_of_routers_only_our_models_are_listed() -> None:
    pictures = described("gpt-picture")
    pictures["modalities"]["output"] = ["image"]
    assert made(models=[pictures, described("text-embedding-3-small")]) == {}
    routed = made(models=[described("openai/gpt-5"), described("someone/else")], provider="openrouter")
    assert set(routed) == {"openai/gpt-5"}


@pytest.mark.parametrize("text", [b"[", b"{}", b'[{"id": 1}]', b"\xff", b"[" * 100_000])
def test_a_feed_of_another_form_is_named_and_refused(text: bytes) -> None:
    source = Source(url="https://feed.example.test/", kind="feed", observed_on=DAY)
    with pytest.raises(ConfigError, match="The feed genai-prices is not of its form"):
        extract({GENAI_PRICES: Copy(text=text, source=source)}, models={}, providers=PROVIDERS, made_on=DAY)
