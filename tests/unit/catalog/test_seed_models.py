"""The records of models with weights that isthmus ships: that they hold together, and that they say what is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
import pytest

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import Snapshot
from isthmus.catalog.open_models import open_models
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.openness import Badge
from isthmus.catalog.openness.tier import tier_of
from isthmus.catalog.reading import read_record
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, name)
        elif entry.name.endswith(".yaml"):
            yield name, entry.read_bytes()


_SEED = files("isthmus.catalog") / "seed"
MODELS = {
    record.id: record
    for record in (read_record(ModelRecord, text, name) for name, text in sorted(_walk(_SEED / "models", "models")))
}
LICENCES = {
    record.id: record
    for record in (read_record(LicenceRecord, text, name) for name, text in _walk(_SEED / "licences", "licences"))
}
WITH_WEIGHTS = {name: model for name, model in MODELS.items() if model.weights.value != "none"}
CATALOG = Catalog(
    version="",
    models=MODELS,
    licences=LICENCES,
    providers={},
    offers={},
    terms={},
    snapshot=Snapshot(made_on=date(2026, 11, 21), sources={}, listings=()),
)

HEADLINES: dict[str, int | None] = {
    "meta/llama-3.1-8b": 1,
    "meta/llama-3.2-1b": 1,
    "meta/llama-3.2-3b": 1,
    "meta/llama-3.3-70b": 1,
    "meta/llama-4-scout": 1,
    "meta/llama-4-maverick": 1,
    "google/gemma-3-1b": 1,
    "google/gemma-3-4b": 1,
    "google/gemma-3-12b": 1,
    "google/gemma-3-27b": 1,
    "google/gemma-4-12b": 2,
    "google/gemma-4-31b": 2,
    "mistralai/mistral-large-2411": 1,
    "mistralai/devstral-2-123b": 1,
    "mistralai/mistral-medium-3.5": 1,
    "mistralai/mistral-small-4": 2,
    "mistralai/mistral-large-3": 2,
    "mistralai/ministral-3-8b": 2,
    "mistralai/ministral-3-14b": 2,
    "mistralai/mistral-7b-v0.3": 2,
    "mistral/mistral-large-4": None,
    "deepseek/deepseek-v3": 1,
    "deepseek/deepseek-r1": 2,
    "deepseek/deepseek-v4-flash": 2,
    "deepseek/deepseek-v4-pro": 2,
    "qwen/qwen2.5-7b": 2,
    "qwen/qwen2.5-72b": 1,
    "qwen/qwen2.5-coder-1.5b": 2,
    "qwen/qwen3-0.6b": 2,
    "qwen/qwen3-1.7b": 2,
    "qwen/qwen3-4b": 2,
    "qwen/qwen3-8b": 2,
    "qwen/qwen3-14b": 2,
    "qwen/qwen3-30b-a3b": 2,
    "qwen/qwen3-32b": 2,
    "qwen/qwen3.5-4b": 2,
    "qwen/qwen3.6-35b-a3b": 2,
    "qwen/qwen3.8-27b": 2,
    "qwen/qwen3.8-flash-next": 1,
    "zai/glm-5": 2,
    "zai/glm-5.2": 2,
    "zai/glm-5.3-flash": 2,
    "zai/glm-5.3": 1,
    "moonshot/kimi-k2.6": 1,
    "moonshot/kimi-k3": 1,
    "minimax/m2.7": 1,
    "minimax/m3": 1,
    "openai/gpt-oss-20b": 2,
    "openai/gpt-oss-120b": 2,
    "microsoft/phi-4": 2,
    "ibm/granite-4.0-h-small": 2,
    "tii/falcon-3": 1,
    "cohere/command-a": 1,
    "nvidia/nemotron-3-nano": 1,
    "utter/eurollm-9b": 3,
    "huggingface/smollm2": 4,
    "huggingface/smollm2-135m": 4,
    "huggingface/smollm3-3b": 4,
    "ai2/olmo-2": 4,
    "ai2/olmo-3": 4,
    "eleutherai/pythia-160m": 4,
    "eleutherai/pythia-1b": 4,
    "eleutherai/pythia-12b": 4,
    "swiss-ai/apertus-8b": 4,
    "swiss-ai/apertus-70b": 4,
    "llm360/amber": 4,
}
"""What a careful reader makes of each, worked out by hand. None: cannot be told."""


def _badge(model: str, rules: str) -> Badge:
    return next(badge for badge in assess(MODELS[model], LICENCES).badges if badge.rules == rules)


def _claims(value: object) -> Iterator[Claim[object]]:
    if isinstance(value, Claim):
        yield value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _claims(getattr(value, field))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _claims(item)


def _sources_used(record: Record) -> set[str]:
    return {
        key
        for claim in _claims(record)
        for keys in (claim.sources, *(other.sources for other in claim.alternatives))
        for key in keys
    }


every_model = pytest.mark.parametrize("model", WITH_WEIGHTS.values(), ids=WITH_WEIGHTS)


# ---- the records hold together


def test_every_model_with_weights_has_been_looked_at_by_hand() -> None:
    assert set(WITH_WEIGHTS) == set(HEADLINES)


@every_model
def test_sources_are_dated_and_not_of_the_future_and_each_of_them_is_needed(model: ModelRecord) -> None:
    assert model.sources
    assert all(date(2023, 1, 1) <= source.observed_on <= date.today() for source in model.sources.values())
    assert set(model.sources) <= _sources_used(model)


@every_model
def test_every_reading_of_the_licence_has_a_record(model: ModelRecord) -> None:
    assert set(model.licence.readings) <= set(LICENCES)


def test_names_are_in_lower_case_and_no_two_models_share_one() -> None:
    names = [name for model in MODELS.values() for name in {model.id, *model.aliases}]
    assert [name for name in names if name != name.lower()] == []
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@every_model
def test_a_model_is_found_by_its_id_by_the_last_part_of_it_and_by_its_name_at_the_hub(model: ModelRecord) -> None:
    for name in (model.id, model.id.rpartition("/")[2], model.where.repo or model.id):
        assert CATALOG.model(name) is model, name


def test_weights_that_anybody_gets_say_where_they_are() -> None:
    nowhere = [name for name, model in WITH_WEIGHTS.items() if model.weights.known and not model.where.repo]
    assert nowhere == []


@every_model
def test_what_is_derived_names_its_rule(model: ModelRecord) -> None:
    rules = {key for claim in _claims(model) if claim.state == "derived" for key in claim.sources}
    assert rules <= {"flop-6nd-1", "ai-act-51-2"}


@every_model
def test_systemic_risk_is_only_ruled_out_where_the_compute_is_known_to_be_far_too_small(model: ModelRecord) -> None:
    if model.systemic_risk.known:
        assert model.systemic_risk.value is False
        assert model.training.compute_flop.value is not None
        assert model.training.compute_flop.value < 1e24


@every_model
def test_a_model_that_computes_with_a_part_of_itself_has_more_than_that_part(model: ModelRecord) -> None:
    if model.parameters.known and model.active_parameters.known:
        assert max(model.active_parameters.readings) < min(model.parameters.readings)


# ---- what they say


@pytest.mark.parametrize(("model", "expected"), HEADLINES.items())
def test_the_headline_is_what_a_careful_reader_makes_of_it(model: str, expected: int | None) -> None:
    assert assess(MODELS[model], LICENCES).headline == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("ibm/granite-4.0-h-small", "class III"),
        ("eleutherai/pythia-160m", "class I"),
        ("eleutherai/pythia-1b", "class I"),
        ("eleutherai/pythia-12b", "class I"),
        ("llm360/amber", "class I"),
    ],
)
def test_the_class_of_the_openness_framework_is_that_of_its_own_registry(model: str, expected: str) -> None:
    assert _badge(model, "mof-1.0-tool").result == expected


@pytest.mark.parametrize(
    "model",
    [
        "deepseek/deepseek-r1",
        "openai/gpt-oss-20b",
        "openai/gpt-oss-120b",
        "mistralai/ministral-3-14b",
        "mistralai/mistral-large-3",
    ],
)
def test_these_miss_the_easiest_class_by_the_data_card_alone(model: str) -> None:
    badge = _badge(model, "mof-1.0-tool")
    assert (badge.result, badge.missing) == ("unclassified", ("data card: missing",))


@pytest.mark.parametrize(
    ("model", "points"),
    [
        ("ai2/olmo-3", 11.5),
        ("swiss-ai/apertus-70b", 11),
        ("huggingface/smollm3-3b", 10.5),
        ("eleutherai/pythia-12b", 10),
        ("utter/eurollm-9b", 9.5),
        ("microsoft/phi-4", 6.5),
        ("openai/gpt-oss-120b", 5.5),
        ("ibm/granite-4.0-h-small", 5),
        ("deepseek/deepseek-r1", 5),
        ("google/gemma-3-27b", 4.5),
        ("deepseek/deepseek-v3", 4.5),
        ("zai/glm-5", 4),
        ("meta/llama-4-maverick", 4),
        ("mistralai/mistral-large-3", 3.5),
        ("meta/llama-3.1-8b", 3.5),
        ("meta/llama-3.3-70b", 2.5),
        ("qwen/qwen3.5-4b", 2),
    ],
)
def test_the_sum_of_the_european_index_is_that_of_its_database(model: str, points: float) -> None:
    assert MODELS[model].osai_sum.value == points


def test_of_a_model_of_which_nobody_knows_whether_there_are_weights_nothing_is_made_up() -> None:
    model = MODELS["mistral/mistral-large-4"]
    assert (model.weights.state, model.licence.state, model.where.repo) == ("unknown", "unknown", "")
    assert model.weights.note
    assert model.licence.note


def test_a_licence_that_changed_after_release_is_a_conflict_and_the_stricter_reading_counts() -> None:
    model = MODELS["minimax/m2.7"]
    assert model.licence.state == "conflict"
    tiers = {tier_of(LICENCES[name]) for name in model.licence.readings}
    assert len(model.licence.readings) == 2
    assert "noncommercial" in tiers
    assert assess(model, LICENCES).axes.licence == "noncommercial"


def test_open_data_and_code_do_not_lift_a_model_whose_licence_is_not_permissive() -> None:
    assessment = assess(MODELS["nvidia/nemotron-3-nano"], LICENCES)
    assert (assessment.headline, assessment.axes.data, assessment.axes.train_code) == (1, "open", "open")


@pytest.mark.parametrize("model", ["meta/llama-4-scout", "meta/llama-4-maverick", "google/gemma-3-27b"])
def test_models_that_take_images_say_so_because_licences_ask(model: str) -> None:
    assert "image" in MODELS[model].input


@pytest.mark.parametrize("model", ["meta/llama-3.1-8b", "meta/llama-3.2-3b", "google/gemma-3-1b"])
def test_text_models_of_the_same_makers_do_not(model: str) -> None:
    assert MODELS[model].input == ("text",)


def test_weights_behind_a_gate_cost_personal_data() -> None:
    gated = {name for name, model in WITH_WEIGHTS.items() if model.weights.value == "gated"}
    assert {"meta/llama-3.3-70b", "google/gemma-3-27b", "mistralai/mistral-large-2411"} <= gated
    assert all(MODELS[name].collects_personal_data.value is True for name in gated)


# ---- and what `isthmus models` knows leads to them

_SAME_TEXT = {"LicenseRef-isthmus-gpt-oss": "Apache-2.0"}
"""Licences of ours whose LICENSE file is another licence as it stands, with something beside it."""


@pytest.mark.parametrize("name", [model.name for model in open_models()])
def test_every_model_that_can_be_embedded_is_in_the_catalog(name: str) -> None:
    known = next(model for model in open_models() if model.name == name)
    model = CATALOG.model(name)
    assert model is not None
    assert model.licence.value is not None
    licence = _SAME_TEXT.get(model.licence.value, model.licence.value.replace("isthmus-", ""))
    assert licence.lower() == known.licence.lower()
    assert model.parameters.value == pytest.approx(known.parameters, rel=0.15)
