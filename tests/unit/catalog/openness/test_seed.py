"""What came along: every record can be assessed, and levels and licences are what the sources say."""

from __future__ import annotations

import pytest

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.openness import spdx
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.tier import tier_of

LEVELS = {
    "anthropic/claude-opus-5-5": 0,
    "openai/gpt-6-luna": 0,
    "meta/llama-3.3-70b": 1,
    "meta/llama-4-scout": 1,
    "google/gemma-3-27b": 1,
    "mistralai/devstral-2-123b": 1,
    "mistralai/mistral-large-2411": 1,
    "moonshot/kimi-k3": 1,
    "zai/glm-5.3": 1,
    "nvidia/nemotron-3-nano": 1,
    "openai/gpt-oss-20b": 2,
    "deepseek/deepseek-r1": 2,
    "qwen/qwen3-32b": 2,
    "ibm/granite-4.0-h-small": 2,
    "utter/eurollm-9b": 3,
    "ai2/olmo-3": 4,
    "llm360/amber": 4,
    "swiss-ai/apertus-70b": 4,
}
"""Headlines that were worked out by hand from the same sources."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_every_record_can_be_assessed(catalog: Catalog) -> None:
    for model in catalog.models.values():
        found = assess(model, catalog.licences)
        assert found.model == model.id
        assert [badge.rules for badge in found.badges] == [
            "mof-1.0-tool",
            "mof-1.0-paper",
            "osaid-1.0-checklist",
            "ai-act-53-2",
            "osai-index",
        ]


@pytest.mark.parametrize(("name", "level"), LEVELS.items())
def test_models_one_knows_have_the_level_that_was_found_by_hand(catalog: Catalog, name: str, level: int) -> None:
    assert assess(catalog.models[name], catalog.licences).headline == level


def test_a_model_of_which_next_to_nothing_is_known_has_no_headline(catalog: Catalog) -> None:
    assert assess(catalog.models["mistral/mistral-large-4"], catalog.licences).headline is None


def test_nothing_but_open_source_licences_and_those_of_the_same_freedom_is_permissive(catalog: Catalog) -> None:
    permissive = {name for name, licence in catalog.licences.items() if tier_of(licence) == "permissive"}
    assert permissive == {
        "Apache-2.0",
        "MIT",
        "OpenMDW-1.0",
        "OpenMDW-1.1",
        "CC-BY-4.0",
        "LicenseRef-isthmus-gpt-oss",
    }


def test_records_and_the_spdx_list_agree_on_who_approved_a_licence(catalog: Catalog) -> None:
    for licence in catalog.licences.values():
        if licence.spdx:
            said = (licence.osi_approved, licence.fsf_libre)
            assert said == (spdx.osi_approved(licence.spdx), spdx.fsf_libre(licence.spdx)), licence.id
