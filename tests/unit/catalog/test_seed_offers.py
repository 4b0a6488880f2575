"""The offers that come along, and the facts that labels see of them."""

from __future__ import annotations

import re
from datetime import date
from functools import cache

import pytest

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.facts import OfferFacts, facts_of
from isthmus.catalog.places import countries
from isthmus.catalog.records.offer import OfferRecord
from isthmus.providers.compatible import services

TODAY = date(2026, 11, 21)


@cache
def catalog() -> Catalog:
    return load_catalog()


def facts(name: str, model: str | None = None) -> OfferFacts:
    offer = catalog().offers[name]
    return facts_of(
        offer,
        catalog().terms[offer.terms],
        catalog().models[model or "google/gemini-2.5-pro"],
        catalog().providers[offer.provider],
        observed=None,
        contracts=(),
        today=TODAY,
    )


def test_thirty_offers_come_along() -> None:
    assert len(catalog().offers) >= 30


@pytest.mark.parametrize("name", sorted(catalog().offers))
def test_an_offer_is_named_after_its_terms(name: str) -> None:
    offer = catalog().offers[name]
    terms = catalog().terms[offer.terms]
    assert name.startswith(f"{terms.id}/")
    assert offer.provider == terms.provider


@pytest.mark.parametrize("name", sorted(catalog().offers))
def test_an_offer_is_of_a_service_that_there_is(name: str) -> None:
    offer = catalog().offers[name]
    assert offer.service in {*services(), "embedded"}
    if offer.service in services() and not offer.service.endswith("compatible"):
        assert offer.service in catalog().providers[offer.provider].services


@pytest.mark.parametrize("name", sorted(catalog().offers))
def test_hosts_are_names_of_hosts(name: str) -> None:
    for host in catalog().offers[name].hosts:
        assert re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+|localhost|127\.0\.0\.1", host)


def test_the_usual_address_of_a_provider_is_a_host_of_one_of_its_offers() -> None:
    for name in ("openai", "anthropic", "mistral", "deepseek", "groq", "together", "fireworks", "openrouter", "xai"):
        host = services()[name].base_url.removeprefix("https://").partition("/")[0]
        assert any(host in offer.hosts for offer in catalog().offers.values() if offer.service == name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/api/global", (None, "US", 30, "never", "E1")),
        ("openai/api/eu", ("EEA+CH", "US", 30, "never", "E1")),
        ("openai/api/us", ("US", "US", 30, "never", "E1")),
        ("azure/direct/datazone-eu", ("EU", "US", 60, "never", "E1")),
        ("azure/direct/regional", (None, "US", 60, "never", "E0")),
        ("azure/direct/global", (None, "US", 60, "never", "E1")),
        ("anthropic/api/global", (None, "US", 30, "never", "E1")),
        ("aws/bedrock/eu-central-1", ("EU", "US", 0, "never", "E1")),
        ("aws/bedrock/us-east-1", ("US", "US", 0, "never", "E1")),
        ("google/vertex/eu", ("EU", "US", 1, "never", "E1")),
        ("google/gemini-paid/global", (None, "US", None, "never", "E0")),
        ("google/gemini-unpaid/global", (None, "US", None, "yes", "E0")),
        ("mistral/scale/global", (None, "FR", 30, "never", "E1")),
        ("mistral/scale/eu", ("EEA+CH", "FR", 30, "never", "E1")),
        ("mistral/experiment/global", (None, "FR", 30, "yes", "E1")),
        ("together/api/global", (None, "US", None, "yes", "E0")),
        ("fireworks/api/global", (None, "US", 0, "never", "E0")),
        ("groq/api/global", (None, "US", 30, "never", "E0")),
        ("deepinfra/api/global", (None, "US", 0, "never", "E0")),
        ("deepseek/api/cn", ("CN", "CN", None, "yes", "E0")),
        ("xai/api/global", (None, "US", 30, "never", "E1")),
        ("xai/api/us", ("US", "US", 30, "never", "E1")),
        ("huggingface/inference/router", (None, None, 0, "never", "E0")),
        ("openrouter/default/global", (None, "US", None, "yes", "E0")),
        ("openrouter/zdr/global", (None, "US", 0, "never", "E0")),
        ("openrouter/zdr/eu", ("EU", "US", 0, "never", "E1")),
        ("scaleway/api/fr", ("EU", "FR", 0, "never", "E1")),
        ("ovhcloud/api/fr", ("EU", "FR", None, "unknown", "E0")),
        ("self/own/vllm", (None, None, 0, "never", "E4")),
        ("self/own/llama-cpp", (None, None, 0, "never", "E4")),
        ("self/own/ollama", (None, None, 0, "never", "E4")),
        ("ollama-cloud/api/global", (None, None, None, "never", "E0")),
    ],
)
def test_what_labels_see_of_an_offer(name: str, expected: tuple[object, ...]) -> None:
    found = facts(name)
    assert (found.region, found.jurisdiction, found.retention_days, found.training, found.evidence) == expected


@pytest.mark.parametrize(
    "name", ["anthropic/api/global", "aws/bedrock/eu-central-1", "google/vertex/eu", "openrouter/zdr/eu"]
)
def test_a_covered_model_is_kept_wherever_it_is_offered(name: str) -> None:
    assert facts(name, "anthropic/claude-fable-5").retention_days == 30
    assert (facts(name, "anthropic/claude-sonnet-5-5").retention_days or 0) <= 30


def test_flagged_traffic_of_openai_s_closed_models_is_kept_by_bedrock_and_that_of_others_is_not() -> None:
    assert facts("aws/bedrock/eu-central-1", "openai/gpt-5.4-mini").retention_days == 30
    assert facts("aws/bedrock/eu-central-1", "anthropic/claude-sonnet-5-5").retention_days == 0


def in_the_eea_as_said(offer: OfferRecord) -> bool:
    return offer.transfer.value != "in_eea" or not (
        countries(("US", "CN")) & countries(offer.region.processing.value or ())
    )


def test_no_offer_is_in_europe_and_elsewhere_at_once() -> None:
    assert all(in_the_eea_as_said(offer) for offer in catalog().offers.values())


def test_ollama_in_the_cloud_is_another_offer_than_ollama_at_home() -> None:
    home, cloud = catalog().offers["self/own/ollama"], catalog().offers["ollama-cloud/api/global"]
    assert (home.side, cloud.side) == ("own", "hosted")
    assert home.terms != cloud.terms
