"""The closed models that come along: nobody gets their weights, and what may be done stands in terms."""

from __future__ import annotations

from functools import cache

import pytest

from isthmus.catalog.catalog import Catalog, load_catalog

CLOSED = (
    "openai/gpt-6.1-sol",
    "openai/gpt-6-luna",
    "openai/gpt-5.6-sol",
    "openai/gpt-5.4-mini",
    "openai/gpt-5",
    "openai/gpt-5-mini",
    "openai/gpt-5-nano",
    "openai/gpt-5.1",
    "openai/gpt-4.1",
    "openai/gpt-4o",
    "anthropic/claude-opus-5-5",
    "anthropic/claude-sonnet-5-5",
    "anthropic/claude-haiku-5-5",
    "anthropic/claude-opus-4-8",
    "anthropic/claude-sonnet-4-6",
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-sonnet-4-5",
    "anthropic/claude-fable-5",
    "google/gemini-3.8-flash",
    "google/gemini-3.1-pro-preview",
    "google/gemini-2.5-pro",
    "google/gemini-2.5-flash",
    "xai/grok-4.7",
)


@cache
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize("name", CLOSED)
def test_nobody_gets_the_weights_of_a_closed_model(name: str) -> None:
    model = catalog().models[name]
    assert model.weights.value == "none"
    assert model.weights.evidence >= "E1"
    assert model.licence.value == "LicenseRef-isthmus-vendor-service"
    assert catalog().licences["LicenseRef-isthmus-vendor-service"].proprietary
    assert not model.components
    assert model.where.repo == ""


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_model_has_a_maker_with_a_seat(name: str) -> None:
    producer = catalog().models[name].producer
    assert producer.name
    assert producer.seat.value == "US"


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_model_is_found_by_its_name_at_its_maker(name: str) -> None:
    found = catalog().model(name.partition("/")[2])
    assert found is not None
    assert found.id == name


@pytest.mark.parametrize(
    ("api_id", "name"),
    [
        ("gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
        ("GPT-5.4-mini", "openai/gpt-5.4-mini"),
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic/claude-sonnet-4-5"),
        ("claude-haiku-4-5@20251001", "anthropic/claude-haiku-4-5"),
        ("global.anthropic.claude-fable-5-v1:0", "anthropic/claude-fable-5"),
        ("x-ai/grok-4.7", "xai/grok-4.7"),
        ("google/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ],
)
def test_names_at_other_providers_lead_to_the_same_model(api_id: str, name: str) -> None:
    found = catalog().model(api_id)
    assert found is not None
    assert found.id == name


def test_no_two_models_share_a_name() -> None:
    names: dict[str, str] = {}
    for model in catalog().models.values():
        for alias in (model.id.lower(), *model.aliases):
            assert alias == alias.lower()
            assert names.setdefault(alias, model.id) == model.id


def test_what_only_feeds_know_says_so() -> None:
    model = catalog().models["openai/gpt-6.1-sol"]
    assert model.note == "Known from feeds alone."
    assert not model.released.known
